#include "query/search/snippet.h"

#include <algorithm>
#include <bitset>

#include "engine/base/limits.h"

namespace arch::search {
namespace {

constexpr size_t kLookBytes = 1u << 20;  // of one piece; a match further on shows the piece's beginning
constexpr size_t kMaxMarks = 2'000;
constexpr size_t kFar = 2'000;   // bytes: more than a window, and than a match that begins before another ends
constexpr size_t kBefore = 50;   // bytes in front of the first mark
constexpr size_t kWordCut = 40;  // how far a cut is moved to fall between words

struct Mark {
  size_t begin, end;
  size_t pattern;
};

bool is_blank(char c) { return static_cast<uint8_t>(c) <= ' '; }
bool is_inner(char c) { return (static_cast<uint8_t>(c) & 0xc0) == 0x80; }  // not a character's first byte

int preference(uint8_t field) {
  switch (field) {
    case TextPiece::kBody:
      return 5;
    case TextPiece::kAttachment:
      return 4;
    case TextPiece::kQuoted:
      return 3;
    case TextPiece::kFileName:
      return 2;
    case TextPiece::kSubject:
      return 1;
    default:
      return 0;
  }
}

int score_of(int matched, uint8_t field) { return matched * 16 + preference(field); }

// Blanks and line ends become one blank; positions of marks follow. `first`: where the mark begins that the window is around.
Snippet cut(std::string_view text, size_t begin, size_t end, size_t first, const std::vector<Mark>& marks) {
  Snippet out;
  if (begin > 0) out.text = "\u2026";
  size_t next = 0;
  const auto skip = [&] {  // what the window holds no whole of, but for the one it was made around
    while (next < marks.size() &&
           (marks[next].begin < begin || (marks[next].end > end && marks[next].begin != first)))
      ++next;
  };
  skip();
  bool open = false;
  uint32_t opened = 0;
  size_t closes = 0;
  bool blank = true;
  auto close = [&](size_t at) {
    if (!open || at < closes) return;
    auto size = static_cast<uint32_t>(out.text.size());
    if (size > opened) out.marks.emplace_back(opened, size);
    open = false;
  };
  for (size_t at = begin; at < end; ++at) {
    close(at);
    if (!open && next < marks.size() && marks[next].begin <= at) {
      open = true;
      opened = static_cast<uint32_t>(out.text.size());
      closes = std::min(marks[next].end, end);
      while (next < marks.size() && marks[next].begin < closes) {
        closes = std::max(closes, std::min(marks[next].end, end));
        ++next;
        skip();
      }
    }
    if (is_blank(text[at]) || text[at] == '\x7f') {
      if (!blank) out.text.push_back(' ');
      blank = true;
    } else {
      out.text.push_back(text[at]);
      blank = false;
    }
  }
  close(end);
  while (!out.text.empty() && out.text.back() == ' ' &&
         (out.marks.empty() || out.marks.back().second < out.text.size()))
    out.text.pop_back();
  if (end < text.size()) out.text += "\u2026";
  return out;
}

}  // namespace

std::string_view piece_name(uint8_t field) {
  switch (field) {
    case TextPiece::kSubject:
      return "subject";
    case TextPiece::kBody:
      return "body";
    case TextPiece::kQuoted:
      return "quoted";
    case TextPiece::kFileName:
      return "filename";
    case TextPiece::kAttachment:
      return "attachment";
    case TextPiece::kPeople:
      return "people";
    default:
      return "";
  }
}

Snippet make_snippet(const MessageText& text, const std::vector<Wanted>& wanted) {
  const TextPiece* best = nullptr;
  std::vector<Mark> best_marks;
  size_t best_first = 0;
  int best_score = -1;
  for (const TextPiece& piece : text) {
    if (piece.field == TextPiece::kPeople || piece.field == TextPiece::kHeader || piece.text.empty()) continue;
    // The subject stands above the snippet anyway: a match there is better followed by what the mail says.
    const bool counts = piece.field != TextPiece::kSubject;
    const auto looking = [&](const Wanted& each) { return (each.pieces & piece_bit(piece.field)) != 0; };
    const auto most = counts ? static_cast<int>(std::count_if(wanted.begin(), wanted.end(), looking)) : 0;
    if (score_of(most, piece.field) <= best_score) continue;  // whatever it holds
    std::string_view look = std::string_view(piece.text).substr(0, kLookBytes);
    std::vector<Mark> marks;
    for (size_t i = 0; i < wanted.size() && i < limits::kQueryTerms; ++i) {
      if (!looking(wanted[i])) continue;
      size_t of_this = 0;
      // Of one thing alone the window is around the first place; what stands far behind is not shown.
      size_t far = SIZE_MAX;
      wanted[i].pattern->each(look, [&](size_t begin, size_t end) {
        marks.push_back({begin, end, i});
        if (wanted.size() == 1) far = std::min(far, begin + kFar);
        return ++of_this < kMaxMarks && begin < far;
      });
    }
    std::sort(marks.begin(), marks.end(),
              [](const Mark& a, const Mark& b) { return a.begin != b.begin ? a.begin < b.begin : a.end > b.end; });
    // The window that holds the most different patterns, the first of those.
    size_t distinct = 0;
    size_t first = 0;
    for (size_t i = 0; i < marks.size() && distinct < wanted.size(); ++i) {
      std::bitset<limits::kQueryTerms> seen;
      for (size_t j = i; j < marks.size() && marks[j].end <= marks[i].begin + kSnippetBytes - kBefore; ++j)
        seen.set(marks[j].pattern);
      if (size_t count = std::max<size_t>(seen.count(), 1); count > distinct) {
        distinct = count;
        first = i;
      }
    }
    const int score = score_of(counts ? static_cast<int>(distinct) : 0, piece.field);
    if (score <= best_score) continue;
    best_score = score;
    best = &piece;
    best_first = marks.empty() ? 0 : marks[first].begin;
    best_marks = std::move(marks);
  }
  if (best == nullptr) return {};

  std::string_view all(best->text);
  size_t begin = 0;
  if (!best_marks.empty() && best_first > kBefore) {
    begin = best_first - kBefore;
    size_t moved = begin;
    while (moved < best_first && moved < begin + kWordCut && !is_blank(all[moved])) ++moved;
    if (moved < all.size() && is_blank(all[moved])) begin = moved;
    while (begin < best_first && (is_blank(all[begin]) || is_inner(all[begin]))) ++begin;
  }
  size_t end = std::min(all.size(), begin + kSnippetBytes);
  if (end < all.size()) {
    size_t moved = end;
    while (moved > begin && moved + kWordCut > end && !is_blank(all[moved])) --moved;
    if (moved > begin && is_blank(all[moved])) end = moved;
    while (end > begin && is_inner(all[end])) --end;
  }
  Snippet out = cut(all, begin, end, best_first, best_marks);
  out.where = piece_name(best->field);
  out.part = best->part;
  return out;
}

}  // namespace arch::search
