#include "tools/config/config.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

// toml++ 3.3.0, compiled into this file alone; without exceptions its errors are values too.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
// Its assertions fail on some mistakes ("[" at the end of a line) that it tells as errors where it goes on; with NDEBUG it would
// have the compiler assume that there are none.
#undef NDEBUG
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

#include "engine/base/ascii.h"
#include "tools/common/text.h"

namespace arch::config {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}
std::string list_text(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) out += (out.size() > 1 ? ", " : "") + quoted(item);
  return out + "]";
}

/// Where a value stands, for errors.
struct Place {
  const std::string& file;
  uint32_t line;
  std::string key;
};
tl::unexpected<Error> wrong(const Place& place, const std::string& what, std::string hint = {}) {
  return fail(Code::kUsage, place.file + ":" + std::to_string(place.line) + ": " + place.key + ": " + what,
              std::move(hint));
}

Result<std::string> as_string(const toml::node& node, const Place& place) {
  if (const auto* text = node.as_string()) return text->get();
  return wrong(place, "a string is wanted", "write " + place.key + " = \"…\"");
}
Result<uint64_t> as_number(const toml::node& node, const Place& place, uint64_t least, uint64_t most) {
  const auto* number = node.as_integer();
  if (number == nullptr) return wrong(place, "a number is wanted");
  int64_t value = number->get();
  if (value < 0 || static_cast<uint64_t>(value) < least || static_cast<uint64_t>(value) > most)
    return wrong(place, "out of range: " + std::to_string(least) + " to " + std::to_string(most));
  return static_cast<uint64_t>(value);
}
Result<uint64_t> as_size(const toml::node& node, const Place& place, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  if (const auto* number = node.as_integer(); number != nullptr && number->get() >= 0) {
    value = static_cast<uint64_t>(number->get());
  } else {
    ARCH_TRY(std::string text, as_string(node, place));
    auto size = tool::parse_size(text);
    if (!size) return wrong(place, size.error().what, size.error().hint);
    value = *size;
  }
  if (value < least || value > most)
    return wrong(place, "out of range: " + tool::format_size(least) + " to " + tool::format_size(most));
  return value;
}
Result<UnixNs> as_duration(const toml::node& node, const Place& place, UnixNs least, UnixNs most) {
  ARCH_TRY(std::string text, as_string(node, place));
  auto value = tool::parse_duration(text);
  if (!value) return wrong(place, value.error().what, value.error().hint);
  if (*value < least || *value > most)
    return wrong(place, "out of range: " + tool::format_duration(least) + " to " + tool::format_duration(most));
  return *value;
}
Result<bool> as_boolean(const toml::node& node, const Place& place) {
  if (const auto* value = node.as_boolean()) return value->get();
  return wrong(place, "true or false is wanted");
}
// A list of strings; one string alone stands for a list of one, an empty one for none.
Result<std::vector<std::string>> as_list(const toml::node& node, const Place& place) {
  std::vector<std::string> out;
  if (const auto* text = node.as_string()) {
    if (!text->get().empty()) out.push_back(text->get());
    return out;
  }
  const auto* items = node.as_array();
  if (items == nullptr) return wrong(place, "a list is wanted", "write " + place.key + " = [\"…\", \"…\"]");
  for (const auto& item : *items) {
    const auto* text = item.as_string();
    if (text == nullptr || text->get().empty()) return wrong(place, "a list of strings is wanted");
    out.push_back(text->get());
  }
  return out;
}
Result<std::vector<std::string>> as_listeners(const toml::node& node, const Place& place) {
  ARCH_TRY(std::vector<std::string> addresses, as_list(node, place));
  for (const std::string& text : addresses) {
    bool good = (text.rfind("unix:/", 0) == 0 && text.size() > 6) ||
                (text.rfind("inet:", 0) == 0 && text.find(':', 5) != std::string::npos);
    if (!good)
      return wrong(place, quoted(text) + " is no address", "write unix:/PATH or inet:HOST:PORT, or [] for none");
  }
  return addresses;
}
// Numbers of users, as text or as numbers.
Result<std::vector<uint32_t>> as_uids(const toml::node& node, const Place& place) {
  std::vector<uint32_t> out;
  const auto* items = node.as_array();
  if (items == nullptr) return wrong(place, "a list is wanted", "write " + place.key + " = [0]");
  for (const auto& item : *items) {
    std::string text;
    if (const auto* word = item.as_string()) text = word->get();
    if (const auto* number = item.as_integer(); number != nullptr) text = std::to_string(number->get());
    uint32_t uid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), uid);
    if (error != std::errc() || end != text.data() + text.size())
      return wrong(place, "a list of user numbers is wanted");
    out.push_back(uid);
  }
  return out;
}
// One of two words, the second of which means true.
Result<bool> as_choice(const toml::node& node, const Place& place, std::string_view no, std::string_view yes) {
  ARCH_TRY(std::string text, as_string(node, place));
  if (text == no || text == yes) return text == yes;
  return wrong(place, quoted(text) + " is not known here", "write " + quoted(no) + " or " + quoted(yes));
}
// Names of header fields compare in lower case (RFC 5322 section 3.6.8: printable ASCII without colon).
Result<std::vector<std::string>> as_header_names(const toml::node& node, const Place& place) {
  ARCH_TRY(std::vector<std::string> names, as_list(node, place));
  for (std::string& name : names) {
    for (char& c : name) {
      if (c <= ' ' || c > '~' || c == ':')
        return wrong(place, quoted(name) + " is no name of a header field", "write for example \"X-Run-Id\"");
      c = ascii_lower(c);
    }
  }
  return names;
}
// They become one word of a command line, and names of files of tesseract's.
Result<std::vector<std::string>> as_ocr_languages(const toml::node& node, const Place& place) {
  ARCH_TRY(std::vector<std::string> languages, as_list(node, place));
  for (const std::string& language : languages)
    if (language.size() > 40 || !std::all_of(language.begin(), language.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        }))
      return wrong(place, quoted(language) + " is no language of tesseract's", "write for example \"fra\"");
  if (languages.empty()) return wrong(place, "no language", "write for example [\"fra\", \"eng\"]");
  return languages;
}
// Domains compare in lower case.
Result<std::vector<std::string>> as_domains(const toml::node& node, const Place& place) {
  ARCH_TRY(std::vector<std::string> domains, as_list(node, place));
  for (std::string& domain : domains) {
    if (domain.find_first_of("@ ,/*") != std::string::npos || domain.front() == '.' || domain.back() == '.')
      return wrong(place, quoted(domain) + " is no domain", "write for example \"example.fr\"; subdomains count too");
    domain = ascii_lower(domain);
  }
  return domains;
}

using Set = std::function<Result<void>(Config&, const toml::node&, const Place&)>;
struct Entry {
  Key key;
  Set set;
};

constexpr uint64_t kMiB = 1ull << 20, kGiB = 1ull << 30, kMost = 1ull << 60;

#define ARCH_SET(member, read)                                                     \
  [](Config& config, const toml::node& node, const Place& place) -> Result<void> { \
    ARCH_TRY(config.member, read);                                                 \
    return {};                                                                     \
  }

const std::vector<Entry>& entries() {
  static const std::vector<Entry> table = {
      {{"archive", "data_dir", "string",
        "The archive's directory; a relative path starts where the program is started.",
        [](const Config& c) { return quoted(c.data_dir); }},
       ARCH_SET(data_dir, as_string(node, place))},
      {{"archive", "cap_bytes", "size",
        "Storage set aside for the archive: what the capacity report measures against.",
        [](const Config& c) { return quoted(tool::format_size(c.cap_bytes)); }},
       ARCH_SET(cap_bytes, as_size(node, place, kMiB, kMost))},
      {{"archive", "reserve_bytes", "size",
        "Free space below which mail is answered 452 and waits in Postfix's queue, so that a full disk still ends "
        "cleanly.",
        [](const Config& c) { return quoted(tool::format_size(c.reserve_bytes)); }},
       ARCH_SET(reserve_bytes, as_size(node, place, 0, kMost))},
      {{"archive", "timezone", "string", "Days in queries and reports begin at midnight here (IANA name, or UTC).",
        [](const Config& c) { return quoted(c.timezone); }},
       ARCH_SET(timezone, as_string(node, place))},
      {{"capture", "lmtp", "list", "Where LMTP is listened for: unix:/PATH or inet:HOST:PORT; [] for nowhere.",
        [](const Config& c) { return list_text(c.capture_lmtp); }},
       ARCH_SET(capture_lmtp, as_listeners(node, place))},
      {{"capture", "smtp", "list", "The same for SMTP.", [](const Config& c) { return list_text(c.capture_smtp); }},
       ARCH_SET(capture_smtp, as_listeners(node, place))},
      {{"capture", "milter", "list",
        "The same for the milter protocol, which brings every recipient, Bcc among them, and bounces.",
        [](const Config& c) { return list_text(c.capture_milter); }},
       ARCH_SET(capture_milter, as_listeners(node, place))},
      {{"capture", "peers", "list",
        "Who may connect over TCP besides this machine: addresses or networks, \"10.0.0.0/8\".",
        [](const Config& c) { return list_text(c.capture_peers); }},
       ARCH_SET(capture_peers, as_list(node, place))},
      {{"capture", "accept_rcpt", "list",
        "Patterns of recipients taken over LMTP and SMTP (* for any run of characters); others are answered 550.",
        [](const Config& c) { return list_text(c.capture_accept_rcpt); }},
       ARCH_SET(capture_accept_rcpt, as_list(node, place))},
      {{"capture", "max_rcpt", "number", "Recipients of one message; more are answered 452, and the sender splits.",
        [](const Config& c) { return std::to_string(c.capture_max_rcpt); }},
       ARCH_SET(capture_max_rcpt, as_number(node, place, 100, limits::kMaxRecipients))},
      {{"capture", "bare_newline", "string",
        "Content with a CR or LF alone is kept as it came (\"accept\") or answered 554 (\"reject\").",
        [](const Config& c) { return quoted(c.capture_reject_bare_newline ? "reject" : "accept"); }},
       ARCH_SET(capture_reject_bare_newline, as_choice(node, place, "accept", "reject"))},
      {{"capture", "oversize", "string",
        "A message over the limit is answered 452 and stays visible in the sender's queue (\"defer\"), or 552 "
        "(\"reject\"): then a copy by always_bcc is lost and nobody is told.",
        [](const Config& c) { return quoted(c.capture_reject_oversize ? "reject" : "defer"); }},
       ARCH_SET(capture_reject_oversize, as_choice(node, place, "defer", "reject"))},
      {{"capture", "managed", "boolean",
        "archd run starts and watches arch-capture; false when it is a unit of its own.",
        [](const Config& c) { return std::string(c.capture_managed ? "true" : "false"); }},
       ARCH_SET(capture_managed, as_boolean(node, place))},
      {{"capture", "max_connections", "number", "Connections served at once; more are answered 421 and try again.",
        [](const Config& c) { return std::to_string(c.capture_max_connections); }},
       ARCH_SET(capture_max_connections, as_number(node, place, 1, 10'000))},
      {{"limits", "message_bytes", "size",
        "Largest message taken; at least Postfix's message_size_limit, or large mail waits in its queue for ever.",
        [](const Config& c) { return quoted(tool::format_size(c.message_bytes)); }},
       ARCH_SET(message_bytes, as_size(node, place, 64u << 10, limits::kMessageBytes))},
      {{"mta", "own_domains", "list",
        "Domains whose mailboxes are ours: they tell inbound, outbound and internal mail apart.",
        [](const Config& c) { return list_text(c.mta_own_domains); }},
       ARCH_SET(mta_own_domains, as_domains(node, place))},
      {{"mta", "aliases", "list",
        "Postfix's alias maps, as in virtual_alias_maps and alias_maps (\"hash:/etc/postfix/virtual\"): a search for "
        "a "
        "mailbox then also finds mail to its aliases.",
        [](const Config& c) { return list_text(c.mta_aliases); }},
       ARCH_SET(mta_aliases, as_list(node, place))},
      {{"mta", "log", "string",
        "Postfix's log, by which archd proves once a day that no mail is missing: a file (its rotated forms are "
        "found), "
        "\"journal\" or \"journal:UNIT\"; empty: not done.",
        [](const Config& c) { return quoted(c.mta_log); }},
       ARCH_SET(mta_log, as_string(node, place))},
      {{"mta", "archive_recipient", "string",
        "The address of always_bcc: a copy to it that waits or is given up is told apart from other mail.",
        [](const Config& c) { return quoted(c.mta_archive_recipient); }},
       ARCH_SET(mta_archive_recipient, as_string(node, place))},
      {{"index", "languages", "list", "Languages whose word forms a search joins: \"fr\", \"en\".",
        [](const Config& c) { return list_text(c.index_languages); }},
       [](Config& config, const toml::node& node, const Place& place) -> Result<void> {
         ARCH_TRY(std::vector<std::string> languages, as_list(node, place));
         for (const std::string& language : languages)
           if (language != "fr" && language != "en") return wrong(place, "unknown language", "known: \"fr\", \"en\"");
         config.index_languages = std::move(languages);
         return {};
       }},
      {{"index", "shard_messages", "number", "Messages in one shard of the index before the next one is begun.",
        [](const Config& c) { return std::to_string(c.index_shard_messages); }},
       ARCH_SET(index_shard_messages, as_number(node, place, 1'000, 10'000'000))},
      {{"index", "headers", "list",
        "Header fields of automated services whose words go into the index; mail that is indexed already is not "
        "looked "
        "at again.",
        [](const Config& c) { return list_text(c.index_headers); }},
       ARCH_SET(index_headers, as_header_names(node, place))},
      {{"documents", "read", "boolean",
        "Text of attachments (PDF, office files, archives) is read and searched, by sandboxed workers.",
        [](const Config& c) { return std::string(c.documents_read ? "true" : "false"); }},
       ARCH_SET(documents_read, as_boolean(node, place))},
      {{"documents", "workers", "number", "Attachments read at once.",
        [](const Config& c) { return std::to_string(c.documents_workers); }},
       ARCH_SET(documents_workers, as_number(node, place, 1, 32))},
      {{"documents", "time", "duration", "Longest time for one, with all that is inside it.",
        [](const Config& c) { return quoted(tool::format_duration(c.documents_time)); }},
       ARCH_SET(documents_time, as_duration(node, place, kNsPerSecond, 600 * kNsPerSecond))},
      {{"documents", "memory_bytes", "size", "Most memory of a worker.",
        [](const Config& c) { return quoted(tool::format_size(c.documents_memory_bytes)); }},
       ARCH_SET(documents_memory_bytes, as_size(node, place, 64 * kMiB, 16 * kGiB))},
      {{"documents", "text_bytes", "size", "Most text that is kept of one.",
        [](const Config& c) { return quoted(tool::format_size(c.documents_text_bytes)); }},
       ARCH_SET(documents_text_bytes, as_size(node, place, 64u << 10, 256 * kMiB))},
      {{"documents", "depth", "number", "Levels of files inside files that are opened.",
        [](const Config& c) { return std::to_string(c.documents_depth); }},
       ARCH_SET(documents_depth, as_number(node, place, 0, 10))},
      {{"documents", "expansion", "number",
        "Bytes unpacked of one in all, as a multiple of its own: a bomb is given up there.",
        [](const Config& c) { return std::to_string(c.documents_expansion); }},
       ARCH_SET(documents_expansion, as_number(node, place, 1, 10'000))},
      {{"documents", "ocr", "boolean",
        "Pictures and scans are read, too, by tesseract, behind everything else; those read before this was true: "
        "archctl "
        "reextract --type image, --type pdf.",
        [](const Config& c) { return std::string(c.documents_ocr ? "true" : "false"); }},
       ARCH_SET(documents_ocr, as_boolean(node, place))},
      {{"documents", "ocr_languages", "list",
        "Languages of the pictures, likeliest first, by tesseract's names; those not installed "
        "(tesseract-ocr-NAME) are left out.",
        [](const Config& c) { return list_text(c.documents_ocr_languages); }},
       ARCH_SET(documents_ocr_languages, as_ocr_languages(node, place))},
      {{"documents", "ocr_time", "duration",
        "Longest time for one picture or scan, of the processor; a page may take half of it.",
        [](const Config& c) { return quoted(tool::format_duration(c.documents_ocr_time)); }},
       ARCH_SET(documents_ocr_time, as_duration(node, place, kNsPerSecond, 3'600 * kNsPerSecond))},
      {{"documents", "ocr_memory_bytes", "size", "Most memory of the process that reads it.",
        [](const Config& c) { return quoted(tool::format_size(c.documents_ocr_memory_bytes)); }},
       ARCH_SET(documents_ocr_memory_bytes, as_size(node, place, 128 * kMiB, 16 * kGiB))},
      {{"documents", "ocr_pages", "number", "Pages of a scan that are read.",
        [](const Config& c) { return std::to_string(c.documents_ocr_pages); }},
       ARCH_SET(documents_ocr_pages, as_number(node, place, 1, 10'000))},
      {{"documents", "ocr_pixels", "number",
        "Smaller pictures, width times height, are not read: logos, buttons, portraits.",
        [](const Config& c) { return std::to_string(c.documents_ocr_pixels); }},
       ARCH_SET(documents_ocr_pixels, as_number(node, place, 1, 1'000'000'000))},
      {{"http", "listen", "list",
        "Where the page, its API and the assistant's endpoint are served: unix:/PATH or inet:HOST:PORT of this "
        "machine, behind "
        "tailscale serve; [] for nowhere. Only over a Unix socket can nobody else on this machine pass for somebody.",
        [](const Config& c) { return list_text(c.http_listen); }},
       ARCH_SET(http_listen, as_listeners(node, place))},
      {{"http", "hosts", "list", "Names by which they are asked, besides localhost and names that end in .ts.net.",
        [](const Config& c) { return list_text(c.http_hosts); }},
       ARCH_SET(http_hosts, as_domains(node, place))},
      {{"http", "origins", "list",
        "Pages of other origins whose scripts may ask (\"https://intranet.example.fr\"); normally none.",
        [](const Config& c) { return list_text(c.http_origins); }},
       ARCH_SET(http_origins, as_list(node, place))},
      {{"http", "admins", "list",
        "Tailscale logins that may look; empty: everybody whom the tailnet lets in. Needs the Unix socket.",
        [](const Config& c) { return list_text(c.http_admins); }},
       ARCH_SET(http_admins, as_list(node, place))},
      {{"http", "trusted_uids", "list",
        "Users of this machine, by number, whose word about who asks counts on the Unix socket: tailscaled's.",
        [](const Config& c) {
          std::vector<std::string> numbers;
          for (uint32_t uid : c.http_trusted_uids) numbers.push_back(std::to_string(uid));
          return list_text(numbers);
        }},
       ARCH_SET(http_trusted_uids, as_uids(node, place))},
      {{"mcp", "enabled", "boolean", "An assistant may search through /mcp, with a token of `archctl token create`.",
        [](const Config& c) { return std::string(c.mcp_enabled ? "true" : "false"); }},
       ARCH_SET(mcp_enabled, as_boolean(node, place))},
      {{"mcp", "max_result_bytes", "size",
        "Largest answer to one of its calls; it can ask for the rest in further ones.",
        [](const Config& c) { return quoted(tool::format_size(c.mcp_max_result_bytes)); }},
       ARCH_SET(mcp_max_result_bytes, as_size(node, place, 4u << 10, 8u << 20))},
      {{"report", "to", "string", "Who gets a mail when something needs a person; empty: nobody.",
        [](const Config& c) { return quoted(c.report_to); }},
       ARCH_SET(report_to, as_string(node, place))},
      {{"report", "from", "string", "The sender of these mails; empty: archd@ and this machine's name.",
        [](const Config& c) { return quoted(c.report_from); }},
       ARCH_SET(report_from, as_string(node, place))},
      {{"report", "sendmail", "string",
        "How they are sent: a program with sendmail's command line, or inet:HOST:PORT of an SMTP server, as in a "
        "container "
        "without a mail system.",
        [](const Config& c) { return quoted(c.report_sendmail); }},
       ARCH_SET(report_sendmail, as_string(node, place))},
      {{"log", "format", "string", "One line of \"text\" or one \"json\" object for each event, on stderr.",
        [](const Config& c) { return quoted(c.log_json ? "json" : "text"); }},
       ARCH_SET(log_json, as_choice(node, place, "text", "json"))},
      {{"log", "level", "string", "The least that is told: \"info\", \"warn\" or \"error\".",
        [](const Config& c) { return quoted(c.log_level); }},
       [](Config& config, const toml::node& node, const Place& place) -> Result<void> {
         ARCH_TRY(std::string level, as_string(node, place));
         if (level != "info" && level != "warn" && level != "error")
           return wrong(place, quoted(level) + " is not known here", "write \"info\", \"warn\" or \"error\"");
         config.log_level = std::move(level);
         return {};
       }},
      {{"pack", "bytes", "size", "Closed journal files are packed into a segment once they hold this much mail.",
        [](const Config& c) { return quoted(tool::format_size(c.pack_bytes)); }},
       ARCH_SET(pack_bytes, as_size(node, place, kMiB, 4 * kGiB))},
      {{"pack", "age", "duration", "Or once the oldest of them is this old.",
        [](const Config& c) { return quoted(tool::format_duration(c.pack_age)); }},
       ARCH_SET(pack_age, as_duration(node, place, 60 * kNsPerSecond, 365 * kNsPerDay))},
  };
  return table;
}
#undef ARCH_SET

std::vector<std::string> names_like(const std::string& section) {
  std::vector<std::string> names;
  for (const Entry& entry : entries())
    if (section.empty()) {
      names.emplace_back(entry.key.section);
    } else if (entry.key.section == section) {
      names.emplace_back(entry.key.name);
    }
  return names;
}

tl::unexpected<Error> unknown(const std::string& file, uint32_t line, const std::string& section,
                              const std::string& name) {
  std::string near = tool::nearest(name, names_like(section));
  std::string what = section.empty() ? "unknown section [" + name + "]" : "unknown key " + section + "." + name;
  std::string hint = near.empty() ? "`archctl config` lists every key" : "did you mean " + near + "?";
  return fail(Code::kUsage, file + ":" + std::to_string(line) + ": " + what, hint);
}

}  // namespace

const std::vector<Key>& keys() {
  static const std::vector<Key> list = [] {
    std::vector<Key> all;
    for (const Entry& entry : entries()) all.push_back(entry.key);
    return all;
  }();
  return list;
}

Result<Config> parse(const std::string& text, const std::string& name) {
  toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    return fail(Code::kUsage, name + ":" + std::to_string(parsed.error().source().begin.line) + ": " +
                                  std::string(parsed.error().description()));
  }
  Config config;
  config.file = name;
  config.text = text;
  for (const auto& [section_key, section_node] : parsed.table()) {
    std::string section(section_key.str());
    const toml::table* section_table = section_node.as_table();
    std::vector<std::string> sections = names_like("");
    if (std::find(sections.begin(), sections.end(), section) == sections.end() || section_table == nullptr)
      return unknown(name, section_key.source().begin.line, "", section);
    for (const auto& [key, node] : *section_table) {
      std::string key_name(key.str());
      auto entry = std::find_if(entries().begin(), entries().end(), [&](const Entry& candidate) {
        return candidate.key.section == section && candidate.key.name == key_name;
      });
      if (entry == entries().end()) return unknown(name, key.source().begin.line, section, key_name);
      ARCH_TRY_VOID(entry->set(config, node, Place{name, key.source().begin.line, section + "." + key_name}));
    }
  }
  return config;
}

Result<Config> load(const std::string& path) {
  const auto [file, wanted] = file_of(path, std::getenv("ARCHD_CONFIG"));
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    int error_number = errno;
    if (!wanted && error_number == ENOENT) return Config{};
    auto error = fail_errno(error_number, "configuration " + file);
    error.value().hint = "give another one with --config, or none for the defaults";
    return error;
  }
  in.peek();  // a directory opens, and fails here
  if (in.bad()) return fail(Code::kIo, "configuration " + file + " is not readable", "is it a file?");
  in.clear();
  std::stringstream text;
  text << in.rdbuf();
  if (in.bad()) return fail(Code::kIo, "configuration " + file + " is not readable to its end");
  return parse(text.str(), file);
}

std::string effective(const Config& config) {
  std::string out =
      config.file.empty() ? "# No configuration file: defaults.\n" : "# Read from " + config.file + "\n";
  std::string_view section;
  for (const Key& key : keys()) {
    if (key.section != section) out += "\n[" + std::string(key.section) + "]\n";
    section = key.section;
    out += "# " + std::string(key.meaning) + "\n" + std::string(key.name) + " = " + key.get(config) + "\n";
  }
  return out;
}

}  // namespace arch::config
