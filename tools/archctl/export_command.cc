// archctl export: messages back to files (query/export).
#include <pwd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "query/export/export.h"
#include "tools/archctl/access.h"
#include "tools/common/stop.h"
#include "tools/common/terminal.h"
#include "tools/common/text.h"

namespace arch::ctl {
namespace {

/// The messages wanted, in the order of their arrival.
Result<void> find_wanted(const Archive& archive, const Invocation& invocation, exporting::Request* request) {
  if (invocation.has("all")) {
    ARCH_TRY_VOID(archive.for_each_message(1, [&](const MessageInfo& info) {
      request->numbers.push_back(info.number);
      return true;
    }));
    ARCH_TRY(ArchiveStatus status, archive.status());
    request->as_of = status.last_sequence;
    return {};
  }
  Asked asked = asked_by(invocation);
  ARCH_TRY(asked.request.as_of, invocation.number("as-of", 0, 1, UINT64_MAX));
  ARCH_TRY(auto searcher, search::Searcher::open(archive));
  ARCH_TRY(request->numbers, searcher->numbers(asked.request, false));
  std::sort(request->numbers.begin(), request->numbers.end());
  request->query = asked.request.query;
  request->interpreted = searcher->interpreted();
  request->as_of = searcher->as_of();
  return {};
}

/// Who, when and why stands beside the file, not in it, so that the same query gives the same file.
Result<void> write_receipt(const std::string& path, const Invocation& invocation, const exporting::Request& request,
                           const exporting::Outcome& outcome) {
  Sha256 sum;
  ARCH_TRY(auto file, Fs::real().open_read(path));
  std::string buffer(1u << 20, '\0');
  for (uint64_t offset = 0;;) {
    ARCH_TRY(size_t got, file->pread(offset, buffer.data(), buffer.size()));
    if (got == 0) break;
    sum.update(as_bytes(std::string_view(buffer).substr(0, got)));
    offset += got;
  }
  const passwd* user = ::getpwuid(::getuid());
  const nlohmann::ordered_json receipt = {{"schema", "export-receipt/1"},
                                          {"file", path.substr(path.rfind('/') + 1)},
                                          {"sha256", sum.finish().hex()},
                                          {"made", format_rfc3339(Clock::system().now())},
                                          {"by", user != nullptr ? user->pw_name : std::to_string(::getuid())},
                                          {"reason", invocation.value("reason")},
                                          {"query", request.query},
                                          {"interpreted", request.interpreted},
                                          {"as_of", request.as_of},
                                          {"messages", outcome.written},
                                          {"bytes", outcome.bytes},
                                          {"unreadable", outcome.unreadable.size()}};
  return replace_file(path + ".receipt.json",
                      receipt.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

Result<void> to_stdout(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) return fail_errno(errno, "stdout");
  return {};
}

}  // namespace

int run_export(const Invocation& invocation) {
  const std::string output = invocation.value("output");
  auto format = exporting::parse_format(invocation.value("format", "eml"));
  if (!format) return usage_error("--format: " + describe(format.error()), "export");
  const bool one_file = *format != exporting::Format::kEml;
  if (output.empty() && (*format == exporting::Format::kEml || *format == exporting::Format::kZip))
    return usage_error("--output is wanted for this format", "export");
  if (invocation.has("with-text") && *format != exporting::Format::kJsonLines)
    return usage_error("--with-text goes with --format=jsonl", "export");
  if (invocation.has("all") != invocation.arguments.empty())
    return usage_error(invocation.has("all") ? "a query and --all exclude each other"
                                             : "a query, or --all for everything, is wanted",
                       "export");

  auto archive = open_reader(invocation);
  if (!archive) return complain(archive.error());
  exporting::Request request;
  request.format = *format;
  request.with_text = invocation.has("with-text");
  request.with_envelope = !invocation.has("without-envelope");
  if (auto found = find_wanted(**archive, invocation, &request); !found) {
    int status = complain(found.error());
    return found.error().code == Code::kInvalid ? EX_USAGE : status;
  }
  if (request.numbers.empty()) {
    if (!invocation.has("quiet")) std::fprintf(stderr, "archctl: nothing found\n");
    return 1;
  }
  if (!one_file && ::mkdir(output.c_str(), 0750) != 0 && errno != EEXIST) {
    complain(std::move(fail_errno(errno, "cannot make " + output)).value());
    return EX_CANTCREAT;
  }

  tool::ProgressLine line;
  const exporting::Progress progress = [&](uint64_t done, uint64_t total) {
    if (!invocation.has("quiet")) line.update("exporting", done, total, false);
    return !tool::stop_requested();
  };
  auto outcome = !one_file         ? exporting::to_directory(**archive, request, output, progress)
                 : !output.empty() ? exporting::to_file(**archive, request, output, progress)
                                   : exporting::to_stream(**archive, request, to_stdout, progress);
  line.clear();
  if (outcome && one_file && !output.empty())
    if (auto receipt = write_receipt(output, invocation, request, *outcome); !receipt)
      outcome = tl::unexpected<Error>(receipt.error());
  if (!outcome) {
    int status = complain(outcome.error());
    if (tool::stop_signal() != 0) return 128 + tool::stop_signal();
    return outcome.error().code == Code::kNotFound || outcome.error().code == Code::kDenied ? EX_CANTCREAT : status;
  }
  for (const Error& error : outcome->unreadable) complain(error);
  if (!invocation.has("quiet"))
    std::fprintf(stderr, "%s messages exported%s%s\n", tool::count_text(outcome->written).c_str(),
                 output.empty() ? "" : " to ", output.c_str());
  return outcome->unreadable.empty() ? 0 : EX_DATAERR;
}

}  // namespace arch::ctl
