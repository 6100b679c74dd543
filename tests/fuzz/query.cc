// The query language: a query is read or refused at a column; what it was read as, read again, is the same query.
#include <cstdint>
#include <cstdlib>

#include "query/language/query.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const arch::query::ParseContext context{1'764'000'000 * arch::kNsPerSecond, "UTC"};
  auto query = arch::query::parse({reinterpret_cast<const char*>(data), size}, context);
  if (!query) {
    if (query.error().what.empty()) std::abort();
    return 0;
  }
  auto again = arch::query::parse(query->interpreted, context);
  // What is written out in full may be longer than a query may be.
  if (again && again->interpreted != query->interpreted) std::abort();
  return 0;
}
