// What poppler is warmed up with, before a worker seals itself.
#pragma once

#include <string>

namespace arch::extract_worker {

/// A page of one word, with the table that poppler would else have to mend.
std::string small_pdf();

}  // namespace arch::extract_worker
