// What `type:` and `has:pdf` find an attachment by: its media type, the ending of its name, and the kind of both. One place for
// what is written into the index and what is asked.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace arch::index {

/// "application/pdf", "application", "pdf": media type, both halves, ending and kind, folded, each once. `each` may be called with
/// views that end with the call. Pure; any thread.
void type_terms(std::string_view media_type, std::string_view filename,
                const std::function<void(std::string_view)>& each);

}  // namespace arch::index
