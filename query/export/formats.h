// The forms that one message takes. Internal to query/export.
#pragma once

#include <string>
#include <string_view>

#include "query/export/export.h"

namespace arch::exporting {

/// "From SENDER DATE": the envelope's sender, when it was received.
std::string separator(const Archive& archive, const MessageInfo& info);
/// CRLF to LF, one more ">" before ^>*From , a final line end and an empty line.
std::string mboxrd(std::string_view message);

/// messages/2024/03/NAME.eml
std::string path_of(const MessageInfo& info);
/// First line of the manifest: what it is a manifest of.
std::string manifest_head(const Request& request, uint64_t count, uint64_t bytes);
/// One message's line; keys sorted. `bytes` are the message's.
Result<std::string> manifest_line(const Archive& archive, const Request& request, const MessageInfo& info,
                                  std::string_view bytes);

extern const std::string_view kReadme, kLisezmoi;

}  // namespace arch::exporting
