#include "ingest/import/mbox.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ingest/import/looks.h"

namespace arch::import {
namespace {

constexpr size_t kChunk = 256u << 10;
constexpr size_t kSeparatorBytes = 1000;
constexpr size_t kLookAhead = 4u << 10;  // a separator (kSeparatorBytes) and the beginning of the line behind it

class Reader {
 public:
  Reader(const ReadSome& read, const MboxOptions& options, const std::function<Result<void>(MboxMessage)>& each,
         const std::function<void(uint64_t)>& progress)
      : read_(read), options_(options), each_(each), progress_(progress) {}

  Result<void> run() {
    ARCH_TRY_VOID(fill(kLookAhead));
    if (left().empty()) return {};
    ARCH_TRY_VOID(begin_message());
    for (;;) {
      ARCH_TRY_VOID(fill(kLookAhead));
      if (left().empty()) break;
      ARCH_TRY_VOID(advance());
    }
    return finish_message();
  }

 private:
  std::string_view left() const { return std::string_view(buffer_).substr(position_); }

  /// Makes at least `wanted` bytes available unless the file ends before.
  Result<void> fill(size_t wanted) {
    while (!at_end_ && buffer_.size() - position_ < wanted) {
      buffer_.erase(0, position_);
      position_ = 0;
      size_t old = buffer_.size();
      buffer_.resize(old + kChunk);
      auto got = read_(buffer_.data() + old, kChunk);
      buffer_.resize(old + (got ? *got : 0));
      if (!got) return tl::unexpected<Error>(std::move(got).error());
      if (*got == 0) at_end_ = true;
      consumed_ += *got;
    }
    return {};
  }

  /// The buffer stands at a separator: takes it.
  Result<void> begin_message() {
    current_ = MboxMessage{};
    current_.offset = offset();
    std::string_view line = left().substr(0, left().find('\n'));
    if (line.size() > kSeparatorBytes)
      line = {};  // the first line of a file that is no mbox: all of it is the message
    size_t size = line.empty() ? 0 : std::min(line.size() + 1, left().size());
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    current_.separator = line;
    position_ += size;
    // The separator's own line end is no empty line: a "From " line directly behind it needs a header field to follow.
    tail_ = "x\n";
    return {};
  }

  /// Takes what can be told without more input: up to the next line that begins with "From ", or all but a tail that may
  /// be the beginning of one.
  Result<void> advance() {
    std::string_view text = left();
    if (at_line_start() && text.substr(0, 5) == "From " && is_separator()) {
      ARCH_TRY_VOID(finish_message());
      return begin_message();
    }
    const void* found = memmem(text.data(), text.size(), "\nFrom ", 6);
    if (found != nullptr) {
      take(static_cast<size_t>(static_cast<const char*>(found) - text.data()) + 1);
    } else {
      take(at_end_ ? text.size() : text.size() - 5);  // "\nFrom" may be cut by the end of the buffer
    }
    return {};
  }

  /// The buffer stands at a line that begins with "From ".
  bool is_separator() const {
    std::string_view text = left();
    size_t end = text.find('\n');
    if (classify_from_line(text.substr(0, end)) == FromLine::kNo) return false;
    if (after_empty_line()) return true;
    if (end == std::string_view::npos) return false;
    std::string_view next = text.substr(end + 1);
    return is_header_field(next.substr(0, next.find('\n')));
  }

  void take(size_t size) {
    std::string_view bytes = left().substr(0, size);
    current_.size += bytes.size();
    if (current_.size <= options_.message_bytes) {
      current_.message.append(bytes);
    } else {
      std::string().swap(current_.message);
    }
    tail_.append(bytes.substr(bytes.size() > 4 ? bytes.size() - 4 : 0));
    if (tail_.size() > 4) tail_.erase(0, tail_.size() - 4);
    position_ += size;
  }

  bool at_line_start() const { return !tail_.empty() && tail_.back() == '\n'; }
  bool after_empty_line() const {
    auto ends = [this](std::string_view end) {
      return tail_.size() >= end.size() && std::string_view(tail_).substr(tail_.size() - end.size()) == end;
    };
    return ends("\n\n") || ends("\n\r\n");
  }
  uint64_t offset() const { return consumed_ - (buffer_.size() - position_); }

  Result<void> finish_message() {
    if (options_.mboxrd) unquote_mboxrd(&current_.message);
    ARCH_TRY_VOID(each_(std::move(current_)));
    progress_(offset());
    return {};
  }

  const ReadSome& read_;
  const MboxOptions& options_;
  const std::function<Result<void>(MboxMessage)>& each_;
  const std::function<void(uint64_t)>& progress_;

  std::string buffer_;
  size_t position_ = 0;    // of what is not taken yet
  uint64_t consumed_ = 0;  // bytes read from the file
  bool at_end_ = false;
  std::string tail_;  // last 4 bytes taken
  MboxMessage current_;
};

}  // namespace

Result<void> read_mbox(const ReadSome& read, const MboxOptions& options,
                       const std::function<Result<void>(MboxMessage)>& each,
                       const std::function<void(uint64_t)>& progress) {
  return Reader(read, options, each, progress).run();
}

void unquote_mboxrd(std::string* message) {
  std::string& text = *message;
  size_t write = 0;
  for (size_t read = 0; read < text.size();) {
    size_t end = text.find('\n', read);
    end = end == std::string::npos ? text.size() : end + 1;
    size_t quotes = read;
    while (quotes < end && text[quotes] == '>') ++quotes;
    if (quotes > read && text.compare(quotes, 5, "From ") == 0) ++read;
    std::memmove(text.data() + write, text.data() + read, end - read);
    write += end - read;
    read = end;
  }
  text.resize(write);
}

}  // namespace arch::import
