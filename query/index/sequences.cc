#include "query/index/sequences.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "query/index/generation.h"
#include "query/text/analyser.h"

namespace arch::index {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is read in place");

constexpr char kMagic[8] = {'A', 'R', 'C', 'H', 'S', 'E', 'Q', '1'};
constexpr uint32_t kUnknown = 1u << 31;  // in ends_
constexpr size_t kBucket = 16;           // words whose common beginnings are written once
constexpr size_t kPadding = 32;          // behind the codes: a vector may be read where a message ends
// Ranks 0 to 5, always of one byte: where a piece of each field begins, and a word that has no code of its own.
constexpr uint32_t kFields = 5;
constexpr uint32_t kRare = kFields;
constexpr uint32_t kFixed = kFields + 1;

struct Header {
  char magic[8];
  uint64_t first, last;
  uint64_t late, words, word_bytes, code_bytes;
  uint32_t stops, checksum;
};
static_assert(sizeof(Header) == 64);

// Of the whole file, as if the field itself were 0.
uint32_t checksum_of(Header header, std::string_view behind) {
  header.checksum = 0;
  Checksum64 sum;
  sum.update(as_bytes(std::string_view(reinterpret_cast<const char*>(&header), sizeof header)));
  sum.update(as_bytes(behind));
  return static_cast<uint32_t>(sum.value());
}

uint64_t padded(uint64_t bytes) { return (bytes + 7) / 8 * 8; }

// (s,c)-dense codes: s ranks of one byte, s*c of two, s*c*c of three …
std::string code_of_rank(uint32_t rank, uint32_t stops) {
  const uint32_t continues = 256 - stops;
  std::string out(1, static_cast<char>(rank % stops));
  for (uint32_t rest = rank / stops; rest > 0; rest = (rest - 1) / continues)
    out.insert(out.begin(), static_cast<char>(stops + (rest - 1) % continues));
  return out;
}

// Which s makes the codes of these counts (falling) shortest.
uint32_t best_stops(const std::vector<uint64_t>& counts) {
  std::vector<uint64_t> sums(counts.size() + 1, 0);
  for (size_t i = 0; i < counts.size(); ++i) sums[i + 1] = sums[i] + counts[i];
  uint64_t least = UINT64_MAX;
  uint32_t best = 128;
  for (uint32_t stops = 32; stops < 250; ++stops) {
    uint64_t bytes = 0, done = 0, width = stops;
    for (uint64_t length = 1; done < counts.size(); ++length, width *= 256 - stops) {
      const uint64_t end = std::min<uint64_t>(counts.size(), done + width);
      bytes += length * (sums[end] - sums[done]);
      done = end;
    }
    if (bytes >= least) continue;
    least = bytes;
    best = stops;
  }
  return best;
}

// The first place at or behind `from` where `wanted` stands in `text`, behind the end of a code. Bytes up to kPadding behind the text
// may be read.
size_t find_code(std::string_view text, std::string_view wanted, unsigned stops, size_t from) {
  if (text.size() < wanted.size()) return std::string_view::npos;
  const char* bytes = text.data();
  const size_t end = text.size() - wanted.size() + 1;
  const auto is = [&](size_t at) {
    return (at == 0 || static_cast<unsigned char>(bytes[at - 1]) < stops) &&
           std::memcmp(bytes + at, wanted.data(), wanted.size()) == 0;
  };
#if defined(__SSE2__)
  // Two bytes of it at 16 places at once; the second at most 15 behind the first, so that no more than the padding is read.
  const size_t apart = std::min<size_t>(wanted.size() - 1, 15);
  const __m128i head = _mm_set1_epi8(wanted[0]), tail = _mm_set1_epi8(wanted[apart]);
  for (size_t at = from; at < end; at += 16) {
    const __m128i heads = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + at));
    const __m128i tails = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + at + apart));
    auto mask = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(heads, head), _mm_cmpeq_epi8(tails, tail))));
    for (; mask != 0; mask &= mask - 1) {
      const size_t place = at + static_cast<size_t>(std::countr_zero(mask));
      if (place >= end) return std::string_view::npos;
      if (is(place)) return place;
    }
  }
#else
  for (size_t at = from; at < end; ++at)
    if (is(at)) return at;
#endif
  return std::string_view::npos;
}

/// Words of all texts, each once.
class Vocabulary {
 public:
  Vocabulary() : table_(1u << 16) {}
  uint32_t of(std::string_view word) {
    const size_t hash = std::hash<std::string_view>()(word);
    const auto tag = static_cast<uint32_t>(hash >> 32);
    for (size_t at = hash & (table_.size() - 1);; at = (at + 1) & (table_.size() - 1)) {
      Slot& slot = table_[at];
      if (slot.word == 0) {
        slot = {static_cast<uint32_t>(entries_.size() + 1), tag};
        entries_.push_back({bytes_.size(), static_cast<uint32_t>(word.size()), 1});
        bytes_.append(word);
        if (entries_.size() * 2 > table_.size()) grow();
        return static_cast<uint32_t>(entries_.size() - 1);
      }
      if (slot.tag != tag || this->word(slot.word - 1) != word) continue;
      ++entries_[slot.word - 1].count;
      return slot.word - 1;
    }
  }
  std::string_view word(uint32_t i) const {
    return std::string_view(bytes_).substr(entries_[i].at, entries_[i].size);
  }
  uint32_t count(uint32_t i) const { return entries_[i].count; }
  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }

 private:
  struct Slot {
    uint32_t word = 0;  // + 1
    uint32_t tag = 0;
  };
  struct Entry {
    size_t at;
    uint32_t size, count;
  };
  void grow() {
    table_.assign(table_.size() * 2, Slot{});
    for (uint32_t i = 0; i < entries_.size(); ++i) {
      const size_t hash = std::hash<std::string_view>()(word(i));
      size_t at = hash & (table_.size() - 1);
      while (table_[at].word != 0) at = (at + 1) & (table_.size() - 1);
      table_[at] = {i + 1, static_cast<uint32_t>(hash >> 32)};
    }
  }
  std::vector<Slot> table_;
  std::vector<Entry> entries_;
  std::string bytes_;
};

size_t common_bytes(std::string_view a, std::string_view b) {
  size_t same = 0;
  while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
  return same;
}

}  // namespace

// ── writing ──

struct SequenceWriter::State {
  uint64_t first = 0;
  Vocabulary vocabulary;
  // Of all texts: a field below kFields, or kFixed + a word. As varints, since most words that are met again came early: two bytes
  // each where a number would be four.
  ByteWriter words;
  uint64_t word_count = 0;
  std::vector<uint32_t> ends;  // of each message in words; kUnknown set: its text is not known
  std::array<uint64_t, kFixed> fixed{};
};

SequenceWriter::SequenceWriter(uint64_t first) : state_(std::make_unique<State>()) { state_->first = first; }
SequenceWriter::~SequenceWriter() = default;

void SequenceWriter::add(const MessageText& text) {
  State& s = *state_;
  for (const TextPiece& piece : text) {
    if (piece.field < TextPiece::kSubject || piece.field > TextPiece::kAttachment) continue;
    const uint32_t field = piece.field - TextPiece::kSubject;
    s.words.varint(field);
    ++s.fixed[field];
    ++s.word_count;
    for (text::Scanner scanner(piece.text); scanner.next(); ++s.word_count)
      s.words.varint(kFixed + s.vocabulary.of(scanner.term()));
  }
  ARCH_CHECK(s.words.size() < kUnknown);
  s.ends.push_back(static_cast<uint32_t>(s.words.size()) | (text.empty() ? kUnknown : 0));
}

bool SequenceWriter::full() const { return state_->ends.size() >= kMessages || state_->word_count >= kWords; }
uint64_t SequenceWriter::last() const { return state_->first + state_->ends.size() - 1; }

Result<void> SequenceWriter::write(const std::string& path, const std::vector<LateText>& late) {
  State& s = *state_;
  std::vector<uint32_t> by_count;
  for (uint32_t i = 0; i < s.vocabulary.size(); ++i) {
    if (s.vocabulary.count(i) >= kLeast) {
      by_count.push_back(i);
    } else {
      s.fixed[kRare] += s.vocabulary.count(i);
    }
  }
  std::sort(by_count.begin(), by_count.end(), [&](uint32_t a, uint32_t b) {
    return s.vocabulary.count(a) != s.vocabulary.count(b) ? s.vocabulary.count(a) > s.vocabulary.count(b) : a < b;
  });
  std::vector<uint64_t> counts(s.fixed.begin(), s.fixed.end());
  for (uint32_t word : by_count) counts.push_back(s.vocabulary.count(word));

  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.first = s.first;
  header.last = last();
  header.late = late.size();
  header.words = by_count.size();
  header.stops = best_stops(counts);

  std::vector<uint32_t> ranks(s.vocabulary.size(), kRare);
  for (size_t i = 0; i < by_count.size(); ++i) ranks[by_count[i]] = kFixed + static_cast<uint32_t>(i);
  std::vector<std::string> codes;
  for (uint32_t rank = 0; rank < counts.size(); ++rank) codes.push_back(code_of_rank(rank, header.stops));
  header.code_bytes = 0;
  for (size_t rank = 0; rank < counts.size(); ++rank) header.code_bytes += counts[rank] * codes[rank].size();
  if (header.code_bytes >= kUnknown)
    return fail(Code::kTooLarge, path + ": the texts of so many messages are too long");

  std::sort(by_count.begin(), by_count.end(),
            [&](uint32_t a, uint32_t b) { return s.vocabulary.word(a) < s.vocabulary.word(b); });
  ByteWriter words;
  std::vector<uint32_t> buckets;
  for (size_t i = 0; i < by_count.size(); ++i) {
    std::string_view word = s.vocabulary.word(by_count[i]);
    if (i % kBucket == 0) {
      buckets.push_back(static_cast<uint32_t>(words.size()));
    } else {
      const size_t same = common_bytes(word, s.vocabulary.word(by_count[i - 1]));
      words.u8(static_cast<uint8_t>(same));
      word.remove_prefix(same);
    }
    words.u8(static_cast<uint8_t>(word.size()));
    words.raw(word);
    words.varint(ranks[by_count[i]]);
  }
  header.word_bytes = words.size();

  // The codes are most of the file and are written where they stay; the rest in front of them is small.
  std::string file;
  file.reserve(sizeof header + padded(late.size() * sizeof(LateText)) + padded(s.ends.size() * sizeof(uint32_t)) +
               padded(buckets.size() * sizeof(uint32_t)) + padded(words.size()) + header.code_bytes + kPadding);
  file.append(reinterpret_cast<const char*>(&header), sizeof header);
  const auto append = [&file](const void* bytes, size_t size) {
    file.append(static_cast<const char*>(bytes), size);
    file.resize(padded(file.size()));
  };
  std::vector<char> late_bytes(late.size() * sizeof(LateText), 0);  // its padding, too
  for (size_t i = 0; i < late.size(); ++i) {
    std::memcpy(late_bytes.data() + i * sizeof(LateText) + offsetof(LateText, number), &late[i].number, 8);
    std::memcpy(late_bytes.data() + i * sizeof(LateText) + offsetof(LateText, times), &late[i].times, 4);
  }
  append(late_bytes.data(), late_bytes.size());
  const size_t ends_at = file.size();
  std::vector<uint32_t> ends(s.ends.size());
  append(ends.data(), ends.size() * sizeof ends[0]);
  append(buckets.data(), buckets.size() * sizeof buckets[0]);
  append(words.view().data(), words.size());
  const size_t codes_at = file.size();
  for (size_t i = 0, at = 0; i < ends.size(); ++i) {
    const uint32_t end = s.ends[i] & ~kUnknown;
    ByteReader text(s.words.view().substr(at, end - at));
    while (!text.rest().empty()) {
      const uint64_t word = text.varint();
      file += codes[word < kFixed ? word : ranks[word - kFixed]];
    }
    at = end;
    ends[i] = static_cast<uint32_t>(file.size() - codes_at) | (s.ends[i] & kUnknown);
  }
  ARCH_CHECK(file.size() - codes_at == header.code_bytes);
  std::memcpy(file.data() + ends_at, ends.data(), ends.size() * sizeof ends[0]);
  file.resize(file.size() + kPadding);
  header.checksum = checksum_of(header, std::string_view(file).substr(sizeof header));
  std::memcpy(file.data(), &header, sizeof header);
  return write_synced(path, file);
}

// ── reading ──

Result<std::shared_ptr<const Sequences>> Sequences::open(const std::string& path, uint64_t first, uint64_t last) {
  ARCH_TRY(MappedFile file, MappedFile::open(path));
  const size_t size = file.bytes().size();
  const auto damaged = [&] { return fail(Code::kCorrupt, path + " is damaged"); };
  if (size < sizeof(Header)) return damaged();
  std::shared_ptr<Sequences> out(new Sequences());
  out->file_ = std::move(file);
  const char* bytes = out->file_.bytes().data();
  Header header;
  std::memcpy(&header, bytes, sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.first != first || header.last != last ||
      last < first || last - first >= SequenceWriter::kMessages || header.stops <= kFixed || header.stops > 255 ||
      header.late > last - first + 1 || header.words > UINT32_MAX || header.word_bytes > UINT32_MAX ||
      header.code_bytes >= kUnknown)
    return damaged();
  const uint64_t count = last - first + 1, buckets = (header.words + kBucket - 1) / kBucket;
  const uint64_t sizes[] = {header.late * sizeof(LateText), count * 4, buckets * 4, header.word_bytes};
  uint64_t expected = sizeof header + header.code_bytes + kPadding;
  for (uint64_t each : sizes) expected += padded(each);
  if (expected != size) return damaged();
  const char* at = bytes + sizeof header;
  out->late_ = {reinterpret_cast<const LateText*>(at), static_cast<size_t>(header.late)};
  at += padded(sizes[0]);
  out->ends_ = {reinterpret_cast<const uint32_t*>(at), static_cast<size_t>(count)};
  at += padded(sizes[1]);
  out->buckets_ = {reinterpret_cast<const uint32_t*>(at), static_cast<size_t>(buckets)};
  at += padded(sizes[2]);
  out->words_ = {at, static_cast<size_t>(header.word_bytes)};
  at += padded(sizes[3]);
  out->codes_ = {at, static_cast<size_t>(header.code_bytes)};
  out->first_ = first;
  out->last_ = last;
  out->stops_ = header.stops;
  return std::shared_ptr<const Sequences>(std::move(out));
}

// Once for each opening: it costs a reading of the file, which a first phrase looks through anyway.
bool Sequences::sound() const {
  std::call_once(checked_, [this] {
    if (!file_.is_readable()) return;
    const std::string_view file = file_.bytes();
    Header header;
    std::memcpy(&header, file.data(), sizeof header);
    sound_ = header.checksum == checksum_of(header, file.substr(sizeof header));
  });
  return sound_;
}

std::string Sequences::code_of(std::string_view word) const {
  const auto from = [this](uint32_t place) {
    return ByteReader(words_.substr(std::min<size_t>(place, words_.size())));
  };
  // The last bucket whose first word is not behind this one.
  const auto behind =
      std::upper_bound(buckets_.begin(), buckets_.end(), word, [&](std::string_view wanted, uint32_t b) {
        ByteReader reader = from(b);
        return wanted < reader.raw(reader.u8());
      });
  if (behind == buckets_.begin()) return {};
  ByteReader reader = from(*(behind - 1));
  std::string at;
  for (size_t i = 0; i < kBucket && reader.ok(); ++i) {
    at.resize(std::min<size_t>(at.size(), i == 0 ? 0 : reader.u8()));
    at.append(reader.raw(reader.u8()));
    const uint64_t rank = reader.varint();
    if (!reader.ok() || at > word) break;
    if (at == word) return rank <= UINT32_MAX ? code_of_rank(static_cast<uint32_t>(rank), stops_) : std::string();
  }
  return {};
}

std::string_view Sequences::text_of(uint64_t number) const {
  const size_t i = number - first_;
  const uint32_t end = ends_[i];
  const uint32_t begin = i == 0 ? 0 : ends_[i - 1] & ~kUnknown;
  if ((end & kUnknown) != 0 || begin > end || end > codes_.size()) return {};
  return codes_.substr(begin, end - begin);
}

void Sequences::look(const WordPattern& pattern, std::span<const uint64_t> numbers, Numbers* found,
                     Numbers* undecided) const {
  if (!sound()) {
    undecided->insert(undecided->end(), numbers.begin(), numbers.end());
    return;
  }
  struct Wanted {
    std::string code;
    bool certain = true;  // else words without a code of their own are in it: which ones, the text says
  };
  std::vector<Wanted> wanted;
  const auto add = [&](const std::vector<std::string>& words) {
    Wanted one;
    for (const std::string& word : words) {
      const std::string code = code_of(word);
      one.certain = one.certain && !code.empty();
      one.code += code.empty() ? std::string(1, static_cast<char>(kRare)) : code;
    }
    if (!words.empty()) wanted.push_back(std::move(one));
  };
  add(pattern.sequence);
  for (const std::string& single : pattern.singles) add({single});

  uint32_t every = 0;
  for (uint32_t field = 0; field < kFields; ++field) every |= 1u << (field + TextPiece::kSubject);
  const bool anywhere = (pattern.pieces & every) == every;
  // A code below kFields that a code's end stands before (or nothing) begins a piece.
  const auto piece_counts = [&](std::string_view text, size_t at) {
    while (at > 0) {
      --at;
      const auto byte = static_cast<unsigned char>(text[at]);
      if (byte < kFields && (at == 0 || static_cast<unsigned char>(text[at - 1]) < stops_))
        return (pattern.pieces >> (byte + TextPiece::kSubject) & 1) != 0;
    }
    return false;
  };
  for (uint64_t number : numbers) {
    const std::string_view text = text_of(number);
    if (text.data() == nullptr) {
      undecided->push_back(number);
      continue;
    }
    bool holds = false, may = false;
    for (const Wanted& one : wanted) {
      size_t at = find_code(text, one.code, stops_, 0);
      while (at != std::string_view::npos && !anywhere && !piece_counts(text, at))
        at = find_code(text, one.code, stops_, at + 1);
      if (at == std::string_view::npos) continue;
      holds = one.certain;
      may = true;
      if (holds) break;
    }
    if (holds) {
      found->push_back(number);
    } else if (may) {
      undecided->push_back(number);
    }
  }
}

}  // namespace arch::index
