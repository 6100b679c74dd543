#include "tools/ask/wire.h"

#include "engine/base/bytes.h"

namespace arch::ask {
namespace {

constexpr std::string_view kMagic = "archctl?";

void put(ByteWriter* out, const Screen& screen) {
  out->u8(static_cast<uint8_t>((screen.interactive ? 1 : 0) | (screen.colour ? 2 : 0)));
  out->u32(screen.columns);
}
Screen get_screen(ByteReader* in) {
  Screen screen;
  const uint8_t flags = in->u8();
  screen.interactive = (flags & 1) != 0;
  screen.colour = (flags & 2) != 0;
  screen.columns = in->u32();
  return screen;
}

tl::unexpected<Error> malformed(const char* what) {
  return fail(Code::kInvalid, std::string("no such packet: ") + what);
}

}  // namespace

std::string socket_directory(const std::string& archive) { return archive + "/state"; }

std::string encode(const Request& request) {
  ByteWriter out;
  out.raw(kMagic);
  out.u32(kProtocol);
  out.sized(request.version);
  out.varint(request.words.size());
  for (const std::string& word : request.words) out.sized(word);
  out.sized(request.config);
  out.u8(request.archive_is_configured ? 1 : 0);
  out.sized(request.data_dir);
  put(&out, request.out);
  put(&out, request.err);
  return out.take();
}

Result<Request> parse_request(std::string_view packet) {
  if (packet.size() > kMaxRequestBytes) return malformed("a request is too large");
  ByteReader in(packet);
  if (in.raw(kMagic.size()) != kMagic) return malformed("it does not begin as a request");
  if (in.u32() != kProtocol) return malformed("another protocol");
  Request request;
  request.version = in.sized();
  const uint64_t words = in.varint();
  if (!in.ok() || words > kMaxWords) return malformed("too many words");
  size_t bytes = 0;
  for (uint64_t i = 0; i < words && in.ok(); ++i) {
    request.words.emplace_back(in.sized());
    bytes += request.words.back().size();
  }
  if (bytes > kMaxWordBytes) return malformed("the words are too long");
  request.config = in.sized();
  request.archive_is_configured = in.u8() != 0;
  request.data_dir = in.sized();
  request.out = get_screen(&in);
  request.err = get_screen(&in);
  if (!in.at_end()) return malformed("a request of another length");
  if (request.config.size() > kMaxConfigBytes) return malformed("the configuration is too large");
  return request;
}

std::string encode(const Answer& answer) {
  ByteWriter out;
  out.u8(static_cast<uint8_t>(Reply::kAnswer));
  out.u8(answer.status);
  out.u32(answer.out_bytes);
  out.u32(answer.err_bytes);
  out.u8(answer.in_file ? 1 : 0);
  out.raw(answer.text);
  return out.take();
}
std::string encode_taken() { return std::string(1, static_cast<char>(Reply::kTaken)); }
std::string encode_no(std::string_view why) {
  return std::string(1, static_cast<char>(Reply::kNo)) + std::string(why);
}

Result<Said> parse_reply(std::string_view packet) {
  ByteReader in(packet);
  Said said;
  switch (in.u8()) {
    case static_cast<uint8_t>(Reply::kTaken):
      said.reply = Reply::kTaken;
      if (!in.at_end()) return malformed("more than a word");
      return said;
    case static_cast<uint8_t>(Reply::kNo):
      said.reply = Reply::kNo;
      said.why = in.rest();
      return said;
    case static_cast<uint8_t>(Reply::kAnswer):
      break;
    default:
      return malformed("no reply");
  }
  said.reply = Reply::kAnswer;
  said.answer.status = in.u8();
  said.answer.out_bytes = in.u32();
  said.answer.err_bytes = in.u32();
  said.answer.in_file = in.u8() != 0;
  if (!in.ok()) return malformed("a short answer");
  said.answer.text = in.rest();
  const uint64_t said_bytes = uint64_t{said.answer.out_bytes} + said.answer.err_bytes;
  if (said_bytes > kMaxAnswerBytes || said.answer.text.size() != (said.answer.in_file ? 0 : said_bytes))
    return malformed("an answer of another length");
  return said;
}

}  // namespace arch::ask
