// What came out of a document: shared by the readers and by those who only ask a worker for it.
#include <algorithm>

#include "query/document/document.h"

namespace arch::document {

std::string_view status_name(Status status) {
  switch (status) {
    case Status::kRead:
      return "read";
    case Status::kNoText:
      return "no_text";
    case Status::kEncrypted:
      return "encrypted";
    case Status::kBroken:
      return "broken";
    case Status::kOverLimit:
      return "over_limit";
    case Status::kUnknownFormat:
      return "unknown_format";
    case Status::kCrashed:
      return "crashed";
  }
  return "unknown_format";
}

std::string DocumentText::all_text() const {
  std::string out = text;
  for (const Member& member : members) {
    if (!out.empty() && out.back() != '\n') out += '\n';
    out += member.name;
    out += '\n';
    out += member.text;
  }
  return out;
}

bool DocumentText::unread() const {
  const auto open = [](Status one) { return one != Status::kRead && one != Status::kNoText; };
  return open(status) || std::any_of(members.begin(), members.end(), [&](const Member& m) { return open(m.status); });
}

}  // namespace arch::document
