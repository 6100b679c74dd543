#include "query/export/export.h"

#include <fcntl.h>
#include <minizip/zip.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "query/export/formats.h"

namespace arch::exporting {
namespace {

constexpr int kLevel = 6;  // of deflate

/// A file that is called PATH.part until it is whole.
class File {
 public:
  static Result<File> open(const std::string& path) {
    File out(path);
    out.fd_ = ::open(out.part().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (out.fd_ < 0) return fail_errno(errno, "cannot write " + out.part());
    return out;
  }
  File(File&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  File& operator=(File&&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  Result<void> write(std::string_view bytes) {
    buffer_.append(bytes);
    return buffer_.size() >= (256u << 10) ? flush() : Result<void>();
  }
  Result<void> finish() {
    ARCH_TRY_VOID(flush());
    const int fd = std::exchange(fd_, -1);
    if (::close(fd) != 0 || ::rename(part().c_str(), path_.c_str()) != 0)
      return fail_errno(errno, "cannot write " + path_);
    return {};
  }

 private:
  explicit File(std::string path) : path_(std::move(path)) {}
  std::string part() const { return path_ + ".part"; }
  Result<void> flush() {
    std::string_view left = buffer_;
    while (!left.empty()) {
      const ssize_t done = ::write(fd_, left.data(), left.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return fail_errno(errno, "cannot write " + part());
      left.remove_prefix(static_cast<size_t>(done));
    }
    buffer_.clear();
    return {};
  }
  std::string path_;
  int fd_ = -1;
  std::string buffer_;
};

/// minizip behind a wall: entries with fixed times and modes.
class Zip {
 public:
  static Result<std::unique_ptr<Zip>> open(const std::string& path) {
    std::unique_ptr<Zip> zip(new Zip(path));
    errno = 0;
    zip->file_ = ::zipOpen64((path + ".part").c_str(), APPEND_STATUS_CREATE);
    if (zip->file_ == nullptr) return zip->failed();
    ::chmod((path + ".part").c_str(), 0640);  // mail is not for everybody
    return zip;
  }
  ~Zip() {
    if (file_ != nullptr) ::zipClose(file_, nullptr);
  }
  Zip(const Zip&) = delete;
  Zip& operator=(const Zip&) = delete;

  Result<void> begin(const std::string& name, bool large) {
    zip_fileinfo info{};
    info.tmz_date.tm_year = 1980;
    info.tmz_date.tm_mday = 1;
    info.external_fa = 0100644ul << 16;
    constexpr uLong kMadeBy = (3 << 8) | 45;  // Unix, ZIP64
    constexpr uLong kUtf8Names = 1 << 11;
    errno = 0;
    if (::zipOpenNewFileInZip4_64(file_, name.c_str(), &info, nullptr, 0, nullptr, 0, nullptr, Z_DEFLATED, kLevel, 0,
                                  -MAX_WBITS, DEF_MEM_LEVEL, Z_DEFAULT_STRATEGY, nullptr, 0, kMadeBy, kUtf8Names,
                                  large ? 1 : 0) != ZIP_OK)
      return failed();
    return {};
  }
  Result<void> write(std::string_view bytes) {
    constexpr size_t kStep = 16u << 20;
    while (!bytes.empty()) {
      const size_t size = std::min(bytes.size(), kStep);
      errno = 0;
      if (::zipWriteInFileInZip(file_, bytes.data(), static_cast<unsigned>(size)) != ZIP_OK) return failed();
      bytes.remove_prefix(size);
    }
    return {};
  }
  Result<void> end() {
    errno = 0;
    return ::zipCloseFileInZip(file_) == ZIP_OK ? Result<void>() : failed();
  }
  Result<void> whole(const std::string& name, std::string_view bytes) {
    ARCH_TRY_VOID(begin(name, false));
    ARCH_TRY_VOID(write(bytes));
    return end();
  }
  Result<void> finish() {
    errno = 0;
    if (::zipClose(std::exchange(file_, nullptr), nullptr) != ZIP_OK) return failed();
    if (::rename((path_ + ".part").c_str(), path_.c_str()) != 0) return failed();
    return {};
  }

 private:
  explicit Zip(std::string path) : path_(std::move(path)) {}
  tl::unexpected<Error> failed() const {
    return errno != 0 ? fail_errno(errno, "cannot write " + path_) : fail(Code::kIo, "cannot write " + path_);
  }
  std::string path_;
  zipFile file_ = nullptr;
};

/// Calls `each` with every message that can be read, in order.
class Walk {
 public:
  Walk(const Archive& archive, const Request& request, const Progress& progress, uint64_t passes)
      : archive_(archive), request_(request), progress_(progress), total_(request.numbers.size() * passes) {}
  using Each = std::function<Result<void>(const MessageInfo& info, const std::string& bytes)>;
  Result<void> run(Outcome* outcome, const Each& each) {
    outcome->unreadable.clear();
    outcome->written = outcome->bytes = 0;
    for (uint64_t number : request_.numbers) {
      if (progress_ && !progress_(done_, total_))
        return fail(Code::kTryAgain, "stopped", "what was written so far is whole");
      ++done_;
      ARCH_TRY(MessageInfo info, archive_.info(number));
      auto bytes = archive_.get(info.digest);
      if (!bytes) {
        outcome->unreadable.push_back(bytes.error());
        continue;
      }
      ARCH_TRY_VOID(each(info, *bytes));
      ++outcome->written;
      outcome->bytes += bytes->size();
    }
    if (progress_) progress_(done_, total_);
    return {};
  }

 private:
  const Archive& archive_;
  const Request& request_;
  const Progress& progress_;
  uint64_t done_ = 0;
  const uint64_t total_;
};

Result<uint64_t> bytes_of(const Archive& archive, const Request& request) {
  uint64_t bytes = 0;
  for (uint64_t number : request.numbers) {
    ARCH_TRY(MessageInfo info, archive.info(number));
    bytes += info.size;
  }
  return bytes;
}

Result<Outcome> to_zip(const Archive& archive, const Request& request, const std::string& path,
                       const Progress& progress) {
  ARCH_TRY(std::unique_ptr<Zip> zip, Zip::open(path));
  ARCH_TRY(uint64_t bytes, bytes_of(archive, request));
  // The manifest stands first, so everything is read twice: nothing but one message is ever in memory.
  Outcome outcome;
  Walk walk(archive, request, progress, 2);
  std::string sums;
  ARCH_TRY_VOID(zip->begin("manifest.jsonl", request.numbers.size() > (1u << 20)));
  ARCH_TRY_VOID(zip->write(manifest_head(request, request.numbers.size(), bytes)));
  const Walk::Each describe_one = [&](const MessageInfo& info, const std::string& message) -> Result<void> {
    ARCH_TRY(std::string line, manifest_line(archive, request, info, message));
    sums += info.digest.hex() + "  " + path_of(info) + "\n";
    return zip->write(line);
  };
  ARCH_TRY_VOID(walk.run(&outcome, describe_one));
  ARCH_TRY_VOID(zip->end());
  ARCH_TRY_VOID(zip->whole("SHA256SUMS", sums));
  ARCH_TRY_VOID(walk.run(&outcome, [&](const MessageInfo& info, const std::string& message) {
    return zip->whole(path_of(info), message);
  }));
  ARCH_TRY_VOID(zip->whole("LISEZMOI.txt", kLisezmoi));
  ARCH_TRY_VOID(zip->whole("README.txt", kReadme));
  ARCH_TRY_VOID(zip->finish());
  return outcome;
}

}  // namespace

Result<Format> parse_format(std::string_view name) {
  for (const auto& [known, format] : {std::pair<std::string_view, Format>{"eml", Format::kEml},
                                      {"mbox", Format::kMbox},
                                      {"zip", Format::kZip},
                                      {"jsonl", Format::kJsonLines}})
    if (known == name) return format;
  return fail(Code::kUsage, "\"" + std::string(name) + "\" is no format", "write eml, mbox, zip or jsonl");
}

Result<Outcome> to_stream(const Archive& archive, const Request& request, const Write& write,
                          const Progress& progress) {
  Outcome outcome;
  Walk walk(archive, request, progress, 1);
  if (request.format == Format::kJsonLines) {
    ARCH_TRY(uint64_t bytes, bytes_of(archive, request));
    ARCH_TRY_VOID(write(manifest_head(request, request.numbers.size(), bytes)));
  }
  const Walk::Each one = [&](const MessageInfo& info, const std::string& bytes) -> Result<void> {
    if (request.format == Format::kJsonLines) {
      ARCH_TRY(std::string line, manifest_line(archive, request, info, bytes));
      return write(line);
    }
    ARCH_TRY_VOID(write(separator(archive, info)));
    return write(mboxrd(bytes));
  };
  ARCH_TRY_VOID(walk.run(&outcome, one));
  return outcome;
}

Result<Outcome> to_file(const Archive& archive, const Request& request, const std::string& path,
                        const Progress& progress) {
  if (request.format == Format::kZip) return to_zip(archive, request, path, progress);
  ARCH_TRY(File file, File::open(path));
  ARCH_TRY(Outcome outcome,
           to_stream(
               archive, request, [&](std::string_view bytes) { return file.write(bytes); }, progress));
  ARCH_TRY_VOID(file.finish());
  return outcome;
}

Result<Outcome> to_directory(const Archive& archive, const Request& request, const std::string& directory,
                             const Progress& progress) {
  Outcome outcome;
  Walk walk(archive, request, progress, 1);
  const Walk::Each one = [&](const MessageInfo& info, const std::string& bytes) -> Result<void> {
    ARCH_TRY(File file, File::open(directory + "/" + eml_name(info)));
    ARCH_TRY_VOID(file.write(bytes));
    return file.finish();
  };
  ARCH_TRY_VOID(walk.run(&outcome, one));
  return outcome;
}

}  // namespace arch::exporting
