// From the archive to the values that are shown.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "engine/base/ascii.h"
#include "engine/io/fs.h"
#include "query/api/api.h"
#include "query/api/state.h"
#include "query/extract/extract.h"
#include "query/text/analyser.h"

namespace arch::api {
namespace {

constexpr size_t kMaxDeliveries = 1'000;
constexpr size_t kMaxVariants = 1'000;
constexpr uint64_t kFewJoins = 5;    // copies that differ are no alarm below
constexpr size_t kMaxCompared = 20;  // whose bytes are read
constexpr size_t kMaxRecipients = 20'000;

Result<Digest> find(const Archive& archive, const std::string& id) {
  ARCH_TRY(DigestPrefix prefix, DigestPrefix::parse(id));
  return archive.resolve(prefix);
}

// What a mail program would show as the mail itself: text parts that are no attachments; of alternatives the plain one
// when it has words; nothing of embedded messages.
std::string readable_body(std::string_view bytes, const mime::Message& parsed, bool* cut) {
  struct Container {
    int depth;
    size_t part;
    std::string_view type;
  };
  std::vector<Container> open;
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t told = kNone;  // the multipart/alternative whose plain text was shown
  std::string out;
  *cut = false;
  for (size_t i = 0; i < parsed.parts.size(); ++i) {
    const mime::Part& part = parsed.parts[i];
    while (!open.empty() && open.back().depth >= part.depth) open.pop_back();
    if (part.container) {
      open.push_back({part.depth, i, part.media_type});
      continue;
    }
    bool embedded = false;
    size_t alternative = kNone;
    for (const Container& container : open) {
      embedded = embedded || container.type == "message/rfc822";
      if (container.type == "multipart/alternative") alternative = container.part;
    }
    bool html = part.media_type == "text/html";
    if (embedded || part.attachment || (!html && part.media_type != "text/plain")) continue;
    if (html && alternative != kNone && alternative == told) continue;
    std::string text = mime::to_utf8(mime::decode_content(bytes, part, 4 * kBodyBytes), part.charset);
    if (html) text = extract::html_to_text(text, true);
    if (!text::Scanner(text).next()) continue;
    if (!html && alternative != kNone) told = alternative;
    if (!out.empty() && out.back() != '\n') out.push_back('\n');
    if (out.size() + text.size() > kBodyBytes) {
      size_t room = kBodyBytes - std::min<size_t>(out.size(), kBodyBytes);
      while (room > 0 && room < text.size() && (static_cast<uint8_t>(text[room]) & 0xc0) == 0x80) --room;
      *cut = true;
      return out.append(text, 0, room);
    }
    out += text;
  }
  return out;
}

// People by address, in the order met. An envelope that only says "archive this" is no sign of a person.
class Recipients {
 public:
  void add(const MessageInfo& info) {
    for (const auto& [people, source] :
         {std::pair(&info.to, "to"), std::pair(&info.cc, "cc"), std::pair(&info.bcc, "bcc")})
      for (const mime::Address& person : *people)
        if (!person.address.empty()) add(person.address, person.name, source);
  }
  void add(const Delivery& delivery) {
    if (is_archive_copy(delivery)) return;
    for (const Recipient& recipient : delivery.rcpt) add(recipient.address, {}, "rcpt-to");
  }
  std::vector<RecipientView> take() { return std::move(list_); }

 private:
  void add(const std::string& address, const std::string& name, std::string_view source) {
    auto [place, fresh] = places_.emplace(ascii_lower(address), list_.size());
    if (fresh) {
      if (list_.size() == kMaxRecipients) {
        places_.erase(place);
        return;
      }
      list_.push_back({address, name, {}});
    }
    RecipientView& one = list_[place->second];
    if (one.name.empty()) one.name = name;
    if (std::find(one.sources.begin(), one.sources.end(), source) != one.sources.end()) return;
    one.sources.push_back(source);
    constexpr std::array<std::string_view, 4> kOrder = {"rcpt-to", "to", "cc", "bcc"};
    const auto rank = [&](std::string_view each) { return std::find(kOrder.begin(), kOrder.end(), each); };
    std::sort(one.sources.begin(), one.sources.end(),
              [&](std::string_view a, std::string_view b) { return rank(a) < rank(b); });
  }
  std::map<std::string, size_t> places_;
  std::vector<RecipientView> list_;
};

// Without CR in front of LF, and without line ends at the end.
std::string normalised(std::string_view body) {
  std::string out;
  out.reserve(body.size());
  for (size_t i = 0; i < body.size(); ++i)
    if (body[i] != '\r' || i + 1 == body.size() || body[i + 1] != '\n') out.push_back(body[i]);
  while (!out.empty() && (out.back() == '\n' || out.back() == '\r')) out.pop_back();
  return out;
}

void compare(std::string_view here, std::string_view there, VariantView* variant) {
  const mime::Message a = mime::parse_fields(here), b = mime::parse_fields(there);
  variant->compared = true;
  variant->same_body = normalised(here.substr(std::min<uint64_t>(a.header_end, here.size()))) ==
                       normalised(there.substr(std::min<uint64_t>(b.header_end, there.size())));
  using Fields = std::vector<VariantView::Field>;
  const auto left_over = [](const Fields& fields, const Fields& others) {
    std::multiset<VariantView::Field> unmatched;
    for (const auto& [name, value] : others) unmatched.emplace(ascii_lower(name), value);
    Fields out;
    for (const auto& [name, value] : fields) {
      auto found = unmatched.find({ascii_lower(name), value});
      if (found != unmatched.end()) {
        unmatched.erase(found);
      } else {
        out.emplace_back(name, value);
      }
    }
    return out;
  };
  variant->only_here = left_over(a.headers, b.headers);
  variant->only_there = left_over(b.headers, a.headers);
}

}  // namespace

Result<std::string> raw_message(const Archive& archive, const std::string& id) {
  ARCH_TRY(Digest digest, find(archive, id));
  return archive.get(digest);
}

namespace {

Result<std::map<std::string, DocumentState>> states_of(const Archive& archive, uint64_t number) {
  std::map<std::string, DocumentState> out;
  ARCH_TRY(auto documents, archive.documents_of(number));
  for (const auto& [part, digest] : documents) {
    DocumentState state;
    ARCH_TRY(auto document, archive.document(digest));
    state.waiting = !document.has_value();
    if (document) {
      state.status = document->status;
      state.why = document->why;
      state.tool = document->tool;
      state.language = document->language;
      state.members = document->members.size();
      for (const KeptDocument::Member& member : document->members)
        if (member.status != DocumentStatus::kRead && member.status != DocumentStatus::kNoText)
          ++state.members_unread;
    }
    out.emplace(part, std::move(state));
  }
  return out;
}

}  // namespace

Result<PartText> part_text(const Archive& archive, const std::string& id, const std::string& part) {
  ARCH_TRY(const Digest digest, find(archive, id));
  ARCH_TRY(const std::string bytes, archive.get(digest));
  const mime::Message parsed = mime::parse(bytes);
  const auto found = std::find_if(parsed.parts.begin(), parsed.parts.end(),
                                  [&](const mime::Part& each) { return each.number == part && !each.container; });
  if (found == parsed.parts.end())
    return fail(Code::kNotFound, "message " + digest.hex().substr(0, 16) + " has no part " + part);
  PartText out;
  out.message = digest;
  out.media_type = found->media_type;
  out.filename = found->filename;
  ARCH_TRY(const MessageInfo info, archive.info(digest));
  // What the index read, members of containers among it; a part that is text is read here when the index has not been there.
  if (auto pieces = archive.text(info.number)) {
    for (const TextPiece& piece : *pieces) {
      if (piece.field != TextPiece::kAttachment || (piece.part != part && piece.part.rfind(part + "/", 0) != 0))
        continue;
      if (out.known) out.text += '\n';
      out.text += piece.text;
      out.known = true;
    }
  } else if (pieces.error().code != Code::kNotFound) {
    return tl::unexpected<Error>(pieces.error());
  }
  ARCH_TRY(auto states, states_of(archive, info.number));
  if (auto state = states.find(part); state != states.end()) out.document = state->second;
  if (!out.known && found->media_type.rfind("text/", 0) == 0) {
    out.known = true;
    out.text = mime::to_utf8(mime::decode_content(bytes, *found, kPartTextBytes + 1), found->charset);
    if (found->media_type == "text/html") out.text = extract::html_to_text(out.text, true);
  }
  if (out.text.size() > kPartTextBytes) {
    size_t end = kPartTextBytes;
    while (end > 0 && (static_cast<unsigned char>(out.text[end]) & 0xc0) == 0x80) --end;
    out.text.resize(end);
    out.cut = true;
  }
  return out;
}

Result<MessageView> view_message(const Archive& archive, const std::string& id) {
  MessageView view;
  ARCH_TRY(Digest digest, find(archive, id));
  ARCH_TRY(view.info, archive.info(digest));
  ARCH_TRY(std::string bytes, archive.get(digest));
  mime::Message parsed = mime::parse(bytes);
  view.body = readable_body(bytes, parsed, &view.body_cut);
  view.headers = std::move(parsed.headers);
  view.parts = std::move(parsed.parts);
  ARCH_TRY(view.documents, states_of(archive, view.info.number));
  std::vector<uint64_t> sequences = view.info.deliveries;
  Recipients recipients;
  recipients.add(view.info);
  ARCH_TRY(std::vector<uint64_t> copies, archive.copies(view.info));
  for (uint64_t number : copies) {
    if (number == view.info.number || view.variants.size() == kMaxVariants) continue;
    ARCH_TRY(MessageInfo other, archive.info(number));
    sequences.insert(sequences.end(), other.deliveries.begin(), other.deliveries.end());
    recipients.add(other);
    VariantView variant;
    variant.digest = other.digest;
    variant.size = other.size;
    if (view.variants.size() < kMaxCompared)
      if (auto its_bytes = archive.get(other.digest)) compare(bytes, *its_bytes, &variant);
    for (size_t i = 0; i < other.deliveries.size() && i < kMaxCompared; ++i) {
      ARCH_TRY(DeliveryInfo delivery, archive.delivery(other.deliveries[i]));
      const Channel channel = delivery.delivery.channel;
      if (std::find(variant.channels.begin(), variant.channels.end(), channel) == variant.channels.end())
        variant.channels.push_back(channel);
    }
    view.variants.push_back(std::move(variant));
  }
  std::sort(sequences.begin(), sequences.end());
  view.delivery_count = sequences.size();
  for (size_t i = 0; i < sequences.size() && i < kMaxDeliveries; ++i) {
    ARCH_TRY(DeliveryInfo delivery, archive.delivery(sequences[i]));
    recipients.add(delivery.delivery);
    view.deliveries.push_back(std::move(delivery));
  }
  view.recipients = recipients.take();
  return view;
}

Result<std::vector<RecipientView>> recipients_of(const Archive& archive, const MessageInfo& info) {
  Recipients recipients;
  recipients.add(info);
  for (size_t i = 0; i < info.deliveries.size() && i < kMaxDeliveries; ++i) {
    ARCH_TRY(DeliveryInfo delivery, archive.delivery(info.deliveries[i]));
    recipients.add(delivery.delivery);
  }
  return recipients.take();
}

Result<StatusView> status(const Archive& archive, UnixNs now) {
  StatusView view;
  view.now = now;
  view.directory = archive.directory();
  view.id = archive.id();
  view.rebuilding = archive.rebuilding();
  ARCH_TRY(view.archive, archive.status());
  const ArchiveStatus& state = view.archive;
  if (state.joined_differing >= kFewJoins &&
      state.joined_differing * 1'000 > state.joined_same + state.joined_differing)
    view.archive.alarms.push_back(
        std::to_string(state.joined_differing) + " of " + std::to_string(state.joined_same + state.joined_differing) +
        " mails came in two copies with different text or header: something between milter and "
        "always_bcc changes mail (archctl show names the differences)");
  ARCH_TRY(ArchiveUsage usage, archive.usage());
  view.messages = usage.messages;
  view.deliveries = usage.deliveries;
  ARCH_TRY(view.verified, summarise_verified(Fs::real(), archive.directory()));
  if (view.verified.damaged > 0)
    view.archive.alarms.push_back(
        std::to_string(view.verified.damaged) +
        " segments were damaged when they were read last; archctl verify says what is lost");
  view.reconcile = read_reconcile(archive.directory());
  view.canary = read_canary(archive.directory());
  if (auto alerts = read_alerts(Fs::real(), archive.directory())) {
    view.alerts = std::move(*alerts);
    std::stable_sort(view.alerts.begin(), view.alerts.end(),
                     [](const Alert& a, const Alert& b) { return a.severity > b.severity; });
  } else {
    view.alerts_note = describe(alerts.error());
  }
  ARCH_TRY(view.documents, archive.document_counts());
  auto searcher = search::Searcher::open(archive);
  if (!searcher) {  // a damaged index is part of the answer
    view.index_note = describe(searcher.error());
    view.index.stored = view.index.pending = view.archive.last_sequence;
    return view;
  }
  view.has_index = (*searcher)->has_index();
  ARCH_TRY(view.building, index::building(archive.directory()));
  ARCH_TRY(view.index, (*searcher)->completeness());
  return view;
}

}  // namespace arch::api
