// arch-ocr: reads pictures and scans for its parent (query/document/pool.h) and can do nothing else. Not for people: archctl extract --ocr
// is.
#include <malloc.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tools/arch-extract/worker.h"
#include "tools/arch-ocr/ocr.h"

namespace {

// OpenMP reads this before main(): a sealed process may have no second thread.
void have_one_thread(char** argv) {
  const char* limit = getenv("OMP_THREAD_LIMIT");
  if (limit != nullptr && std::strcmp(limit, "1") == 0) return;
  setenv("OMP_THREAD_LIMIT", "1", 1);
  execv("/proc/self/exe", argv);
}

// "fra+eng": of those wanted, those that are installed; `missing` gets the others.
std::string present(const std::string& wanted, std::vector<std::string>* missing) {
  const std::vector<std::string> installed = arch::ocr::installed_languages();
  std::string out;
  for (size_t at = 0; at < wanted.size();) {
    const size_t end = std::min(wanted.find('+', at), wanted.size());
    const std::string one = wanted.substr(at, end - at);
    at = end + 1;
    if (std::find(installed.begin(), installed.end(), one) == installed.end())
      missing->push_back(one);
    else
      out += (out.empty() ? "" : "+") + one;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  have_one_thread(argv);
  arch::extract_worker::Options options;
  std::string wanted = "eng";
  bool ask = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--memory-bytes=", 15) == 0) {
      options.memory_bytes = std::strtoull(argv[i] + 15, nullptr, 10);
    } else if (std::strncmp(argv[i], "--languages=", 12) == 0) {
      wanted = argv[i] + 12;
    } else if (std::strcmp(argv[i], "--background") == 0) {
      options.background = true;
    } else if (std::strcmp(argv[i], "--missing") == 0) {
      ask = true;
    } else {
      std::fprintf(
          stderr,
          "Usage: arch-ocr [--memory-bytes=N] [--languages=fra+eng] [--background] [--missing]\n"
          "Reads pictures and scans that its parent hands it over standard input and answers on standard output.\n"
          "--background leaves the processor to everybody else.\n"
          "--missing names the languages that are not installed, one a line, and does nothing else.\n"
          "archctl extract --ocr FILE shows what it makes of a file.\n");
      return std::strcmp(argv[i], "--help") == 0 ? 0 : EX_USAGE;
    }
  }
  std::FILE* const told = fdopen(dup(STDERR_FILENO), "w");
  if (std::freopen("/dev/null", "w", stderr) == nullptr) return EX_OSERR;  // tesseract and leptonica print
  std::vector<std::string> missing;
  const std::string languages = present(wanted, &missing);
  if (ask) {
    for (const std::string& one : missing) std::printf("%s\n", one.c_str());
    return 0;
  }
  // As in arch-extract: buffers that come and go with each document.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  arch::ocr::Reader reader;
  if (languages.empty() || !reader.load(languages)) {
    if (told != nullptr) std::fprintf(told, "arch-ocr: tesseract's data is missing or no good: %s\n", wanted.c_str());
    return EX_UNAVAILABLE;
  }
  options.warm_up = [&reader] { reader.warm_up(); };
  options.version = reader.version();
  options.read = [&reader](std::span<const std::byte> bytes, const arch::document::Hint&,
                           const arch::document::Limits& limits) { return reader.read(bytes, limits); };
  return arch::extract_worker::run_worker(options);
}
