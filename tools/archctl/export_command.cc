// archctl export: messages back to files. eml is exact; mbox is mboxrd and is not (docs: contracts of the export).
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "query/search/search.h"
#include "tools/archctl/access.h"
#include "tools/common/stop.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

/// An output file that is called NAME.part until it is whole. Descriptor 1 when `path` is empty.
class Output {
 public:
  static Result<Output> open(const std::string& path) {
    Output out;
    out.path_ = path;
    if (path.empty()) {
      out.fd_ = STDOUT_FILENO;
      return out;
    }
    out.fd_ = ::open((path + ".part").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (out.fd_ < 0) return fail_errno(errno, "cannot write " + path + ".part");
    return out;
  }
  Output(Output&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  Output& operator=(Output&&) = delete;
  ~Output() {
    if (fd_ > STDOUT_FILENO) ::close(fd_);
  }

  Result<void> write(std::string_view bytes) {
    buffer_.append(bytes);
    return buffer_.size() >= (256u << 10) ? flush() : Result<void>();
  }
  Result<void> finish() {
    ARCH_TRY_VOID(flush());
    if (fd_ == STDOUT_FILENO) return {};
    int fd = std::exchange(fd_, -1);
    if (::close(fd) != 0 || ::rename((path_ + ".part").c_str(), path_.c_str()) != 0)
      return fail_errno(errno, "cannot write " + path_);
    return {};
  }

 private:
  Output() = default;
  Result<void> flush() {
    std::string_view left = buffer_;
    while (!left.empty()) {
      ssize_t done = ::write(fd_, left.data(), left.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return fail_errno(errno, path_.empty() ? "stdout" : "cannot write " + path_);
      left.remove_prefix(static_cast<size_t>(done));
    }
    buffer_.clear();
    return {};
  }
  std::string path_;
  int fd_ = -1;
  std::string buffer_;
};

struct CivilTime {
  int64_t year;
  unsigned month, day, hour, minute, second, weekday;  // weekday 0: Sunday
};
CivilTime civil(UnixNs time) {
  int64_t seconds = time >= 0 ? time / kNsPerSecond : -((-time + kNsPerSecond - 1) / kNsPerSecond);
  int64_t days = seconds >= 0 ? seconds / 86'400 : -((-seconds + 86'399) / 86'400);
  auto rest = static_cast<unsigned>(seconds - days * 86'400);
  CivilTime out{};
  civil_from_days(days, &out.year, &out.month, &out.day);
  out.hour = rest / 3600;
  out.minute = rest / 60 % 60;
  out.second = rest % 60;
  out.weekday = static_cast<unsigned>(((days + 4) % 7 + 7) % 7);
  return out;
}

/// 2024-03-15T101112Z_3f2a9c0d11e4b7a6.eml
std::string eml_name(const MessageInfo& info) {
  std::string date = format_rfc3339(info.date);
  std::string compact;
  for (char c : date)
    if (c != ':') compact += c;
  return compact + "_" + info.digest.hex().substr(0, 16) + ".eml";
}

std::string separator(const Archive& archive, const MessageInfo& info) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::string sender = "MAILER-DAEMON";
  if (!info.deliveries.empty()) {
    auto delivery = archive.delivery(info.deliveries.front());
    if (delivery && !delivery->delivery.mail_from.empty()) sender = delivery->delivery.mail_from;
  }
  for (char& c : sender)
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) c = '_';
  CivilTime t = civil(info.received != 0 ? info.received : info.captured);
  char date[64];
  std::snprintf(date, sizeof date, "%s %s %2u %02u:%02u:%02u %04lld", kDays[t.weekday], kMonths[(t.month - 1) % 12],
                t.day, t.hour, t.minute, t.second, static_cast<long long>(t.year));
  return "From " + sender + " " + date + "\n";
}

/// CRLF to LF, one more ">" before ^>*From , a final line end and an empty line.
std::string mboxrd(std::string_view message) {
  std::string out;
  out.reserve(message.size() + message.size() / 50 + 16);
  while (!message.empty()) {
    size_t end = message.find('\n');
    std::string_view line = message.substr(0, end);
    message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
    if (end != std::string_view::npos && !line.empty() && line.back() == '\r') line.remove_suffix(1);
    size_t quotes = line.find_first_not_of('>');
    if (quotes != std::string_view::npos && line.substr(quotes, 5) == "From ") out += '>';
    out.append(line);
    out += '\n';
  }
  return out + "\n";
}

class Exporter {
 public:
  Exporter(const Archive& archive, std::string directory, Output* mbox)
      : archive_(archive), directory_(std::move(directory)), mbox_(mbox) {}

  /// Errors: of the output. A message that cannot be read is told and counted.
  Result<void> one(const MessageInfo& info) {
    if (tool::stop_requested()) return fail(Code::kTryAgain, "stopped", "what was written so far is whole");
    auto bytes = archive_.get(info.digest);
    if (!bytes) {
      complain(bytes.error());
      ++damaged_;
      return {};
    }
    ++written_;
    if (mbox_ != nullptr) {
      ARCH_TRY_VOID(mbox_->write(separator(archive_, info)));
      return mbox_->write(mboxrd(*bytes));
    }
    ARCH_TRY(Output out, Output::open(directory_ + "/" + eml_name(info)));
    ARCH_TRY_VOID(out.write(*bytes));
    return out.finish();
  }
  uint64_t written() const { return written_; }
  uint64_t damaged() const { return damaged_; }

 private:
  const Archive& archive_;
  const std::string directory_;
  Output* mbox_;
  uint64_t written_ = 0, damaged_ = 0;
};

/// Numbers of the messages wanted, in the order of their arrival.
Result<std::vector<uint64_t>> wanted(const Archive& archive, const Invocation& invocation) {
  std::vector<uint64_t> numbers;
  if (invocation.has("all")) {
    ARCH_TRY_VOID(archive.for_each_message(1, [&](const MessageInfo& info) {
      numbers.push_back(info.number);
      return true;
    }));
    return numbers;
  }
  const std::unique_ptr<Asked> asked = asked_by(invocation);
  search::Request& request = asked->request;
  request.order = search::Order::kOldest;
  ARCH_TRY(auto searcher, search::Searcher::open(archive));
  ARCH_TRY(numbers, searcher->numbers(request, false));
  if (!numbers.empty() && numbers.front() > numbers.back()) std::reverse(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

int run_export(const Invocation& invocation) {
  const std::string format = invocation.value("format", "eml"), output = invocation.value("output");
  if (format != "eml" && format != "mbox")
    return usage_error("--format is eml or mbox, not \"" + format + "\"", "export");
  if (format == "eml" && output.empty()) return usage_error("--output DIR is wanted for eml", "export");
  if (invocation.has("all") != invocation.arguments.empty())
    return usage_error(invocation.has("all") ? "a query and --all exclude each other"
                                             : "a query, or --all for everything, is wanted",
                       "export");

  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  auto numbers = wanted(**archive, invocation);
  if (!numbers) {
    int status = complain(numbers.error());
    return numbers.error().code == Code::kInvalid ? EX_USAGE : status;
  }
  if (numbers->empty()) {
    if (!invocation.has("quiet")) std::fprintf(stderr, "archctl: nothing found\n");
    return 1;
  }

  std::unique_ptr<Output> mbox;
  if (format == "mbox") {
    auto opened = Output::open(output);
    if (!opened) {
      complain(opened.error());
      return EX_CANTCREAT;
    }
    mbox = std::make_unique<Output>(std::move(*opened));
  } else if (::mkdir(output.c_str(), 0750) != 0 && errno != EEXIST) {
    complain(std::move(fail_errno(errno, "cannot make " + output)).value());
    return EX_CANTCREAT;
  }

  tool::ProgressLine line;
  Exporter exporter(**archive, output, mbox.get());
  Result<void> result;
  for (size_t i = 0; result && i < numbers->size(); ++i) {
    auto info = (*archive)->info((*numbers)[i]);
    result = info ? exporter.one(*info) : Result<void>(tl::unexpected<Error>(info.error()));
    if (!invocation.has("quiet")) line.update("exporting", i + 1, numbers->size(), false);
  }
  if (result && mbox) result = mbox->finish();
  line.clear();
  if (!invocation.has("quiet"))
    std::fprintf(stderr, "%s messages exported%s%s\n", tool::count_text(exporter.written()).c_str(),
                 output.empty() ? "" : " to ", output.c_str());
  if (!result) {
    int status = complain(result.error());
    return tool::stop_signal() != 0 ? 128 + tool::stop_signal() : status;
  }
  return exporter.damaged() == 0 ? 0 : EX_DATAERR;
}

}  // namespace arch::ctl
