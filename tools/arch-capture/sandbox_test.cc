// Claim   Behind enter_sandbox() a thread and the threads it starts write files in the journal's directory and use the
//         sockets they have, and can do nothing else: no other file, no new socket, no program.
// Method  Each attempt runs in a process of its own (a death test), which ends with 0 when the attempt went as it should.
// Teeth   The same attempts are made without the sandbox first and must succeed there.
#include "tools/arch-capture/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

namespace arch::capture {
namespace {

class Sandbox : public testing::Test {
 protected:
  static constexpr const char* kParents = "ARCH_SANDBOX_TEST_DIRECTORY";

  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    // The process of an attempt runs this again and ends where it cannot remove anything: it works in its parent's directory.
    const char* parents = getenv(kParents);
    root_ = parents != nullptr ? parents : testing::TempDir() + "arch-sandbox-XXXXXX";
    if (parents != nullptr) {
      journal_ = root_ + "/journal";
      return;
    }
    ASSERT_NE(mkdtemp(root_.data()), nullptr);  // which fills the name in
    journal_ = root_ + "/journal";
    ASSERT_EQ(mkdir(journal_.c_str(), 0700), 0);
    setenv(kParents, root_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv(kParents);
    std::filesystem::remove_all(root_);
  }

  // Ends the process: 0 when `attempt` gives `expected`, an errno or 0 for success.
  [[noreturn]] void behind_it(int expected, const std::function<int()>& attempt, bool in_thread = false) {
    int before = attempt();
    std::string missing = enter_sandbox(journal_);
    if (!missing.empty()) {
      std::fprintf(stderr, "not offered here: %s\n", missing.c_str());
      _exit(before == 0 ? 0 : 3);
    }
    int after = -1;
    if (in_thread) {
      std::thread([&] { after = attempt(); }).join();
    } else {
      after = attempt();
    }
    if (before != 0) std::fprintf(stderr, "without the sandbox: errno %d\n", before);
    if (after != expected) std::fprintf(stderr, "behind the sandbox: errno %d, not %d\n", after, expected);
    _exit(before != 0 ? 1 : after != expected ? 2 : 0);
  }

  std::string root_, journal_;
};

int outcome(long result) { return result < 0 ? errno : 0; }

int open_and_close(const std::string& path, int flags) {
  int descriptor = open(path.c_str(), flags | O_CLOEXEC, 0600);
  int result = outcome(descriptor);
  if (descriptor >= 0) close(descriptor);
  return result;
}

TEST_F(Sandbox, JournalFilesAreMadeWrittenRenamedAndRemoved) {
  auto work = [this] {
    const std::string path = journal_ + "/a", other = journal_ + "/b";
    int file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (file < 0) return errno;
    int result = outcome(fallocate(file, 0, 0, 1 << 20));
    if (result == 0 || result == EOPNOTSUPP) result = outcome(pwrite(file, "x", 1, 0));
    if (result == 0) result = outcome(fdatasync(file));
    if (result == 0) result = outcome(ftruncate(file, 1));
    if (result == 0) result = outcome(rename(path.c_str(), other.c_str()));
    close(file);
    int directory = open(journal_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (result == 0) result = outcome(directory < 0 ? -1 : fsync(directory));
    close(directory);
    if (result == 0) result = outcome(unlink(other.c_str()));
    return result;
  };
  EXPECT_EXIT(behind_it(0, work), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(behind_it(0, work, true), testing::ExitedWithCode(0), "");
}

TEST_F(Sandbox, NoOtherFileIsReachedNotEvenFromANewThread) {
  const std::string elsewhere = root_ + "/elsewhere";
  for (bool in_thread : {false, true}) {
    EXPECT_EXIT(behind_it(
                    EACCES, [] { return open_and_close("/etc/passwd", O_RDONLY); }, in_thread),
                testing::ExitedWithCode(0), "");
    EXPECT_EXIT(behind_it(
                    EACCES, [&] { return open_and_close(elsewhere, O_WRONLY | O_CREAT); }, in_thread),
                testing::ExitedWithCode(0), "");
    EXPECT_EXIT(behind_it(
                    EACCES, [&] { return open_and_close(root_, O_RDONLY | O_DIRECTORY); }, in_thread),
                testing::ExitedWithCode(0), "");
  }
}

TEST_F(Sandbox, NoNewSocketIsMade) {
  for (int family : {AF_INET, AF_UNIX}) {
    auto attempt = [family] {
      int made = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      int result = outcome(made);
      if (made >= 0) close(made);
      return result;
    };
    EXPECT_EXIT(behind_it(EPERM, attempt), testing::ExitedWithCode(0), "");
    EXPECT_EXIT(behind_it(EPERM, attempt, true), testing::ExitedWithCode(0), "");
  }
}

TEST_F(Sandbox, SocketsThatAreOpenGoOnWorking) {
  auto attempt = [] {
    static int listener = -1, port = 0;
    if (listener < 0) {
      listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof address;
      if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 5) != 0) return errno;
      if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) return errno;
      port = address.sin_port;
    }
    static int clients[2] = {-1, -1};  // made before the sandbox is entered
    static int next = 0;
    if (clients[0] < 0) {
      for (int& client : clients) {
        client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = static_cast<in_port_t>(port);
        if (connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return errno;
      }
    }
    int taken = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (taken < 0) return errno;
    char byte = 'x';
    int result = outcome(send(clients[next++], &byte, 1, MSG_NOSIGNAL));
    if (result == 0) result = outcome(recv(taken, &byte, 1, 0));
    if (result == 0) result = outcome(shutdown(taken, SHUT_WR));
    close(taken);
    return result;
  };
  EXPECT_EXIT(behind_it(0, attempt), testing::ExitedWithCode(0), "");
}

TEST_F(Sandbox, StartingAProgramIsTheEnd) {
  auto attempt = [this] {
    if (!enter_sandbox(journal_).empty()) raise(SIGSYS);  // not offered here: nothing to show
    execl("/bin/true", "true", nullptr);
    _exit(1);
  };
  EXPECT_EXIT(attempt(), testing::KilledBySignal(SIGSYS), "");
}

}  // namespace
}  // namespace arch::capture
