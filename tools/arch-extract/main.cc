// arch-extract: reads documents for its parent (query/document/pool.h) and can do nothing else. Not for people: archctl extract is.
#include <malloc.h>
#include <sysexits.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tools/arch-extract/data_files.h"
#include "tools/arch-extract/warm_up.h"
#include "tools/arch-extract/worker.h"

int main(int argc, char** argv) {
  arch::extract_worker::Options options;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--memory-bytes=", 15) == 0) {
      options.memory_bytes = std::strtoull(argv[i] + 15, nullptr, 10);
    } else if (std::strcmp(argv[i], "--background") == 0) {
      options.background = true;
    } else {
      std::fprintf(stderr,
                   "Usage: arch-extract [--memory-bytes=N] [--background]\n"
                   "Reads documents that its parent hands it over standard input and answers on standard output.\n"
                   "--background leaves the processor to everybody else.\n"
                   "archctl extract FILE shows what it makes of a file.\n");
      return std::strcmp(argv[i], "--help") == 0 ? 0 : EX_USAGE;
    }
  }
  // Buffers of a few MB come and go with each document: kept by the allocator, they do not cost their pages each time. What a worker may
  // have at all is bounded by RLIMIT_AS.
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  options.warm_up = arch::extract_worker::warm_up;
  options.sealed = arch::extract_worker::serve_data_files_only;
  options.read = arch::document::read_document;
  options.version = arch::document::readers_version();
  return arch::extract_worker::run_worker(options);
}
