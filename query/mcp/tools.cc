#include "query/mcp/tools.h"

#include <openssl/hmac.h>

#include <algorithm>

#include "engine/base/ascii.h"
#include "engine/base/limits.h"
#include "query/api/api.h"
#include "query/extract/extract.h"
#include "query/mcp/fence.h"

namespace arch::mcp {
namespace {

constexpr int64_t kCursorSeconds = 86'400;
constexpr size_t kKeyBytes = 8;
constexpr size_t kMostParts = 200, kMostEvents = 100, kMostRecipients = 100;

/// What ends a tool call early.
struct Failure {
  std::string code, message, suggestion;
};

Failure failure_of(const Error& error) {
  switch (error.code) {
    case Code::kInvalid:
      if (error.what.find("unknown operator") != std::string::npos)
        return {"unknown_operator", error.what, error.hint};
      if (error.what.find("messages begin") != std::string::npos ||
          error.what.find("more than one") != std::string::npos)
        return {"ambiguous_id", error.what, error.hint};
      return {"bad_query", error.what, error.hint};
    case Code::kTooLarge:
      return {"bad_query", error.what, error.hint};
    case Code::kUsage:
      return {"bad_argument", error.what, error.hint};
    case Code::kNotFound:
      return {"not_found", error.what, error.hint};
    case Code::kTryAgain:
      return {"index_unavailable", error.what, "try again"};
    default:
      return {"internal", "the archive could not answer", {}};
  }
}

template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw failure_of(result.error());
  return std::move(*result);
}

std::string base64url(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (unsigned char byte : bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += kDigits[bits << (6 - count) & 63];
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '-'             ? 62
                      : c == '_'             ? 63
                                             : -1;
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8) & 255);
  }
  return out;
}

std::string be(uint64_t value, size_t bytes) {
  std::string out;
  for (size_t i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i));
  return out;
}
uint64_t from_be(std::string_view bytes) {
  uint64_t value = 0;
  for (unsigned char byte : bytes) value = value << 8 | byte;
  return value;
}

/// Where the next page begins: the state of the archive, the place in the answer, and what it is an answer to, signed.
struct Cursor {
  uint64_t as_of = 0, offset = 0;
};

std::string signature(const Caller& caller, std::string_view bytes) {
  unsigned char out[32];
  unsigned int size = sizeof out;
  HMAC(EVP_sha256(), caller.key.data(), static_cast<int>(caller.key.size()),
       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out, &size);
  return std::string(reinterpret_cast<char*>(out), 16);
}

std::string question_hash(const std::string& question) {
  return std::string(Sha256::of(as_bytes(question)).view().substr(0, kKeyBytes));
}

std::string encode_cursor(const Caller& caller, const Cursor& cursor, const std::string& question) {
  const auto expiry = static_cast<uint64_t>(Clock::system().now() / kNsPerSecond + kCursorSeconds);
  const std::string bytes =
      be(1, 1) + be(cursor.as_of, 8) + question_hash(question) + be(cursor.offset, 8) + be(expiry, 4);
  return base64url(bytes + signature(caller, bytes));
}

Cursor decode_cursor(const Caller& caller, const std::string& text, const std::string& question) {
  const Failure bad{"invalid_cursor", "the cursor is not one of this search, or is older than a day",
                    "search again without it"};
  const auto bytes = from_base64url(text);
  if (!bytes || bytes->size() != 1 + 8 + kKeyBytes + 8 + 4 + 16) throw bad;
  const std::string_view view = *bytes;
  const std::string_view signed_part = view.substr(0, view.size() - 16);
  if (signature(caller, signed_part) != view.substr(view.size() - 16) || view[0] != 1 ||
      view.substr(9, kKeyBytes) != question_hash(question) ||
      from_be(view.substr(25, 4)) < static_cast<uint64_t>(Clock::system().now() / kNsPerSecond))
    throw bad;
  return {from_be(view.substr(1, 8)), from_be(view.substr(17, 8))};
}

/// Arguments, checked against the tool's input schema: enough of JSON Schema for the schemas that are ours.
class Arguments {
 public:
  Arguments(const std::string& tool, const Json& given) : given_(given) {
    for (const Json& each : tool_list())
      if (each["name"] == tool) schema_ = &each["inputSchema"];
    if (!given_.is_object()) throw Failure{"bad_argument", "arguments have to be an object", {}};
    const Json& properties = (*schema_)["properties"];
    for (const auto& [name, value] : given_.items()) {
      if (!properties.contains(name)) {
        std::string known;
        for (const auto& [each, schema] : properties.items()) known += (known.empty() ? "" : ", ") + each;
        throw Failure{"bad_argument", "there is no argument \"" + name + "\"", "known: " + known};
      }
      check(name, value, properties[name]);
    }
    if (schema_->contains("required"))
      for (const Json& name : (*schema_)["required"])
        if (!given_.contains(name.get<std::string>()))
          throw Failure{"bad_argument", "the argument \"" + name.get<std::string>() + "\" is missing", {}};
  }
  std::string text(const char* name, std::string otherwise = {}) const {
    return given_.contains(name) ? given_[name].get<std::string>() : std::move(otherwise);
  }
  uint64_t number(const char* name) const {
    const Json& property = (*schema_)["properties"][name];
    return given_.contains(name) ? given_[name].get<uint64_t>() : property.value("default", uint64_t{0});
  }
  bool has(const char* name) const { return given_.contains(name); }

 private:
  static void check(const std::string& name, const Json& value, const Json& schema) {
    auto wrong = [&](const std::string& what) { return Failure{"bad_argument", "\"" + name + "\" " + what, {}}; };
    if (schema.contains("enum")) {
      for (const Json& each : schema["enum"])
        if (each == value) return;
      throw wrong("has to be one of " + schema["enum"].dump());
    }
    if (schema["type"] == "integer") {
      if (!value.is_number_integer() ||
          (value.is_number_integer() && !value.is_number_unsigned() && value.get<int64_t>() < 0))
        throw wrong("has to be a whole number");
      const auto number = value.get<uint64_t>();
      if ((schema.contains("minimum") && number < schema["minimum"].get<uint64_t>()) ||
          (schema.contains("maximum") && number > schema["maximum"].get<uint64_t>()))
        throw wrong("is out of range");
      return;
    }
    if (!value.is_string()) throw wrong("has to be text");
    const auto& text = value.get_ref<const std::string&>();
    if (schema.contains("maxLength") && text.size() > schema["maxLength"].get<size_t>()) throw wrong("is too long");
    if (schema.contains("pattern")) {
      // Of the two patterns: ids and numbers of parts.
      const bool id = name == "id";
      const std::string_view bare =
          id && text.rfind("arch:", 0) == 0 ? std::string_view(text).substr(5) : std::string_view(text);
      const bool good = id ? bare.size() >= 12 && bare.size() <= 64 &&
                                 bare.find_first_not_of("0123456789abcdef") == std::string_view::npos
                           : !bare.empty() && bare.size() <= 40 &&
                                 bare.find_first_not_of("0123456789.") == std::string_view::npos &&
                                 bare.front() != '.' && bare.back() != '.' &&
                                 bare.find("..") == std::string_view::npos;
      if (!good) throw wrong(id ? "is no id: 12 to 64 hexadecimal digits" : "is no number of a part");
    }
  }
  const Json& given_;
  const Json* schema_ = nullptr;
};

/// Piece of `text` from `offset`, at most `most` bytes, on characters.
std::string_view piece(std::string_view text, uint64_t offset, uint64_t most, std::optional<uint64_t>* next) {
  if (offset > text.size()) return {};
  auto start = static_cast<size_t>(offset);
  while (start < text.size() && (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80) ++start;
  size_t end = std::min(text.size(), start + static_cast<size_t>(most));
  while (end < text.size() && end > start && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  if (end < text.size()) *next = end;
  return text.substr(start, end - start);
}

std::string people_text(const std::vector<mime::Address>& people) {
  std::string out;
  for (const mime::Address& person : people)
    out += (out.empty() ? "" : ", ") +
           (person.name.empty() ? person.address : person.name + " <" + person.address + ">");
  return out;
}

std::string cite(const Digest& digest) { return "arch:" + digest.hex().substr(0, 16); }

class Tool {
 public:
  Tool(const Archive& archive, const Options& options, const Caller& caller)
      : archive_(archive), options_(options), caller_(caller) {}

  ToolAnswer run(const std::string& name, const Json& given) {
    if (const std::string_view scope = scope_of(name); !caller_.token.may(scope))
      throw Failure{"out_of_scope", "this token may not: " + std::string(scope),
                    "ask the operator for a token with that scope"};
    ToolAnswer answer = dispatch(name, Arguments(name, given));
    if (const std::string warning = hidden_warning(); !warning.empty()) answer.text += warning + ".\n";
    return answer;
  }

 private:
  ToolAnswer dispatch(const std::string& name, const Arguments& arguments) {
    if (name == "search_mail") return search_mail(arguments);
    if (name == "count_by") return count_by(arguments);
    if (name == "get_thread") return get_thread(arguments);
    if (name == "get_message") return get_message(arguments);
    if (name == "get_attachment_text") return get_attachment_text(arguments);
    return archive_status();
  }
  // Empty when nothing tried to hide.
  std::string hidden_warning() const {
    if (fence_.hidden_characters() == 0) return {};
    return std::to_string(fence_.hidden_characters()) +
           " invisible or direction-changing characters are shown as \\u{…}";
  }
  Json text_value(std::string_view value) { return {{"nonce", fence_.nonce()}, {"value", fence_.clean(value)}}; }
  std::unique_ptr<search::Searcher> searcher() { return value_or_throw(search::Searcher::open(archive_)); }
  search::Request request(const std::string& query) const {
    search::Request out;
    out.query = query;
    out.scope = caller_.token.restriction;
    out.aliases = options_.aliases;
    out.context.now = Clock::system().now();
    out.context.timezone = options_.timezone;
    return out;
  }
  static Json index_value(const search::Completeness& index) {
    return {{"complete_to", index.complete_to == 0 ? std::string() : format_rfc3339(index.complete_to)},
            {"pending", index.pending},
            {"partial", index.partial},
            {"failed", index.unread}};
  }
  static std::string index_text(const search::Completeness& index) {
    return "Index complete to " +
           (index.complete_to == 0 ? std::string("nothing yet") : format_rfc3339(index.complete_to)) + ", " +
           std::to_string(index.pending) + " pending.\n";
  }
  /// A mail that the token may see; what it may not see is not there.
  MessageInfo visible(std::string id) {
    if (id.rfind("arch:", 0) == 0) id = id.substr(5);
    auto digest = archive_.resolve(value_or_throw(DigestPrefix::parse(id)));
    const Failure none{"not_found", "there is no mail " + id, "take the id or cite of a search's answer"};
    if (!digest && digest.error().code == Code::kInvalid && !caller_.token.restriction.restricts())
      throw Failure{"ambiguous_id", digest.error().what, "write more digits of it"};
    if (!digest) throw none;
    MessageInfo info = value_or_throw(archive_.info(*digest));
    if (caller_.token.restriction.restricts()) {
      search::Request one = request("hash:" + digest->hex());
      one.limit = 0;
      if (value_or_throw(searcher()->search(one)).messages == 0) throw none;
    }
    return info;
  }
  Json hit(const MessageInfo& info) {
    return {{"id", info.digest.hex()},
            {"cite", cite(info.digest)},
            {"seq", info.deliveries.empty() ? 0 : info.deliveries.front()},
            {"date", format_rfc3339(info.date)},
            {"from", text_value(people_text(info.from))},
            {"rcpt_count", info.to.size() + info.cc.size()},
            {"subject", text_value(info.subject)},
            {"has_attachments", info.attachment_count > 0},
            {"size", info.size}};
  }
  std::string hit_text(size_t number, const MessageInfo& info, std::string_view snippet) {
    std::string out =
        std::to_string(number) + ". " + cite(info.digest) + " " + format_rfc3339(info.date).substr(0, 10) + "\n";
    out += fence_.fenced("from", people_text(info.from)) + fence_.fenced("subject", info.subject);
    if (!snippet.empty()) out += fence_.fenced("snippet", snippet);
    return out;
  }

  ToolAnswer search_mail(const Arguments& arguments) {
    search::Request wanted = request(arguments.text("query"));
    const std::string sort = arguments.text("sort", "relevance");
    wanted.order = sort == "newest"   ? search::Order::kNewest
                   : sort == "oldest" ? search::Order::kOldest
                                      : search::Order::kRelevance;
    wanted.limit = arguments.number("limit");
    const std::string question = "search\n" + wanted.query + "\n" + sort;
    if (arguments.has("cursor")) {
      const Cursor cursor = decode_cursor(caller_, arguments.text("cursor"), question);
      wanted.as_of = cursor.as_of;
      wanted.offset = cursor.offset;
    }
    const search::Answer answer = value_or_throw(searcher()->search(wanted));
    for (const search::Hit& each : answer.hits) {
      fence_.avoid(each.message.subject);
      fence_.avoid(people_text(each.message.from));
      fence_.avoid(each.snippet.text);
    }
    ToolAnswer out;
    out.object = wanted.query;
    const size_t first = wanted.offset + 1;
    out.text = answer.hits.empty()
                   ? std::to_string(answer.total) + " mails. " + index_text(answer.index)
                   : std::to_string(first) + " to " + std::to_string(wanted.offset + answer.hits.size()) + " of " +
                         std::to_string(answer.total) + " mails. " + index_text(answer.index);
    if (!answer.did_you_mean.empty())
      out.text += "Nothing has one of these words; perhaps: " + answer.did_you_mean + "\n";
    Json hits = Json::array(), notices = Json::array();
    for (size_t i = 0; i < answer.hits.size(); ++i) {
      const search::Hit& each = answer.hits[i];
      Json one = hit(each.message);
      one["snippet"] = text_value(each.snippet.text);
      one["matched_in"] = Json::array();
      if (!each.snippet.where.empty()) one["matched_in"].push_back(each.snippet.where);
      hits.push_back(std::move(one));
      out.text += hit_text(first + i, each.message, each.snippet.text);
    }
    for (const query::Notice& notice : answer.notices) notices.push_back(notice.text);
    if (std::string warning = hidden_warning(); !warning.empty()) notices.push_back(std::move(warning));
    out.structured = {{"total", answer.total},         {"total_exact", answer.total_exact},
                      {"hits", std::move(hits)},       {"interpreted", answer.interpreted},
                      {"notices", std::move(notices)}, {"index", index_value(answer.index)},
                      {"as_of", answer.as_of}};
    if (wanted.offset + answer.hits.size() < answer.total && !answer.hits.empty())
      out.structured["nextCursor"] =
          encode_cursor(caller_, {answer.as_of, wanted.offset + answer.hits.size()}, question);
    return out;
  }

  ToolAnswer count_by(const Arguments& arguments) {
    search::Request wanted = request(arguments.text("query"));
    const std::string by = arguments.text("by"), question = "count\n" + wanted.query + "\n" + by;
    Cursor cursor;
    if (arguments.has("cursor")) cursor = decode_cursor(caller_, arguments.text("cursor"), question);
    wanted.as_of = cursor.as_of;
    const uint64_t limit = arguments.number("limit");
    search::CountAnswer answer = value_or_throw(searcher()->count(wanted, by, SIZE_MAX));
    ToolAnswer out;
    out.object = by + ": " + wanted.query;
    for (const auto& bucket : answer.buckets) fence_.avoid(bucket.key);
    Json buckets = Json::array();
    uint64_t other = 0;
    out.text = std::to_string(answer.total) + " mails, " + std::to_string(answer.buckets.size()) + " values. " +
               index_text(answer.index);
    std::string listed;
    for (size_t i = 0; i < answer.buckets.size(); ++i) {
      const auto& bucket = answer.buckets[i];
      if (i < cursor.offset || i >= cursor.offset + limit) {
        other += bucket.count;
        continue;
      }
      buckets.push_back({{"key", text_value(bucket.key)}, {"count", bucket.count}});
      listed += std::to_string(bucket.count) + "\t" + bucket.key + "\n";
    }
    if (!listed.empty()) out.text += fence_.fenced("counts", listed);
    out.structured = {{"by", by},
                      {"buckets", std::move(buckets)},
                      {"other", other},
                      {"missing", answer.missing},
                      {"total", answer.total},
                      {"index", index_value(answer.index)},
                      {"as_of", answer.as_of}};
    if (cursor.offset + limit < answer.buckets.size())
      out.structured["nextCursor"] = encode_cursor(caller_, {answer.as_of, cursor.offset + limit}, question);
    return out;
  }

  ToolAnswer get_thread(const Arguments& arguments) {
    const MessageInfo one = visible(arguments.text("id"));
    const std::string question = "thread\n" + one.digest.hex();
    Cursor cursor;
    if (arguments.has("cursor")) cursor = decode_cursor(caller_, arguments.text("cursor"), question);
    api::ThreadView view = value_or_throw(api::view_thread(archive_, one.digest.hex()));
    if (caller_.token.restriction.restricts()) {
      search::Request all = request("thread:" + one.digest.hex());
      const std::vector<uint64_t> seen = value_or_throw(searcher()->numbers(all, false));
      std::erase_if(view.entries, [&](const api::ThreadEntry& entry) {
        return std::find(seen.begin(), seen.end(), entry.info.number) == seen.end();
      });
      view.missing = 0;  // what is named and not visible may be there
    }
    const uint64_t limit = arguments.number("limit");
    for (const api::ThreadEntry& entry : view.entries) {
      fence_.avoid(entry.info.subject);
      fence_.avoid(people_text(entry.info.from));
    }
    ToolAnswer out;
    out.object = one.digest.hex();
    Json messages = Json::array();
    out.text = std::to_string(view.entries.size()) + " mails in this exchange.\n";
    const size_t end = std::min<size_t>(view.entries.size(), cursor.offset + limit);
    for (size_t i = cursor.offset; i < end; ++i) {
      messages.push_back(hit(view.entries[i].info));
      out.text += hit_text(i + 1, view.entries[i].info, {});
    }
    char name[17];
    std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(view.thread));
    out.structured = {{"thread", name}, {"messages", std::move(messages)}, {"missing_refs", view.missing}};
    if (end < view.entries.size()) out.structured["nextCursor"] = encode_cursor(caller_, {0, end}, question);
    return out;
  }

  ToolAnswer get_message(const Arguments& arguments) {
    const MessageInfo info = visible(arguments.text("id"));
    const api::MessageView view = value_or_throw(api::view_message(archive_, info.digest.hex()));
    for (const auto& [name, value] : view.headers) fence_.avoid(value);
    fence_.avoid(view.body);
    for (const mime::Part& part : view.parts) fence_.avoid(part.filename);
    ToolAnswer out;
    out.object = info.digest.hex();
    const bool all = arguments.text("headers", "main") == "all";
    Json headers = Json::object();
    std::string header_text;
    for (const auto& [name, value] : view.headers) {
      const std::string lower = ascii_lower(name);
      const bool main = lower == "from" || lower == "to" || lower == "cc" || lower == "bcc" || lower == "date" ||
                        lower == "subject" || lower == "reply-to" || lower == "message-id" || lower == "in-reply-to";
      if (!all && !main) continue;
      const std::string key = fence_.clean(lower);
      if (!headers.contains(key)) headers[key] = Json::array();
      if (headers[key].size() < 50) headers[key].push_back(text_value(value));
      header_text += name + ": " + value + "\n";
    }
    Json envelope = Json::array();
    for (const DeliveryInfo& delivery : view.deliveries) {
      if (envelope.size() == kMostEvents) break;
      Json event = {{"seq", delivery.sequence},
                    {"lane", channel_name(delivery.delivery.channel)},
                    {"captured", format_rfc3339(delivery.delivery.captured)},
                    {"rcpt", Json::array()}};
      if (delivery.delivery.has_mail_from) event["mail_from"] = text_value(delivery.delivery.mail_from);
      if (!delivery.delivery.queue_id.empty()) event["queue_id"] = fence_.clean(delivery.delivery.queue_id);
      if (!is_archive_copy(delivery.delivery))
        for (const Recipient& each : delivery.delivery.rcpt)
          if (event["rcpt"].size() < kMostRecipients)
            event["rcpt"].push_back({{"addr", text_value(each.address)}, {"source", "rcpt-to"}});
      envelope.push_back(std::move(event));
    }
    Json parts = Json::array();
    std::string part_text;
    for (const mime::Part& part : view.parts) {
      if (part.container || parts.size() == kMostParts) continue;
      Json one = {{"part", part.number},
                  {"media_type", fence_.clean(part.media_type)},
                  {"size", part.body_end - part.body_begin},
                  {"text_status", readable(part)                                  ? "full"
                                  : text_of_attachment(info, part.number).empty() ? "none"
                                                                                  : "full"}};
      if (!part.filename.empty()) {
        one["filename"] = text_value(part.filename);
      }
      if (part.attachment) part_text += part.number + "\t" + part.media_type + "\t" + part.filename + "\n";
      parts.push_back(std::move(one));
    }
    std::optional<uint64_t> next;
    const std::string_view body = piece(view.body, arguments.number("offset"), arguments.number("max_bytes"), &next);
    Json warnings = Json::array();
    out.text = cite(info.digest) + " " + format_rfc3339(info.date) + "\n" + fence_.fenced("headers", header_text);
    if (!part_text.empty()) out.text += fence_.fenced("attachments", part_text);
    out.text += fence_.fenced("body", body);
    if (next) out.text += "It goes on: offset " + std::to_string(*next) + ".\n";
    const Json body_value = text_value(body);
    if (std::string warning = hidden_warning(); !warning.empty()) warnings.push_back(std::move(warning));
    if (info.partial) warnings.push_back("not everything of this mail could be read");
    out.structured = {{"id", info.digest.hex()},
                      {"cite", cite(info.digest)},
                      {"headers", std::move(headers)},
                      {"envelope", std::move(envelope)},
                      {"body", body_value},
                      {"parts", std::move(parts)},
                      {"verified", {{"sha256", info.digest.hex()}, {"matches", true}}},  // view_message compared it
                      {"warnings", std::move(warnings)}};
    if (next) out.structured["next_offset"] = *next;
    return out;
  }

  static bool readable(const mime::Part& part) { return part.media_type.rfind("text/", 0) == 0; }
  std::string text_of_attachment(const MessageInfo& info, const std::string& part) const {
    auto text = archive_.text(info.number);
    std::string out;
    if (text)
      for (const TextPiece& each : *text)
        if (each.field == TextPiece::kAttachment && (each.part == part || each.part.rfind(part + "/", 0) == 0))
          out += (out.empty() ? "" : "\n") + each.text;
    return out;
  }

  ToolAnswer get_attachment_text(const Arguments& arguments) {
    const MessageInfo info = visible(arguments.text("id"));
    const std::string number = arguments.text("part");
    const api::PartText found = value_or_throw(api::part_text(archive_, info.digest.hex(), number));
    const std::string& text = found.text;
    fence_.avoid(text);
    ToolAnswer out;
    out.object = info.digest.hex() + " " + number;
    std::optional<uint64_t> next;
    const std::string_view shown = piece(text, arguments.number("offset"), arguments.number("max_bytes"), &next);
    const bool none = !found.known;
    out.text = cite(info.digest) + " part " + number + "\n" +
               (none ? "There is no text of this part.\n" : fence_.fenced("attachment", shown));
    if (next) out.text += "It goes on: offset " + std::to_string(*next) + ".\n";
    out.structured = {{"id", info.digest.hex()},
                      {"part", number},
                      {"media_type", fence_.clean(found.media_type)},
                      {"text", text_value(shown)},
                      {"status", none        ? "none"
                                 : found.cut ? "partial"
                                             : "full"}};
    if (none) out.structured["reason"] = "the text of this format is not read";
    if (next) out.structured["next_offset"] = *next;
    return out;
  }

  ToolAnswer archive_status() {
    const api::StatusView view = value_or_throw(api::status(archive_, Clock::system().now()));
    const capacity::Report report =
        value_or_throw(capacity::report(archive_, options_.cap_bytes, options_.reserve_bytes, view.now));
    uint64_t messages = view.messages, events = view.deliveries;
    if (caller_.token.restriction.restricts()) {
      search::Request all = request("");
      all.limit = 0;
      const search::Answer answer = value_or_throw(searcher()->search(all));
      messages = answer.messages;
      events = answer.messages;
    }
    ToolAnswer out;
    Json alerts = Json::array();
    for (const Alert& alert : view.alerts) alerts.push_back(alert.text.subject_en);
    for (const std::string& alarm : view.archive.alarms) alerts.push_back(fence_.clean(alarm));
    out.structured = {
        {"messages", messages},
        {"events", events},
        {"index", index_value(view.index)},
        {"storage",
         {{"used", report.used_bytes},
          {"cap", report.cap_bytes},
          {"percent", static_cast<uint64_t>(report.used_share() * 100)},
          {"full_date", report.forecast.full().likely
                            ? Json(format_rfc3339(*report.forecast.full().likely * kNsPerDay).substr(0, 10))
                            : Json(nullptr)}}},
        {"integrity",
         {{"verified_since", view.verified.oldest == 0 ? std::string() : format_rfc3339(view.verified.oldest)},
          {"damaged_segments", view.verified.damaged}}},
        {"alerts", std::move(alerts)}};
    if (view.archive.applied_to != 0) out.structured["last"] = format_rfc3339(view.archive.applied_to);
    out.text = std::to_string(messages) + " messages. " + index_text(view.index) +
               std::to_string(out.structured["alerts"].size()) + " alerts.\n";
    return out;
  }

  const Archive& archive_;
  const Options& options_;
  const Caller& caller_;
  Fence fence_;
};

}  // namespace

std::string_view scope_of(const std::string& name) {
  if (name == "search_mail" || name == "count_by") return "search";
  if (name == "get_attachment_text") return "attachments";
  return name == "archive_status" ? "status" : "read";
}

ToolAnswer call_tool(const Archive& archive, const Options& options, const Caller& caller, const std::string& name,
                     const Json& arguments) {
  ToolAnswer out;
  try {
    out = Tool(archive, options, caller).run(name, arguments);
    // The mark must not occur in what it fences; drawn again it would differ from the values before, so the whole is made anew by
    // the caller's next try. 64 random bits: it does not happen.
    const size_t size = out.text.size() + out.structured.dump(-1, ' ', false, Json::error_handler_t::replace).size();
    if (size > options.max_result_bytes)
      throw Failure{"too_large", "the answer has " + std::to_string(size) + " bytes",
                    "ask for fewer (limit) or less (max_bytes)"};
    return out;
  } catch (const Failure& failure) {
    ToolAnswer wrong;
    wrong.object = out.object;
    wrong.error = true;
    wrong.text =
        failure.code + ": " + failure.message + (failure.suggestion.empty() ? "" : " — " + failure.suggestion);
    wrong.error_details = {{"code", failure.code}, {"message", failure.message}};
    if (!failure.suggestion.empty()) wrong.error_details["suggestion"] = failure.suggestion;
    return wrong;
  }
}

}  // namespace arch::mcp
