// One mail: who, when, its text, its attachments, how it came and how its copies differ.
#include <algorithm>
#include <array>

#include "engine/format/segment.h"
#include "engine/mime/message.h"
#include "query/extract/extract.h"
#include "query/page/clean_html.h"
#include "query/page/context.h"
#include "query/page/format.h"

namespace arch::page {

namespace {

constexpr size_t kShownDeliveries = 100;
constexpr size_t kShownRecipients = 200;
constexpr size_t kShownHeaders = 1'000;
constexpr size_t kSourceBytes = 1u << 20;
constexpr uint64_t kHtmlBytes = 4u << 20;
constexpr uint64_t kInlineImageBytes = 2u << 20;  // of one picture that the text shows
constexpr uint64_t kInlineImagesBytes = 16u << 20;

// The part that a mail program would show as HTML: the first that is no attachment and not inside an embedded mail.
// Why the text of an attachment is not there, or not all of it; empty when it is.
std::string reading_text(const api::DocumentState& state, const Strings& strings) {
  if (state.waiting) return std::string(strings.read_waiting);
  std::string_view text;
  switch (state.status) {
    case DocumentStatus::kRead:
      if (state.members_unread == 0) return {};
      return std::string(strings.read_members) + " (" + number_text(state.members_unread, strings) + " / " +
             number_text(state.members, strings) + ")";
    case DocumentStatus::kNoText:
      text = strings.read_no_text;
      break;
    case DocumentStatus::kEncrypted:
      text = strings.read_encrypted;
      break;
    case DocumentStatus::kBroken:
      text = strings.read_broken;
      break;
    case DocumentStatus::kOverLimit:
      text = strings.read_over_limit;
      break;
    case DocumentStatus::kUnknownFormat:
      text = strings.read_unknown;
      break;
    case DocumentStatus::kCrashed:
      text = strings.read_crashed;
      break;
    case DocumentStatus::kWaitsForOcr:
      text = strings.read_ocr;
      break;
  }
  return std::string(text);
}

const mime::Part* html_part(const std::vector<mime::Part>& parts) {
  int embedded = -1;  // depth of the message/rfc822 we are in
  for (const mime::Part& part : parts) {
    if (embedded >= 0 && part.depth > embedded) continue;
    embedded = part.media_type == "message/rfc822" ? part.depth : -1;
    if (!part.container && !part.attachment && part.media_type == "text/html") return &part;
  }
  return nullptr;
}

CleanHtml cleaned(std::string_view bytes, const std::vector<mime::Part>& parts, const mime::Part& html) {
  uint64_t left = kInlineImagesBytes;
  const auto picture = [&](std::string_view content_id) -> std::string {
    for (const mime::Part& part : parts) {
      if (part.container || part.content_id != content_id) continue;
      static constexpr std::array<std::string_view, 4> kPictures = {"image/png", "image/jpeg", "image/gif",
                                                                    "image/webp"};
      if (std::find(kPictures.begin(), kPictures.end(), part.media_type) == kPictures.end()) return {};
      const std::string content = mime::decode_content(bytes, part, kInlineImageBytes + 1);
      if (content.size() > kInlineImageBytes || content.size() > left) return {};
      left -= content.size();
      std::string url = "data:" + part.media_type + ";base64,";
      segment_format::append_base64(content, {}, &url);
      return url;
    }
    return {};
  };
  return clean_html(mime::to_utf8(mime::decode_content(bytes, html, kHtmlBytes), html.charset), picture);
}

Data people_data(const std::vector<mime::Address>& people) {
  Data list{Data::type::list};
  for (size_t i = 0; i < people.size() && i < kShownRecipients; ++i) {
    Data one{Data::type::object};
    const bool named = !people[i].name.empty();
    one.set("name", named ? people[i].name : people[i].address);
    if (named && !people[i].address.empty()) one.set("address", people[i].address);
    list.push_back(one);
  }
  return list;
}

class Article {
 public:
  Article(const Context& context, const api::MessageView& view)
      : context_(context), strings_(context.strings), view_(view), data_{Data::type::object} {}

  Result<std::string> render_at(std::string_view path, const Parameters& parameters) {
    const std::string id = view_.info.digest.hex();
    data_.set("t", context_.words());
    head(id);
    attachments(id);
    ARCH_TRY_VOID(content(id, path, parameters));
    variants();
    deliveries();
    headers();
    return render("message.mustache", data_);
  }

 private:
  void head(const std::string& id) {
    const MessageInfo& info = view_.info;
    data_.set("id", id);
    data_.set("id16", id.substr(0, 16));
    data_.set("subject", info.subject.empty() ? std::string(strings_.no_subject) : info.subject);
    data_.set("from", people_data(info.from));
    data_.set("to", people_data(info.to));
    data_.set("has_to", !info.to.empty());
    data_.set("cc", people_data(info.cc));
    data_.set("has_cc", !info.cc.empty());
    Data hidden{Data::type::list};
    size_t count = 0;
    for (const api::RecipientView& each : view_.recipients) {
      const bool in_header = std::any_of(each.sources.begin(), each.sources.end(),
                                         [](std::string_view source) { return source == "to" || source == "cc"; });
      if (in_header || ++count > kShownRecipients) continue;
      hidden.push_back(each.address);
    }
    data_.set("hidden", hidden);
    data_.set("has_hidden", count > 0);
    data_.set("iso", format_rfc3339(info.date));
    data_.set("date", exact_text(info.date, context_.zone, strings_));
    data_.set("size", size_text(info.size, strings_));
    if (const std::string_view way = way_text(info.direction, strings_); !way.empty()) {
      data_.set("way", std::string(way));
      data_.set("way_class", std::string(direction_name(info.direction)));
    }
    Data marks{Data::type::list};
    if (info.encrypted) marks.push_back(std::string(strings_.encrypted));
    if (info.bounce) marks.push_back(std::string(strings_.bounce));
    if (info.partial) marks.push_back(std::string(strings_.partial));
    data_.set("marks", marks);
    data_.set("raw_url", "/api/v1/messages/" + id + "/raw");
    data_.set("source_url", "/source/" + id);
    data_.set("direct_url", "/message/" + id.substr(0, 16));
    data_.set("thread_url", "/thread/" + id.substr(0, 16));
  }

  // Kept by the index, or plain enough to be read at once.
  bool has_text(const mime::Part& part) {
    if (part.media_type.rfind("text/", 0) == 0) return true;
    if (!texts_looked_for_) {
      texts_looked_for_ = true;
      if (auto text = context_.archive.text(view_.info.number)) texts_ = std::move(*text);
    }
    return std::any_of(texts_.begin(), texts_.end(), [&](const TextPiece& piece) {
      return piece.field == TextPiece::kAttachment &&
             (piece.part == part.number || piece.part.rfind(part.number + "/", 0) == 0);
    });
  }

  void attachments(const std::string& id) {
    Data list{Data::type::list};
    bool any = false;
    for (const mime::Part& part : view_.parts) {
      if (!part.attachment) continue;
      any = true;
      Data one{Data::type::object};
      one.set("name", part.filename.empty() ? std::string(strings_.attachment) + " " + part.number : part.filename);
      one.set("type", type_text(part.media_type));
      one.set("media_type", part.media_type);
      one.set("size", size_text(part.body_end - part.body_begin, strings_));
      one.set("url", "/api/v1/messages/" + id + "/parts/" + part.number);
      if (has_text(part)) one.set("read_url", "/text/" + id + "/" + part.number);
      if (auto state = view_.documents.find(part.number); state != view_.documents.end())
        if (const std::string text = reading_text(state->second, strings_); !text.empty()) one.set("reading", text);
      list.push_back(one);
    }
    data_.set("attachments", list);
    data_.set("has_attachments", any);
  }

  Result<void> content(const std::string& id, std::string_view path, const Parameters& parameters) {
    const mime::Part* html = html_part(view_.parts);
    const bool showing_html = html != nullptr && context_.parameter("view") == "html";
    data_.set("showing_text", !showing_html);
    if (html != nullptr) {
      data_.set("html", true);
      Parameters with = parameters;
      data_.set("text_url", url(path, with));
      with.emplace_back("view", "html");
      data_.set("html_url", url(path, with));
    }
    if (!showing_html) {
      if (!view_.body.empty()) data_.set("body", body_html(view_.body));
      data_.set("cut", view_.body_cut);
      return {};
    }
    data_.set("preview_url", "/preview/" + id);
    ARCH_TRY(const std::string bytes, context_.archive.get(view_.info.digest));
    const CleanHtml clean = cleaned(bytes, view_.parts, *html);
    if (clean.remote_images > 0) data_.set("remote", number_text(clean.remote_images, strings_));
    Data links{Data::type::list};
    for (const std::string& link : clean.links) links.push_back(link);
    data_.set("links", links);
    data_.set("has_links", !clean.links.empty());
    return {};
  }

  void variants() {
    const auto fields = [](const std::vector<api::VariantView::Field>& from) {
      Data list{Data::type::list};
      for (const auto& [name, value] : from) {
        Data one{Data::type::object};
        one.set("name", name);
        one.set("value", value);
        list.push_back(one);
      }
      return list;
    };
    Data list{Data::type::list};
    for (const api::VariantView& variant : view_.variants) {
      Data one{Data::type::object};
      const std::string id = variant.digest.hex();
      one.set("id", id.substr(0, 16));
      one.set("url", "/message/" + id.substr(0, 16));
      std::string channels;
      for (Channel channel : variant.channels)
        channels += (channels.empty() ? "" : ", ") + std::string(channel_name(channel));
      one.set("channels", channels);
      one.set("compared", variant.compared);
      one.set("verdict", std::string(variant.same_body ? strings_.same_text : strings_.other_text));
      one.set("only_here", fields(variant.only_here));
      one.set("only_there", fields(variant.only_there));
      list.push_back(one);
    }
    data_.set("variants", list);
    data_.set("has_variants", !view_.variants.empty());
  }

  void deliveries() {
    Data list{Data::type::list};
    for (size_t i = 0; i < view_.deliveries.size() && i < kShownDeliveries; ++i) {
      const Delivery& delivery = view_.deliveries[i].delivery;
      Data one{Data::type::object};
      one.set("iso", format_rfc3339(delivery.captured));
      one.set("time", exact_text(delivery.captured, context_.zone, strings_));
      one.set("channel", std::string(channel_name(delivery.channel)));
      one.set("from", delivery.has_mail_from ? "<" + delivery.mail_from + ">" : std::string());
      std::string to;
      for (size_t j = 0; j < delivery.rcpt.size() && j < kShownRecipients; ++j)
        to += (j == 0 ? "" : ", ") + delivery.rcpt[j].address;
      one.set("to", to.empty() ? delivery.origin : to);
      one.set("queue_id", delivery.queue_id);
      std::string client = delivery.client_name;
      if (!delivery.client_addr.empty()) client += (client.empty() ? "" : " ") + ("[" + delivery.client_addr + "]");
      if (!delivery.auth_user.empty())
        client += (client.empty() ? "" : ", ") + (std::string(strings_.login) + " " + delivery.auth_user);
      one.set("client", client);
      list.push_back(one);
    }
    data_.set("deliveries", list);
  }

  void headers() {
    Data list{Data::type::list};
    for (size_t i = 0; i < view_.headers.size() && i < kShownHeaders; ++i) {
      Data one{Data::type::object};
      one.set("name", view_.headers[i].first);
      one.set("value", view_.headers[i].second);
      list.push_back(one);
    }
    data_.set("headers", list);
  }

  const Context& context_;
  const Strings& strings_;
  const api::MessageView& view_;
  bool texts_looked_for_ = false;
  MessageText texts_;
  Data data_;
};

}  // namespace

// Escaped, with lines quoted from the mail answered set apart.
std::string body_html(std::string_view body) {
  std::string out;
  bool quoting = false;
  while (!body.empty()) {
    const size_t end = body.find('\n');
    const std::string_view line = body.substr(0, end == std::string_view::npos ? body.size() : end + 1);
    body.remove_prefix(line.size());
    const bool quote = !line.empty() && line.front() == '>';
    if (quote != quoting) out += quote ? "<span class=\"quote\">" : "</span>";
    quoting = quote;
    out += escape_html(line);
  }
  return quoting ? out + "</span>" : out;
}

std::string people_text(const std::vector<mime::Address>& people) {
  std::string out;
  for (const mime::Address& person : people) {
    if (out.size() > 120) return out + " …";
    out += (out.empty() ? "" : ", ") + (person.name.empty() ? person.address : person.name);
  }
  return out;
}

Result<std::string> message_article(const Context& context, const std::string& id, std::string_view path,
                                    const Parameters& parameters) {
  ARCH_TRY(api::MessageView view, api::view_message(context.archive, id));
  return Article(context, view).render_at(path, parameters);
}

Response message_page(const Context& context, const std::string& id) {
  auto article = message_article(context, id, "/message/" + id, {});
  if (!article) return problem_page(context, article.error());
  Response response = page_around(context, *article, std::string(context.strings.message), "single", {});
  response.action = "view";
  response.object = id;
  return response;
}

Response source_page(const Context& context, const std::string& id) {
  auto bytes = api::raw_message(context.archive, id);
  if (!bytes) return problem_page(context, bytes.error());
  Data data{Data::type::object};
  data.set("t", context.words());
  data.set("message_url", "/message/" + id);
  data.set("raw_url", "/api/v1/messages/" + id + "/raw");
  data.set("cut", bytes->size() > kSourceBytes);
  data.set("source", mime::to_utf8(std::string_view(*bytes).substr(0, kSourceBytes), {}));
  Response response =
      page_around(context, render("source.mustache", data), std::string(context.strings.source), "single", {});
  response.action = "source";
  response.object = id;
  return response;
}

Response preview(const Context& context, const std::string& id) {
  auto bytes = api::raw_message(context.archive, id);
  if (!bytes) return problem_page(context, bytes.error());
  const mime::Message parsed = mime::parse(*bytes);
  const mime::Part* html = html_part(parsed.parts);
  if (html == nullptr)
    return problem_page(context, std::move(fail(Code::kNotFound, "this mail has no HTML part")).value());
  Response response;
  response.body =
      "<!doctype html><html><head><meta charset=\"utf-8\"><style>body{font:15px/1.4 system-ui,sans-serif;margin:12px;"
      "color:#111;background:#fff;overflow-wrap:anywhere}.image{display:inline-block;border:1px solid "
      "#bbb;background:#eee;color:#444;padding:2px 6px;font-size:12px}.link{color:#555;font-size:10px}"
      "a{color:#0b5cad;text-decoration:underline}img{max-width:100%;height:auto}</style></head><body>" +
      cleaned(*bytes, parsed.parts, *html).html + "</body></html>\n";
  response.headers.emplace_back(
      "Content-Security-Policy",
      "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
      "frame-ancestors 'self'");
  response.headers.emplace_back("Cache-Control", "private, no-store");
  response.action = "preview";
  response.object = id;
  return response;
}

Response text_page(const Context& context, const std::string& rest) {
  const size_t slash = rest.find('/');
  const std::string id = rest.substr(0, slash),
                    part = slash == std::string::npos ? std::string() : rest.substr(slash + 1);
  auto text = api::part_text(context.archive, id, part);
  if (!text) return problem_page(context, text.error());
  Data data{Data::type::object};
  data.set("t", context.words());
  data.set("name", text->filename.empty() ? std::string(context.strings.attachment) + " " + part : text->filename);
  data.set("type", type_text(text->media_type));
  data.set("message_url", "/message/" + id);
  data.set("file_url", "/api/v1/messages/" + text->message.hex() + "/parts/" + part);
  if (text->known) data.set("body", body_html(text->text));
  if (const std::string state = reading_text(text->document, context.strings); !state.empty())
    data.set("reading", state);
  data.set("cut", text->cut);
  Response response = page_around(context, render("text.mustache", data), text->filename, "single", {});
  response.action = "text";
  response.object = text->message.hex() + " " + part;
  return response;
}

}  // namespace arch::page
