// archctl extract: what a search would see of a file, and why, without an archive. Read by a sealed worker as in the engine.
#include <sys/stat.h>
#include <sysexits.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "query/document/pool.h"
#include "tools/archctl/command.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"
#include "tools/config/documents.h"

namespace arch::ctl {

namespace {

// Whole, or cut one byte above the limit, which then says so.
Result<std::string> content_of(const std::string& path, uint64_t most) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return fail_errno(errno, path);
  std::string content;
  // Of a file whose size is known in one piece: most are small, and a large buffer costs more than reading them.
  struct stat info {};
  size_t chunk = 64u << 10;
  if (::fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode))
    chunk = static_cast<size_t>(std::min<uint64_t>(static_cast<uint64_t>(info.st_size) + 1, most + 1));
  while (content.size() <= most) {
    const size_t used = content.size();
    content.resize(used + chunk);
    const size_t got = std::fread(content.data() + used, 1, chunk, file);
    content.resize(used + got);
    if (got < chunk) break;
  }
  const int error = std::ferror(file) != 0 ? errno : 0;
  if (file != stdin) std::fclose(file);
  if (error != 0) return fail_errno(error, path);
  return content;
}

// Each line by itself: printable() makes one line of all.
void print_text(std::string_view text, const char* indent) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string line = tool::printable(text.substr(0, end));
    if (line.find_first_not_of(' ') != std::string::npos) std::printf("%s%s\n", indent, line.c_str());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string status_text(document::Status status, const std::string& why) {
  std::string out(document::status_name(status));
  for (char& c : out)
    if (c == '_') c = ' ';
  return why.empty() ? out : out + ": " + tool::printable(why);
}

void print(const std::string& path, uint64_t bytes, const document::DocumentText& read) {
  const tool::Terminal terminal = tool::Terminal::of(stdout);
  std::printf("%s\n", tool::paint(terminal, tool::Style::kBold, tool::printable(path)).c_str());
  std::printf("  %s, %s, by %s %s\n", tool::printable(read.media_type).c_str(), tool::size_text(bytes).c_str(),
              tool::printable(read.tool).c_str(), tool::printable(read.version).c_str());
  std::printf("  %s; %s of text\n", status_text(read.status, read.why).c_str(),
              tool::size_text(read.text.size()).c_str());
  print_text(read.text, "  | ");
  for (const document::Member& member : read.members) {
    std::printf("  %s\n", tool::paint(terminal, tool::Style::kBold, tool::printable(member.name)).c_str());
    std::printf("    %s%s%s\n", tool::printable(member.media_type).c_str(), member.media_type.empty() ? "" : ", ",
                status_text(member.status, member.why).c_str());
    print_text(member.text, "    | ");
  }
}

nlohmann::ordered_json json_of(const std::string& path, uint64_t bytes, const document::DocumentText& read) {
  nlohmann::ordered_json members = nlohmann::ordered_json::array();
  for (const document::Member& member : read.members)
    members.push_back({{"name", member.name},
                       {"depth", member.depth},
                       {"media_type", member.media_type},
                       {"status", document::status_name(member.status)},
                       {"why", member.why},
                       {"text", member.text}});
  return {{"schema", "extract/1"},
          {"file", path},
          {"bytes", bytes},
          {"media_type", read.media_type},
          {"status", document::status_name(read.status)},
          {"why", read.why},
          {"tool", read.tool},
          {"version", read.version},
          {"text", read.text},
          {"members", members}};
}

Result<std::unique_ptr<document::Pool>> start(document::Pool::Options options) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  options.require_sandbox = false;
#endif
  return document::Pool::start(std::move(options));
}

}  // namespace

int run_extract(const Invocation& invocation) {
  document::Pool::Options options = config::document_readers(invocation.config, false);
  const uint64_t most = options.limits.document_bytes;
  auto pool = start(std::move(options));
  std::unique_ptr<document::Pool> ocr;
  if (!pool) {
    const int status = complain(pool.error());
    return pool.error().code == Code::kNotFound ? EX_UNAVAILABLE : status;
  }
  if (!(*pool)->sandbox_gaps().empty() && !invocation.has("quiet"))
    std::fprintf(stderr, "archctl: the sandbox of the reader has gaps here: %s\n",
                 tool::printable((*pool)->sandbox_gaps()).c_str());
  int status = 0;
  bool unread = false;
  for (const std::string& path : invocation.arguments) {
    auto content = content_of(path, most);
    if (!content) {
      status = complain(content.error());
      continue;
    }
    document::Hint hint;
    hint.filename = invocation.value("name", path == "-" ? "" : path.substr(path.rfind('/') + 1));
    hint.media_type = invocation.value("type");
    hint.charset = invocation.value("charset");
    auto read = (*pool)->read(std::as_bytes(std::span(*content)), hint);
    if (!read) return complain(read.error());
    if (read->for_ocr && invocation.has("ocr")) {
      if (!ocr) {
        if (const std::string problem = config::ocr_problem(invocation.config); !problem.empty())
          std::fprintf(stderr, "archctl: %s\n", tool::printable(problem).c_str());
        auto started = start(config::ocr_readers(invocation.config, false));
        if (!started) {
          complain(started.error());
          return EX_UNAVAILABLE;
        }
        ocr = std::move(*started);
      }
      auto seen = ocr->read(std::as_bytes(std::span(*content)), hint);
      if (!seen) return complain(seen.error());
      seen->media_type = std::move(read->media_type);
      seen->members = std::move(read->members);
      read = std::move(seen);
    }
    unread = unread || read->unread();
    if (invocation.has("json"))
      std::printf("%s\n", json_of(path, content->size(), *read)
                              .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                              .c_str());
    else
      print(path, content->size(), *read);
  }
  return status != 0 ? status : unread ? EX_DATAERR : 0;
}

}  // namespace arch::ctl
