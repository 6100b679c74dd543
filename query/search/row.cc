#include "query/search/row.h"

#include <algorithm>

#include "query/text/analyser.h"

namespace arch::search {
namespace {

using query::Node;

// Media types by their beginning, endings of file names in full: senders that know no type write application/octet-stream.
struct Group {
  std::string_view name;
  std::vector<std::string_view> types, endings;
};

const std::vector<Group>& groups() {
  static const std::vector<Group> all = {
      {"pdf", {"application/pdf"}, {"pdf"}},
      {"image", {"image/"}, {"png", "jpg", "jpeg", "gif", "tif", "tiff", "bmp", "webp", "heic", "svg"}},
      {"office",
       {"application/msword", "application/rtf", "text/rtf", "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint", "application/vnd.ms-word", "application/vnd.openxmlformats-officedocument.",
        "application/vnd.oasis.opendocument."},
       {"doc", "docx", "docm", "rtf", "xls", "xlsx", "xlsm", "ppt", "pptx", "pptm", "odt", "ods", "odp"}},
      {"archive",
       {"application/zip", "application/x-zip", "application/x-7z", "application/x-rar", "application/vnd.rar",
        "application/gzip", "application/x-gzip", "application/x-tar", "application/x-bzip", "application/x-xz",
        "application/zstd"},
       {"zip", "7z", "rar", "gz", "tgz", "tar", "bz2", "xz", "zst"}},
      {"calendar", {"text/calendar", "application/ics"}, {"ics"}},
  };
  return all;
}

bool type_matches(std::string_view wanted, const MessageInfo::Attachment& attachment) {
  const std::string type = text::fold(attachment.media_type);
  if (wanted.find('/') != std::string_view::npos) return type == wanted;
  const std::string name = text::fold(attachment.filename);
  const size_t dot = name.rfind('.');
  const std::string_view ending =
      dot == std::string::npos ? std::string_view() : std::string_view(name).substr(dot + 1);
  for (const Group& group : groups()) {
    if (group.name != wanted) continue;
    return std::find(group.endings.begin(), group.endings.end(), ending) != group.endings.end() ||
           std::any_of(group.types.begin(), group.types.end(),
                       [&](std::string_view begin) { return type.compare(0, begin.size(), begin) == 0; });
  }
  const size_t slash = type.find('/');
  return ending == wanted || type.substr(0, slash) == wanted ||
         (slash != std::string::npos && std::string_view(type).substr(slash + 1) == wanted);
}

int64_t seconds(UnixNs time) { return time / kNsPerSecond - (time % kNsPerSecond < 0 ? 1 : 0); }

}  // namespace

bool row_matches(const Node& condition, const MessageInfo& message) {
  auto within = [&](uint64_t value) { return value >= condition.from && value < condition.to; };
  switch (condition.kind) {
    case Node::Kind::kRange:
      if (condition.field == "size") return within(message.size);
      return std::any_of(message.deliveries.begin(), message.deliveries.end(), within);
    case Node::Kind::kIn:
      return condition.text == "bounce" ? message.bounce : condition.text == direction_name(message.direction);
    case Node::Kind::kType:
      return std::any_of(message.attachments.begin(), message.attachments.end(),
                         [&](const auto& attachment) { return type_matches(condition.text, attachment); });
    default:
      break;
  }
  ARCH_CHECK(condition.kind == Node::Kind::kDate);  // the caller decides the others by the index
  const bool received = condition.field == "received" && message.received != 0;
  const int64_t time = seconds(received ? message.received : message.captured);
  return time >= condition.from_s && time < condition.to_s;
}

}  // namespace arch::search
