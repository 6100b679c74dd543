#include "query/language/fields.h"

#include <algorithm>

#include "query/text/analyser.h"

namespace arch::query {
namespace internal {
namespace {

const std::vector<Field>& table() {
  static const std::vector<Field> fields = {
      {{"from",
        {"de"},
        "sender: a word of name or address, a whole address, or @domain with its subdomains",
        "from:paul@dupont.example"},
       Value::kPeople},
      {{"to",
        {"à", "pour"},
        "people in To and Cc; the envelope's recipients when those name none of them",
        "to:@dupont.example"},
       Value::kPeople},
      {{"cc", {"copie"}, "people in the Cc field", "cc:compta"}, Value::kPeople},
      {{"bcc",
        {"cci"},
        "people in a Bcc field, and recipients of the envelope that neither To nor Cc names",
        "bcc:paul@dupont.example"},
       Value::kPeople},
      {{"rcpt", {"dest"}, "any recipient: To, Cc, Bcc, envelope", "rcpt:paul@dupont.example"}, Value::kPeople},
      {{"subject", {"objet", "sujet"}, "words of the subject", "subject:(contrat OR avenant)"}, Value::kText},
      {{"body", {"corps"}, "words of the text, quoted lines included", "body:\"bon de commande\""}, Value::kText},
      {{"attachment", {"pj"}, "words inside attachments whose text could be read", "attachment:tarif"}, Value::kText},
      {{"filename", {"fichier"}, "words of an attachment's file name", "filename:facture*"}, Value::kText},
      {{"type",
        {"format"},
        "kind of an attachment: pdf, image, office, archive, calendar, an ending such as csv, or a media type",
        "type:pdf"},
       Value::kType},
      {{"has",
        {"avec"},
        "attachment, inline (images that the text shows), encrypted, signature, link, bcc, variant (stored in "
        "several "
        "forms); pdf, image, office, archive, calendar as type:",
        "has:attachment"},
       Value::kHas},
      {{"is",
        {"est"},
        "partial: not everything could be read, or is whole any more; unread: with attachments whose text is not "
        "read",
        "is:partial"},
       Value::kIs},
      {{"date", {"jour"}, "day, month, quarter, year or range in which the mail was sent", "date:2024-03..2024-05"},
       Value::kDate},
      {{"before", {"avant"}, "sent before the start of that day, month or year", "before:01/04/2024"},
       Value::kBefore},
      {{"after", {"apres", "depuis"}, "sent from the start of that day, month or year on", "after:2024-03-15"},
       Value::kAfter},
      {{"received",
        {"recu"},
        "the same by the topmost Received field; by the time of capture when there is none",
        "received:2024-03-15"},
       Value::kDate},
      {{"archived", {"archive"}, "the same by the time at which the archive captured it", "archived:hier"},
       Value::kDate},
      {{"larger", {"plusgrand"}, "at least so many bytes; K, M, G or Ko, Mo, Go", "larger:1M"}, Value::kLarger},
      {{"smaller", {"pluspetit"}, "fewer bytes than that", "smaller:500K"}, Value::kSmaller},
      {{"size", {"taille"}, "a range of sizes, both ends included", "size:1M..5M"}, Value::kSize},
      {{"in", {"dans", "sens"}, "incoming, outgoing, internal (by our own domains), or bounce", "in:outgoing"},
       Value::kIn},
      {{"seq", {"numero"}, "numbers of deliveries, in the order of arrival", "seq:1000..1099"}, Value::kNumber},
      {{"list", {"liste"}, "mailing list: words of its List-Id, or the whole", "list:dev.example.org"},
       Value::kLabel},
      {{"tag",
        {"etiquette"},
        "words of tags that other mail programs left in the header (Keywords, X-Keywords, X-Gmail-Labels …)",
        "tag:important"},
       Value::kLabel},
      {{"lang", {"langue"}, "language of the text: fr, en, de …, or its name", "lang:fr"}, Value::kLanguage},
      {{"header",
        {"entete"},
        "a header field that index.headers names: whether a mail has it, or words of its value",
        "header:x-run-id=4711"},
       Value::kHeader},
      {{"id", {"msgid"}, "Message-ID, with or without <>", "id:4711@mail.example"}, Value::kId},
      {{"hash", {"empreinte"}, "first 8 or more digits of the message's SHA-256", "hash:3f2a9c0d"}, Value::kId},
      {{"thread",
        {"fil"},
        "the mails that answer each other, by Message-ID or hash of any of them",
        "thread:4711@mail.example"},
       Value::kId},
  };
  return fields;
}

constexpr std::string_view kReserved[] = {"inline"};

// What other mail programs call it: advice only.
struct Elsewhere {
  std::string_view theirs, ours;
};
constexpr Elsewhere kElsewhere[] = {
    {"sender", "from"},  {"author", "from"},       {"expediteur", "from"},   {"recipient", "rcpt"},
    {"recip", "rcpt"},   {"destinataire", "rcpt"}, {"deliveredto", "rcpt"},  {"title", "subject"},
    {"text", "body"},    {"file", "filename"},     {"attach", "attachment"}, {"since", "after"},
    {"newer", "after"},  {"until", "before"},      {"older", "before"},      {"rfcmsgid", "id"},
    {"messageid", "id"}, {"sent", "date"},
};

}  // namespace

const Field* find_field(std::string_view folded) {
  for (const Field& field : table()) {
    if (field.info.name == folded) return &field;
    for (std::string_view alias : field.info.aliases)
      if (alias == folded || (alias == "à" && folded == "a")) return &field;
  }
  return nullptr;
}

bool is_reserved(std::string_view folded) {
  return std::find(std::begin(kReserved), std::end(kReserved), folded) != std::end(kReserved);
}

std::string_view nearest_field(std::string_view folded) {
  for (const Elsewhere& name : kElsewhere)
    if (name.theirs == folded) return name.ours;
  std::string_view best;
  size_t best_distance = folded.size() <= 3 ? 2 : 3;  // one edit of a short name, two of a longer one
  for (const Field& field : table()) {
    auto consider = [&](std::string_view name) {
      const size_t edits = text::edit_distance(folded, name, best_distance);
      if (edits < best_distance && edits < folded.size()) {
        best_distance = edits;
        best = name;
      }
    };
    consider(field.info.name);
    for (std::string_view alias : field.info.aliases)
      if (alias != "à") consider(alias);
  }
  return best;
}

HasValue find_has(std::string_view folded, std::string_view* canonical) {
  constexpr std::string_view kAttachment[] = {"attachment", "attachments", "pj", "piece-jointe", "pieces-jointes"};
  constexpr std::string_view kEncrypted[] = {"encrypted", "chiffre"};
  constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
      {"inline", "inline"}, {"incorpore", "inline"}, {"signature", "signature"},
      {"link", "link"},     {"lien", "link"},        {"bcc", "bcc"},
      {"cci", "bcc"},       {"variant", "variant"},  {"variante", "variant"},
  };
  constexpr std::string_view kLater[] = {"ocr", "error"};
  auto in = [&](const auto& list) { return std::find(std::begin(list), std::end(list), folded) != std::end(list); };
  if (in(kAttachment)) {
    *canonical = "attachment";
    return HasValue::kKnown;
  }
  if (in(kEncrypted)) {
    *canonical = "encrypted";
    return HasValue::kKnown;
  }
  for (const auto& [name, english] : kOthers) {
    if (folded != name) continue;
    *canonical = english;
    return HasValue::kKnown;
  }
  for (std::string_view group : kTypeGroups) {
    if (folded != group && !(group == "calendar" && folded == "calendrier")) continue;
    *canonical = group;
    return HasValue::kKnown;
  }
  return in(kLater) ? HasValue::kReserved : HasValue::kUnknown;
}

std::optional<uint64_t> parse_size(std::string_view folded) {
  constexpr uint64_t kMost = 1ull << 60;
  uint64_t whole = 0;
  size_t at = 0;
  auto digit = [&] { return at < folded.size() && folded[at] >= '0' && folded[at] <= '9'; };
  if (!digit()) return std::nullopt;
  for (; digit(); ++at) {
    whole = whole * 10 + static_cast<uint64_t>(folded[at] - '0');
    if (whole > kMost) return std::nullopt;
  }
  uint64_t thousandths = 0;
  const bool fraction = at < folded.size() && (folded[at] == '.' || folded[at] == ',');
  if (fraction) {
    ++at;
    if (!digit()) return std::nullopt;
    for (uint64_t unit = 100; digit(); ++at, unit /= 10)
      thousandths += unit * static_cast<uint64_t>(folded[at] - '0');  // further digits count nothing
  }
  unsigned shift = 0;
  if (at < folded.size()) {
    const size_t unit = std::string_view("kmg").find(folded[at]);
    if (unit != std::string_view::npos) {
      shift = 10 * static_cast<unsigned>(unit + 1);
      ++at;
    }
  }
  if (at < folded.size() && (folded[at] == 'o' || folded[at] == 'b')) ++at;
  if (at != folded.size() || (fraction && shift == 0) || whole > kMost >> shift) return std::nullopt;
  return (whole << shift) + (thousandths << shift) / 1000;
}

std::string_view find_language(std::string_view folded) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"francais", "fr"},    {"french", "fr"},   {"anglais", "en"},   {"english", "en"},    {"allemand", "de"},
      {"german", "de"},      {"espagnol", "es"}, {"spanish", "es"},   {"italien", "it"},    {"italian", "it"},
      {"neerlandais", "nl"}, {"dutch", "nl"},    {"portugais", "pt"}, {"portuguese", "pt"}, {"arabe", "ar"},
      {"arabic", "ar"},      {"chinois", "zh"},  {"chinese", "zh"},   {"japonais", "ja"},   {"japanese", "ja"},
      {"russe", "ru"},       {"russian", "ru"},  {"polonais", "pl"},  {"polish", "pl"},     {"turc", "tr"},
      {"turkish", "tr"},     {"coreen", "ko"},   {"korean", "ko"},    {"grec", "el"},       {"greek", "el"},
  };
  for (const auto& [name, code] : kNames)
    if (name == folded) return code;
  const bool code = folded.size() >= 2 && folded.size() <= 3 &&
                    std::all_of(folded.begin(), folded.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  return code ? folded : std::string_view();
}

std::string_view find_direction(std::string_view folded) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"incoming", "incoming"}, {"entrant", "incoming"},  {"inbound", "incoming"},  {"outgoing", "outgoing"},
      {"sortant", "outgoing"},  {"outbound", "outgoing"}, {"internal", "internal"}, {"interne", "internal"},
      {"bounce", "bounce"},     {"retour", "bounce"},
  };
  for (const auto& [name, english] : kNames)
    if (name == folded) return english;
  return {};
}

}  // namespace internal

const std::vector<FieldInfo>& fields() {
  static const std::vector<FieldInfo> infos = [] {
    std::vector<FieldInfo> out;
    for (const internal::Field& field : internal::table()) out.push_back(field.info);
    return out;
  }();
  return infos;
}

}  // namespace arch::query
