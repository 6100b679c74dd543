// Question  What does an acknowledgement cost over a bare append + fdatasync of the same bytes, at one connection; and how
//           much more do fifty connections get through?
// Method    Starts arch-capture on a fresh archive, speaks LMTP to it over a Unix socket, all connections from one thread,
//           and times each message from its final dot to the 250. The bare loop writes the same bytes to a file of its own beside the journal. All in turns,
//           several rounds, so that a noisy machine touches both alike; medians over rounds.
//   bench-capture-ack [--directory DIR] [--bytes N] [--messages N] [--rounds N] [--connections N] [--json]
// With LD_PRELOAD=slow_sync.so and BENCH_SYNC_DELAY_US both the bare loop and arch-capture see a slower disk.
// Run where the journal will lie: --directory names a directory on that disk (default: the temporary directory).
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/io/fs.h"
#include "engine/journal/archive_file.h"

namespace arch {
namespace {

using Seconds = std::chrono::duration<double>;
using SteadyClock = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "bench-capture-ack: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(EX_OSERR);
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
}

/// Seconds of each append + fdatasync to a file that was allocated before, as the journal's is.
std::vector<double> bare(const std::string& directory, size_t bytes, int count) {
  const std::string path = directory + "/bare", content(bytes, 'x');
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || ::fallocate(file, 0, 0, static_cast<off_t>(bytes) * count + 4096) != 0 || ::fsync(file) != 0)
    give_up(path);
  std::vector<double> out;
  for (int i = 0; i < count; ++i) {
    const auto begin = SteadyClock::now();
    if (::pwrite(file, content.data(), bytes, static_cast<off_t>(bytes) * i) != static_cast<ssize_t>(bytes) ||
        ::fdatasync(file) != 0)
      give_up(path);
    out.push_back(Seconds(SteadyClock::now() - begin).count());
  }
  ::close(file);
  ::unlink(path.c_str());
  return out;
}

/// arch-capture, killed when this goes.
class Capture {
 public:
  Capture(const std::string& program, const std::string& archive, const std::string& socket) {
    int ready[2];
    if (::pipe(ready) != 0) give_up("pipe");
    const auto begin = SteadyClock::now();
    pid_ = ::fork();
    if (pid_ < 0) give_up("fork");
    if (pid_ == 0) {
      ::dup2(ready[1], STDOUT_FILENO);
      const int null = ::open("/dev/null", O_WRONLY);
      ::dup2(null, STDERR_FILENO);
      const std::string where = "--archive=" + archive, lmtp = "--lmtp=unix:" + socket;
      ::execl(program.c_str(), "arch-capture", where.c_str(), lmtp.c_str(), "--reserve=0", nullptr);
      ::_exit(EX_UNAVAILABLE);
    }
    ::close(ready[1]);
    char line[256];
    if (::read(ready[0], line, sizeof line) <= 0) give_up(program + " does not start");
    start_ = Seconds(SteadyClock::now() - begin).count();
    ready_ = ready[0];
  }
  ~Capture() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    ::close(ready_);
  }
  double start_seconds() const { return start_; }
  /// Most memory it ever had, KiB.
  long peak_kib() const {
    const std::string path = "/proc/" + std::to_string(pid_) + "/status";
    std::FILE* file = std::fopen(path.c_str(), "r");
    char line[256];
    long kib = 0;
    while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr)
      if (std::sscanf(line, "VmHWM: %ld", &kib) == 1) break;
    if (file != nullptr) std::fclose(file);
    return kib;
  }

 private:
  pid_t pid_ = -1;
  int ready_ = -1;
  double start_ = 0;
};

class Client {
 public:
  explicit Client(const std::string& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) give_up(path);
    reply();
    say("LHLO bench\r\n");
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  int socket() const { return socket_; }
  /// The commands in one group, as Postfix sends them (RFC 2920).
  void begin_mail() {
    send("MAIL FROM:<a@bench.example>\r\nRCPT TO:<archive@bench.example>\r\nDATA\r\n");
    in_data_ = false;
  }
  /// The socket is readable. True when the mail is acknowledged: `seconds` from the final dot to the 250.
  bool go_on(const std::string& content, double* seconds) {
    reply(in_data_ ? '2' : '3');
    if (!in_data_) {
      send(content);
      dot_ = SteadyClock::now();
      send(".\r\n");
      in_data_ = true;
      return false;
    }
    *seconds = Seconds(SteadyClock::now() - dot_).count();
    return true;
  }

 private:
  void send(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t put = ::send(socket_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (put <= 0) give_up("send");
      at += static_cast<size_t>(put);
    }
  }
  void say(const std::string& command) {
    send(command);
    reply();
  }
  /// The reply that begins with `last_of_group`; those before it are passed over.
  void reply(char last_of_group = '2') {
    std::string text;
    for (;;) {
      char buffer[4096];
      const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
      if (got <= 0) give_up("recv");
      text.append(buffer, static_cast<size_t>(got));
      if (text.size() < 2 || text.back() != '\n') continue;
      const size_t line = text.rfind('\n', text.size() - 2);
      const std::string last = text.substr(line == std::string::npos ? 0 : line + 1);
      if ((last.size() > 3 && last[3] == '-') || (last[0] == '2' && last_of_group == '3')) continue;
      if (last[0] != '2' && last[0] != '3') {
        std::fprintf(stderr, "bench-capture-ack: arch-capture says %s", last.c_str());
        std::exit(EX_PROTOCOL);
      }
      return;
    }
  }
  int socket_ = -1;
  bool in_data_ = false;
  SteadyClock::time_point dot_;
};

std::string content_of(size_t bytes, int number) {
  std::string out = "Subject: " + std::to_string(number) + "\r\n\r\n";
  while (out.size() + 80 < bytes) out += std::string(78, static_cast<char>('a' + out.size() % 26)) + "\r\n";
  return out + std::string(bytes > out.size() + 2 ? bytes - out.size() - 2 : 0, 'z') + "\r\n";
}

struct Round {
  std::vector<double> latencies;
  double seconds = 0;
};

Round acknowledgements(const std::string& socket, int connections, int messages, size_t bytes) {
  std::vector<std::unique_ptr<Client>> clients;
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < connections; ++i) {
    clients.push_back(std::make_unique<Client>(socket));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<uint32_t>(i);
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, clients.back()->socket(), &event) != 0) give_up("epoll_ctl");
  }
  const std::string content = content_of(bytes, 0);
  Round round;
  int begun = 0;
  const auto begin = SteadyClock::now();
  for (auto& client : clients)
    if (begun++ < messages) client->begin_mail();
  while (round.latencies.size() < static_cast<size_t>(messages)) {
    epoll_event events[64];
    const int count = ::epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      Client& client = *clients[events[i].data.u32];
      double seconds = 0;
      if (!client.go_on(content, &seconds)) continue;
      round.latencies.push_back(seconds);
      if (begun++ < messages) client.begin_mail();
    }
  }
  round.seconds = Seconds(SteadyClock::now() - begin).count();
  ::close(epoll);
  return round;
}

int run(int argc, char** argv) {
  std::string directory = std::filesystem::temp_directory_path();
  size_t bytes = 10'000;
  int messages = 1'000, rounds = 5, connections = 50;
  bool json = false;
  static const option kOptions[] = {{"directory", required_argument, nullptr, 'd'},
                                    {"bytes", required_argument, nullptr, 'b'},
                                    {"messages", required_argument, nullptr, 'm'},
                                    {"rounds", required_argument, nullptr, 'r'},
                                    {"connections", required_argument, nullptr, 'c'},
                                    {"json", no_argument, nullptr, 'j'},
                                    {nullptr, 0, nullptr, 0}};
  for (int flag; (flag = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (flag) {
      case 'd':
        directory = optarg;
        break;
      case 'b':
        bytes = static_cast<size_t>(std::max(100, std::atoi(optarg)));
        break;
      case 'm':
        messages = std::max(1, std::atoi(optarg));
        break;
      case 'r':
        rounds = std::max(1, std::atoi(optarg));
        break;
      case 'c':
        connections = std::max(1, std::atoi(optarg));
        break;
      case 'j':
        json = true;
        break;
      default:
        return EX_USAGE;
    }
  }
  std::string root = directory + "/capture_ack.XXXXXX";
  if (::mkdtemp(root.data()) == nullptr) give_up(root);
  if (!create_archive(Fs::real(), root + "/archive", Clock::system().now())) give_up(root);
  const std::string program = std::filesystem::canonical("/proc/self/exe").parent_path() / "arch-capture";
  std::vector<double> bare_medians, one_medians, one_p99, many_medians, many_p99, one_rates, many_rates, ratios,
      gains;
  {
    Capture capture(program, root + "/archive", root + "/s");
    if (!json)
      std::printf("arch-capture ready after %.0f ms; %d messages of %zu bytes a round, %d rounds\n",
                  capture.start_seconds() * 1e3, messages, bytes, rounds);
    for (int round = 0; round < rounds; ++round) {
      const std::vector<double> plain = bare(root, bytes, messages);
      const Round one = acknowledgements(root + "/s", 1, messages, bytes);
      const Round many = acknowledgements(root + "/s", connections, std::max(messages, connections) * 5, bytes);
      bare_medians.push_back(quantile(plain, 0.5));
      one_medians.push_back(quantile(one.latencies, 0.5));
      one_p99.push_back(quantile(one.latencies, 0.99));
      many_medians.push_back(quantile(many.latencies, 0.5));
      many_p99.push_back(quantile(many.latencies, 0.99));
      one_rates.push_back(static_cast<double>(one.latencies.size()) / one.seconds);
      many_rates.push_back(static_cast<double>(many.latencies.size()) / many.seconds);
      ratios.push_back(one_medians.back() / bare_medians.back());
      gains.push_back(many_rates.back() / one_rates.back());
    }
    if (json) {
      auto list = [](const char* name, const std::vector<double>& values) {
        std::printf(",\"%s\":[", name);
        for (size_t i = 0; i < values.size(); ++i) std::printf("%s%.9g", i == 0 ? "" : ",", values[i]);
        std::printf("]");
      };
      std::printf("{\"bench\":\"capture-ack/1\",\"bytes\":%zu,\"messages\":%d,\"connections\":%d,\"peak_kib\":%ld",
                  bytes, messages, connections, capture.peak_kib());
      list("bare_seconds", bare_medians);
      list("one_seconds", one_medians);
      list("one_p99_seconds", one_p99);
      list("many_seconds", many_medians);
      list("many_p99_seconds", many_p99);
      list("one_per_second", one_rates);
      list("many_per_second", many_rates);
      list("over_bare", ratios);
      list("many_over_one", gains);
      std::printf("}\n");
    } else {
      std::printf("%-44s %8.0f µs\n", "bare append + fdatasync, median", quantile(bare_medians, 0.5) * 1e6);
      std::printf("%-44s %8.0f µs, p99 %.0f µs, %.0f/s\n", "one connection, final dot to 250, median",
                  quantile(one_medians, 0.5) * 1e6, quantile(one_p99, 0.5) * 1e6, quantile(one_rates, 0.5));
      std::printf("%2d %-41s %8.0f µs, p99 %.0f µs, %.0f/s\n", connections, "connections, the same",
                  quantile(many_medians, 0.5) * 1e6, quantile(many_p99, 0.5) * 1e6, quantile(many_rates, 0.5));
      std::printf("250 over bare, median of rounds:      %.2f (%.2f to %.2f)\n", quantile(ratios, 0.5),
                  quantile(ratios, 0), quantile(ratios, 1));
      std::printf("%d connections over one, acknowledged: %.1f (%.1f to %.1f)\n", connections, quantile(gains, 0.5),
                  quantile(gains, 0), quantile(gains, 1));
      std::printf("peak memory of arch-capture: %ld KiB\n", capture.peak_kib());
    }
  }
  std::filesystem::remove_all(root);
  return 0;
}

}  // namespace
}  // namespace arch

int main(int argc, char** argv) { return arch::run(argc, argv); }
