#include "engine/format/segment.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/bytes.h"
#include "engine/base/limits.h"
#include "engine/base/mutant.h"
#include "engine/format/base64.h"

namespace arch::segment_format {

namespace {

std::string_view view_of(const ArchiveId& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

std::string with_checksum(ByteWriter& out) {
  out.u64(checksum64(as_bytes(out.view())));
  return out.take();
}

bool checksum_holds(std::string_view bytes) {
  ByteReader tail(bytes.substr(bytes.size() - 8));
  return tail.u64() == checksum64(as_bytes(bytes.substr(0, bytes.size() - 8)));
}

tl::unexpected<Error> too_new(uint32_t version) {
  return fail(
      Code::kTooNew,
      "segment format " + std::to_string(version) + " is newer than this program's " + std::to_string(kVersion),
      "use the release that wrote it, or a newer one");
}

constexpr uint64_t pack_form(const Base64Form& form) {
  return static_cast<uint64_t>(form.line_length) << 2 | (form.crlf ? 2u : 0u) | (form.final_line_end ? 1u : 0u);
}
constexpr Base64Form unpack_form(uint64_t value) {
  return {static_cast<uint32_t>(value >> 2), (value & 2) != 0, (value & 1) != 0};
}

}  // namespace

std::string encode_header(const Header& header) {
  ByteWriter out;
  out.raw(kMagic);
  out.u32(kVersion);
  out.u32(0);
  out.raw(view_of(header.archive));
  out.u32(header.number);
  out.raw(std::string(12, '\0'));
  out.u64(static_cast<uint64_t>(header.created));
  return with_checksum(out);
}

Result<Header> decode_header(std::string_view bytes) {
  if (bytes.size() != kHeaderSize || bytes.substr(0, kMagic.size()) != kMagic)
    return fail(Code::kInvalid, "not a segment");
  if (ARCH_WRONG("segment header checksum", !checksum_holds(bytes)))
    return fail(Code::kCorrupt, "the header does not match its checksum");
  ByteReader in(bytes.substr(kMagic.size()));
  const uint32_t version = in.u32();
  const uint32_t flags = in.u32();
  if (version != kVersion || flags != 0) return too_new(version);
  Header header;
  std::string_view archive = in.raw(16);
  std::copy(archive.begin(), archive.end(), header.archive.bytes.begin());
  header.number = in.u32();
  in.raw(12);
  header.created = static_cast<UnixNs>(in.u64());
  return header;
}

std::string encode_trailer(const Trailer& trailer) {
  ByteWriter out;
  out.raw(kTrailerMagic);
  out.u32(kVersion);
  out.u32(0);
  out.u64(trailer.footer_offset);
  out.u64(trailer.digests_size);
  out.u64(trailer.meta_stored);
  out.u64(trailer.meta_raw);
  out.digest(trailer.footer_digest);
  out.digest(trailer.content_digest);
  return with_checksum(out);
}

Result<Trailer> decode_trailer(std::string_view bytes) {
  if (bytes.size() != kTrailerSize || bytes.substr(0, kTrailerMagic.size()) != kTrailerMagic)
    return fail(Code::kCorrupt, "there is no trailer at the end");
  if (ARCH_WRONG("segment trailer checksum", !checksum_holds(bytes)))
    return fail(Code::kCorrupt, "the trailer does not match its checksum");
  ByteReader in(bytes.substr(kTrailerMagic.size()));
  const uint32_t version = in.u32();
  const uint32_t flags = in.u32();
  if (version != kVersion || flags != 0) return too_new(version);
  Trailer trailer;
  trailer.footer_offset = in.u64();
  trailer.digests_size = in.u64();
  trailer.meta_stored = in.u64();
  trailer.meta_raw = in.u64();
  trailer.footer_digest = in.digest();
  trailer.content_digest = in.digest();
  return trailer;
}

void encode_footer(const Footer& footer, std::string* digests, std::string* meta) {
  digests->clear();
  for (const MessageEntry& message : footer.messages) digests->append(message.digest.view());
  for (const BlobEntry& blob : footer.blobs) digests->append(blob.digest.view());
  for (const ForeignEntry& foreign : footer.foreign) digests->append(foreign.digest.view());

  ByteWriter out;
  out.digest(footer.previous_footer_digest);
  out.varint(footer.first_sequence);
  out.varint(footer.last_sequence);
  out.varint(footer.deliveries);
  out.varint(footer.journal_files.size());
  for (const JournalFileId& file : footer.journal_files) {
    out.varint(file.number);
    out.raw({reinterpret_cast<const char*>(file.marker.data()), file.marker.size()});
  }
  out.varint(footer.blocks.size());
  out.varint(footer.messages.size());
  out.varint(footer.blobs.size());
  out.varint(footer.foreign.size());
  for (const Block& block : footer.blocks) {
    out.u8(static_cast<uint8_t>(block.stream));
    out.u8(static_cast<uint8_t>(block.codec));
    out.u8(block.level);
    out.varint(block.stored_size);
    out.varint(block.raw_size);
    out.u64(block.checksum);
  }
  // By column: equal things next to each other compress.
  for (const MessageEntry& message : footer.messages) out.varint(message.size);
  for (const MessageEntry& message : footer.messages)
    out.varint(message.skeleton_size << 1 | (message.crlf ? 1u : 0u));
  for (const MessageEntry& message : footer.messages) out.varint(message.steps.size());
  for (const MessageEntry& message : footer.messages) {
    for (const Step& step : message.steps) {
      out.varint(step.value << 2 | static_cast<uint64_t>(step.kind));
      if (step.kind == Step::Kind::kEncode || step.kind == Step::Kind::kBlobEncoded) out.varint(pack_form(step.form));
    }
  }
  for (const BlobEntry& blob : footer.blobs) out.varint(blob.size << 1 | (blob.large ? 1u : 0u));
  for (const ForeignEntry& foreign : footer.foreign) out.varint(foreign.segment);
  *meta = out.take();
}

Result<Footer> decode_footer(std::string_view digests, std::string_view meta, uint64_t footer_offset) {
  const auto bad = [](const char* why) {
    return fail(Code::kCorrupt, std::string("the footer is malformed: ") + why);
  };
  Footer footer;
  ByteReader in(meta);
  footer.previous_footer_digest = in.digest();
  footer.first_sequence = in.varint();
  footer.last_sequence = in.varint();
  footer.deliveries = in.varint();
  const uint64_t journal_files = in.varint();
  if (!in.ok() || journal_files > in.rest().size()) return bad("journal files");
  for (uint64_t i = 0; i < journal_files; ++i) {
    JournalFileId file;
    file.number = in.varint();
    std::string_view marker = in.raw(file.marker.size());
    std::copy(marker.begin(), marker.end(), file.marker.begin());
    footer.journal_files.push_back(file);
  }
  const uint64_t blocks = in.varint(), messages = in.varint(), blobs = in.varint(), foreign = in.varint();
  // Each entry takes at least a byte here: counts cannot ask for more memory than the footer is long.
  const uint64_t left = in.rest().size();
  if (!in.ok() || blocks > left || messages > left || blobs > left || foreign > left || messages > kMaxMessages)
    return bad("counts");
  if (digests.size() != (messages + blobs + foreign) * 32) return bad("number of digests");

  std::array<uint64_t, 5> stream_size{};
  uint64_t offset = kHeaderSize;
  footer.blocks.resize(blocks);
  for (Block& block : footer.blocks) {
    const uint8_t stream = in.u8(), codec = in.u8();
    block.level = in.u8();
    block.stored_size = in.varint();
    block.raw_size = in.varint();
    block.checksum = in.u64();
    if (!in.ok() || stream < 1 || stream > 4 || codec > 1) return bad("a block");
    block.stream = static_cast<Stream>(stream);
    block.codec = static_cast<Codec>(codec);
    if (block.raw_size > kMaxBlockRaw || block.stored_size > footer_offset - offset ||
        (block.codec == Codec::kStored && block.stored_size != block.raw_size))
      return bad("a block's size");
    block.offset = offset;
    offset += block.stored_size;
    stream_size[stream] += block.raw_size;
  }
  if (offset != footer_offset) return bad("the blocks do not fill the file");

  ByteReader names(digests);
  footer.messages.resize(messages);
  uint64_t skeletons = 0;
  for (MessageEntry& message : footer.messages) {
    message.digest = names.digest();
    message.size = in.varint();
    if (message.size > limits::kMessageBytes) return bad("a message's size");
  }
  for (MessageEntry& message : footer.messages) {
    const uint64_t value = in.varint();
    message.skeleton_size = value >> 1;
    message.crlf = (value & 1) != 0;
    if (message.skeleton_size > limits::kMessageBytes) return bad("a skeleton's size");
    skeletons += message.skeleton_size;
  }
  if (!in.ok() || skeletons != stream_size[static_cast<size_t>(Stream::kSkeleton)])
    return bad("the sum of the skeletons");
  for (MessageEntry& message : footer.messages) {
    const uint64_t steps = in.varint();
    if (!in.ok() || steps > kMaxSteps || steps > in.rest().size()) return bad("a recipe's length");
    message.steps.resize(steps);
  }
  for (MessageEntry& message : footer.messages) {
    uint64_t used = 0;
    for (Step& step : message.steps) {
      const uint64_t value = in.varint();
      step.kind = static_cast<Step::Kind>(value & 3);
      step.value = value >> 2;
      if (step.kind == Step::Kind::kEncode || step.kind == Step::Kind::kBlobEncoded)
        step.form = unpack_form(in.varint());
      if (step.kind == Step::Kind::kCopy || step.kind == Step::Kind::kEncode) {
        if (step.value > message.skeleton_size - used) return bad("a recipe takes more than its skeleton");
        used += step.value;
      } else if (step.value >= blobs + foreign) {
        return bad("a recipe names no blob");
      }
    }
    if (!message.steps.empty() && used != message.skeleton_size) return bad("a recipe leaves part of its skeleton");
  }
  footer.blobs.resize(blobs);
  uint64_t small = 0, large = 0;
  bool large_seen = false;
  for (BlobEntry& blob : footer.blobs) {
    blob.digest = names.digest();
    const uint64_t value = in.varint();
    blob.size = value >> 1;
    blob.large = (value & 1) != 0;
    if (blob.size > limits::kMessageBytes || (large_seen && !blob.large)) return bad("a blob");
    large_seen = blob.large;
    (blob.large ? large : small) += blob.size;
  }
  if (small != stream_size[static_cast<size_t>(Stream::kSmallPart)] ||
      large != stream_size[static_cast<size_t>(Stream::kLargePart)])
    return bad("the sum of the parts");
  footer.foreign.resize(foreign);
  for (ForeignEntry& entry : footer.foreign) {
    entry.digest = names.digest();
    entry.segment = static_cast<uint32_t>(in.varint());
  }
  if (!in.at_end()) return bad("its length");
  return footer;
}

uint64_t base64_size(uint64_t content_size, const Base64Form& form) {
  const uint64_t characters = (content_size + 2) / 3 * 4;
  const uint64_t line_end = form.crlf ? 2 : 1;
  uint64_t line_ends = 0;
  if (form.line_length > 0 && characters > 0) line_ends = (characters - 1) / form.line_length;
  if (form.final_line_end) ++line_ends;
  return characters + line_ends * line_end;
}

void append_base64(std::string_view content, const Base64Form& form, std::string* out) {
  const std::string_view line_end = form.crlf ? "\r\n" : "\n";
  if (form.line_length > 0 && form.line_length % 4 == 0) {
    const size_t line_bytes = form.line_length / 4 * 3;
    const size_t start = out->size();
    out->resize(start + base64_size(content.size(), {form.line_length, form.crlf, false}));
    char* to = out->data() + start;
    for (size_t at = 0; at < content.size(); at += line_bytes) {
      if (at > 0) to = std::copy(line_end.begin(), line_end.end(), to);
      to = base64::encode(content.substr(at, line_bytes), to);
    }
  } else {
    std::string text((content.size() + 2) / 3 * 4, '\0');
    base64::encode(content, text.data());
    const size_t length = form.line_length == 0 ? text.size() : form.line_length;
    for (size_t at = 0; at < text.size(); at += length) {
      if (at > 0) out->append(line_end);
      out->append(text, at, length);
    }
  }
  if (form.final_line_end) out->append(line_end);
}

bool decode_exact_base64(std::string_view text, std::string* content, Base64Form* form) {
  *form = Base64Form{};
  content->clear();
  if (text.empty()) return false;
  std::string_view body = text;
  if (body.back() == '\n') {
    form->final_line_end = true;
    body.remove_suffix(1);
    if (!body.empty() && body.back() == '\r') {
      form->crlf = true;
      body.remove_suffix(1);
    }
  }
  const size_t newline = body.find('\n');
  if (newline != std::string_view::npos) {
    size_t length = newline;
    bool crlf = false;
    if (length > 0 && body[length - 1] == '\r') {
      crlf = true;
      --length;
    }
    if (length == 0 || length > (1u << 20) || (form->final_line_end && crlf != form->crlf)) return false;
    form->crlf = crlf;
    form->line_length = static_cast<uint32_t>(length);
  }
  content->resize(body.size() / 4 * 3 + base64::kDecodeRoom);
  char* to = content->data();
  uint32_t bits = 0;
  int count = 0, padding = 0;
  for (const char *at = body.data(), *end = at + body.size(); at < end;) {
    // Whole groups with nothing between; the rest, and what is wrong, character by character.
    if (count == 0 && padding == 0) {
      const size_t taken = base64::decode_groups({at, static_cast<size_t>(end - at)}, to);
      to += taken / 4 * 3;
      at += taken;
    }
    if (at == end) break;
    const char c = *at++;
    if (c == '\r' || c == '\n') continue;
    if (c == '=') {
      if (++padding > 2) return false;
      bits <<= 6;
    } else {
      const int value = base64::letter_value(c);
      if (value < 0 || padding > 0) return false;
      bits = bits << 6 | static_cast<uint32_t>(value);
    }
    if (++count == 4) {
      *to++ = static_cast<char>(bits >> 16);
      if (padding < 2) *to++ = static_cast<char>(bits >> 8);
      if (padding < 1) *to++ = static_cast<char>(bits);
      bits = 0;
      count = 0;
    }
  }
  content->resize(static_cast<size_t>(to - content->data()));
  if (count != 0 || content->empty()) return false;
  // The proof, not the belief: the same bytes again.
  if (base64_size(content->size(), *form) != text.size()) return false;
  std::string again;
  again.reserve(text.size());
  append_base64(*content, *form, &again);
  return again == text;
}

}  // namespace arch::segment_format
