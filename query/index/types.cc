#include "query/index/types.h"

#include <algorithm>
#include <set>
#include <vector>

#include "query/text/analyser.h"

namespace arch::index {

namespace {

constexpr size_t kTermBytes = 100;  // longer ones are no type that anybody asks for

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

}  // namespace

void type_terms(std::string_view media_type, std::string_view filename,
                const std::function<void(std::string_view)>& each) {
  const std::string type = text::fold(media_type), name = text::fold(filename);
  const size_t dot = name.rfind('.'), slash = type.find('/');
  const std::string ending = dot == std::string::npos ? std::string() : name.substr(dot + 1);
  std::set<std::string> terms = {type, ending, type.substr(0, slash)};
  if (slash != std::string::npos) terms.insert(type.substr(slash + 1));
  for (const Group& group : groups())
    if (std::find(group.endings.begin(), group.endings.end(), ending) != group.endings.end() ||
        std::any_of(group.types.begin(), group.types.end(),
                    [&](std::string_view begin) { return type.compare(0, begin.size(), begin) == 0; }))
      terms.emplace(group.name);
  for (const std::string& term : terms)
    if (!term.empty() && term.size() <= kTermBytes) each(term);
}

}  // namespace arch::index
