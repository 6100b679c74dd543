#include "query/saved/saved.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace arch::saved {
namespace {

using Json = nlohmann::ordered_json;
constexpr uint64_t kFileLimit = 8u << 20;

std::string path_of(const std::string& archive) { return archive + "/state/saved.json"; }
std::string seen_path(const std::string& archive) { return archive + "/state/saved-seen.json"; }

Result<void> write(const std::string& archive, const std::vector<Search>& searches) {
  Json out = {{"schema", "saved/1"}, {"searches", Json::array()}};
  for (const Search& each : searches)
    out["searches"].push_back(
        {{"name", each.name}, {"query", each.query}, {"mail", each.mail}, {"made", each.made}, {"from", each.from}});
  return replace_file(path_of(archive), out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<void> check_name(const std::string& name) {
  const bool good = !name.empty() && name.size() <= 64 && name.front() != ' ' && name.back() != ' ' &&
                    std::all_of(name.begin(), name.end(), [](unsigned char c) {
                      return c >= 0x80 || std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == ' ';
                    });
  if (good) return {};
  return fail(Code::kInvalid, "\"" + name + "\" is no name", "letters, digits, blanks, - _ . ; at most 64");
}

}  // namespace

Result<std::vector<Search>> read(const std::string& archive_directory) {
  std::vector<Search> out;
  auto text = read_file(Fs::real(), path_of(archive_directory), kFileLimit);
  if (!text) {
    if (text.error().code == Code::kNotFound) return out;
    return tl::unexpected<Error>(std::move(text).error());
  }
  try {
    const Json parsed = Json::parse(*text);
    for (const Json& each : parsed.at("searches"))
      out.push_back({each.at("name"), each.at("query"), each.at("mail"), each.at("made"), each.at("from")});
    return out;
  } catch (const Json::exception& error) {
    return fail(Code::kCorrupt, path_of(archive_directory) + ": " + error.what(),
                "mend it, or remove it and save the searches again");
  }
}

Result<void> add(const Archive& archive, Search search, const query::ParseContext& context) {
  ARCH_TRY_VOID(check_name(search.name));
  ARCH_TRY(query::Query parsed, query::parse(search.query, context));
  ARCH_TRY(std::vector<Search> all, read(archive.directory()));
  if (all.size() >= kMost)
    return fail(Code::kInvalid, "there are " + std::to_string(kMost) + " saved searches", "remove some");
  for (const Search& each : all)
    if (each.name == search.name)
      return fail(Code::kExists, "there is a saved search \"" + search.name + "\"",
                  "remove it, or take another name");
  ARCH_TRY(ArchiveStatus status, archive.status());
  search.from = status.last_message;
  search.made = format_rfc3339(Clock::system().now());
  all.push_back(std::move(search));
  return write(archive.directory(), all);
}

Result<void> remove(const std::string& archive_directory, const std::string& name) {
  ARCH_TRY(std::vector<Search> all, read(archive_directory));
  if (std::erase_if(all, [&](const Search& each) { return each.name == name; }) == 0)
    return fail(Code::kNotFound, "there is no saved search \"" + name + "\"", "archctl saved list");
  return write(archive_directory, all);
}

Result<std::vector<News>> news(const Archive& archive, const std::map<std::string, uint64_t>& seen,
                               const std::string& own_address, const query::ParseContext& context,
                               const Aliases* aliases) {
  std::vector<News> out;
  ARCH_TRY(std::vector<Search> all, read(archive.directory()));
  std::unique_ptr<search::Searcher> searcher;
  for (Search& each : all) {
    if (each.mail.empty()) continue;
    if (!searcher) {
      ARCH_TRY(searcher, search::Searcher::open(archive));
    }
    search::Request request;
    request.query = (each.query.empty() ? "" : "(" + each.query + ") ") + "-from:\"" + own_address + "\"";
    request.context = context;
    request.aliases = aliases;
    ARCH_TRY(std::vector<uint64_t> numbers, searcher->numbers(request, true));
    auto told = seen.find(each.name + "\n" + each.made);
    const uint64_t after = std::max(each.from, told == seen.end() ? 0 : told->second);
    std::erase_if(numbers, [after](uint64_t number) { return number <= after; });
    if (numbers.empty()) continue;
    News news;
    news.total = numbers.size();
    news.seen_to = *std::max_element(numbers.begin(), numbers.end());
    numbers.resize(std::min(numbers.size(), kListed));
    ARCH_TRY(news.newest, archive.infos(numbers));
    news.search = std::move(each);
    out.push_back(std::move(news));
  }
  return out;
}

Result<std::map<std::string, uint64_t>> seen(const std::string& archive_directory) {
  std::map<std::string, uint64_t> out;
  auto text = read_file(Fs::real(), seen_path(archive_directory), kFileLimit);
  if (!text) {
    if (text.error().code == Code::kNotFound) return out;
    return tl::unexpected<Error>(std::move(text).error());
  }
  const Json parsed = Json::parse(*text, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("seen") || !parsed["seen"].is_object()) return out;  // told once more
  for (const auto& [name, number] : parsed["seen"].items())
    if (number.is_number_unsigned()) out[name] = number.get<uint64_t>();
  return out;
}

Result<void> remember(const std::string& archive_directory, const std::map<std::string, uint64_t>& seen) {
  Json out = {{"schema", "saved-seen/1"}, {"seen", Json::object()}};
  for (const auto& [name, number] : seen) out["seen"][name] = number;
  return replace_file(seen_path(archive_directory), out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace arch::saved
