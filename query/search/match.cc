#include "query/search/match.h"

#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <deque>

#include "query/text/analyser.h"

namespace arch::search::internal {

namespace {

constexpr size_t kMaxMatches = 2'000;  // of one piece, looked at for the best place

// Case folded, accents kept, composed: how ="côté" is compared.
std::string spelling(std::string_view word) {
  UErrorCode status = U_ZERO_ERROR;
  const UNormalizer2* normalizer = unorm2_getNFKCCasefoldInstance(&status);
  std::vector<UChar> wide(word.size() + 1), folded(word.size() * 4 + 16);
  int32_t length = 0;
  u_strFromUTF8(wide.data(), static_cast<int32_t>(wide.size()), &length, word.data(),
                static_cast<int32_t>(word.size()), &status);
  if (U_FAILURE(status)) return std::string(word);
  length =
      unorm2_normalize(normalizer, wide.data(), length, folded.data(), static_cast<int32_t>(folded.size()), &status);
  if (U_FAILURE(status)) return std::string(word);
  std::string out(static_cast<size_t>(length) * 4 + 4, '\0');
  int32_t bytes = 0;
  u_strToUTF8(out.data(), static_cast<int32_t>(out.size()), &bytes, folded.data(), length, &status);
  if (U_FAILURE(status)) return std::string(word);
  out.resize(static_cast<size_t>(bytes));
  return out;
}

struct Place {
  size_t begin = 0, end = 0;
};

// Walks the words of a text and calls `found` for every place where the phrase stands; stops when it returns false.
template <class Found>
void find_phrase(std::string_view text, const Phrase& phrase, Found found) {
  const size_t count = phrase.words.size();
  if (count == 0) return;
  text::Scanner scanner(text);
  std::deque<std::pair<std::string, Place>> window;  // the last `count` words; only as many as match so far
  while (scanner.next()) {
    // A word that cannot stand at any place of the phrase empties the window without being kept.
    if (std::find(phrase.words.begin(), phrase.words.end(), scanner.term()) == phrase.words.end()) {
      window.clear();
      continue;
    }
    window.emplace_back(std::string(scanner.term()), Place{scanner.begin(), scanner.end()});
    if (window.size() > count) window.pop_front();
    if (window.size() < count) continue;
    bool same = true;
    for (size_t i = 0; same && i < count; ++i) {
      same = window[i].first == phrase.words[i];
      if (same && !phrase.exact.empty())
        same = spelling(text.substr(window[i].second.begin, window[i].second.end - window[i].second.begin)) ==
               phrase.exact[i];
    }
    if (same && !found(Place{window.front().second.begin, window.back().second.end})) return;
  }
}

const char* field_name(uint8_t field) {
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
    default:
      return "people";
  }
}

// Which piece is shown when several match: the words of the mail itself first.
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

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// The nearest word border at or before `at`, not further back than `limit`.
size_t word_start(std::string_view text, size_t at, size_t limit) {
  size_t start = at;
  while (start > limit && !is_space(text[start - 1])) --start;
  if (start == limit && limit > 0)
    while (start < at && (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80) ++start;
  return start;
}

size_t word_end(std::string_view text, size_t at, size_t limit) {
  size_t end = at;
  while (end < limit && !is_space(text[end])) ++end;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  return end;
}

std::vector<Place> matches_of(std::string_view text, const Marked& marked) {
  std::vector<Place> out;
  if (!marked.words.empty() || !marked.prefixes.empty()) {
    text::Scanner scanner(text);
    std::string word;
    while (scanner.next() && out.size() < kMaxMatches) {
      word.assign(scanner.term());
      const bool hit = marked.words.count(word) != 0 ||
                       std::any_of(marked.prefixes.begin(), marked.prefixes.end(),
                                   [&](const std::string& prefix) { return word.rfind(prefix, 0) == 0; });
      if (hit) out.push_back({scanner.begin(), scanner.end()});
    }
  }
  for (const Phrase& phrase : marked.phrases)
    find_phrase(text, phrase, [&](const Place& place) {
      out.push_back(place);
      return out.size() < kMaxMatches;
    });
  std::sort(out.begin(), out.end(), [](const Place& a, const Place& b) { return a.begin < b.begin; });
  return out;
}

}  // namespace

Phrase make_phrase(std::string_view quoted, bool exact) {
  Phrase phrase;
  text::Scanner scanner(quoted);
  while (scanner.next()) {
    phrase.words.emplace_back(scanner.term());
    if (exact) phrase.exact.push_back(spelling(quoted.substr(scanner.begin(), scanner.end() - scanner.begin())));
  }
  return phrase;
}

bool holds(std::string_view text, const Phrase& phrase) {
  bool found = false;
  find_phrase(text, phrase, [&](const Place&) {
    found = true;
    return false;
  });
  return found;
}

Snippet make_snippet(const MessageText& text, const Marked& marked, size_t bytes) {
  Snippet best;
  const TextPiece* chosen = nullptr;
  std::vector<Place> chosen_matches;
  size_t chosen_first = 0, chosen_score = 0;
  for (const TextPiece& piece : text) {
    if (piece.text.empty() || piece.field == TextPiece::kPeople) continue;
    std::vector<Place> matches = matches_of(piece.text, marked);
    // The window with the most matches in it.
    size_t score = 0, first = 0;
    for (size_t i = 0, j = 0; i < matches.size(); ++i) {
      j = std::max(j, i);
      while (j < matches.size() && matches[j].end < matches[i].begin + bytes / 2) ++j;
      if (j - i > score) {
        score = j - i;
        first = i;
      }
    }
    score = std::min<size_t>(score, 8);
    const bool better = chosen == nullptr || (score > 0) > (chosen_score > 0) ||
                        ((score > 0) == (chosen_score > 0) && preference(piece.field) > preference(chosen->field));
    if (!better) continue;
    chosen = &piece;
    chosen_score = score;
    chosen_first = matches.empty() ? 0 : matches[first].begin;
    chosen_matches = std::move(matches);
  }
  if (chosen == nullptr) return best;
  const std::string_view whole = chosen->text;
  best.where = field_name(chosen->field);
  best.part = chosen->part;
  const size_t lead = chosen_score == 0 ? 0 : std::min(chosen_first, bytes / 4);
  const size_t begin = chosen_score == 0 ? 0
                                         : word_start(whole, chosen_first - lead,
                                                      chosen_first > bytes / 2 ? chosen_first - bytes / 2 : 0);
  const size_t wanted = std::min(whole.size(), begin + bytes);
  const size_t end = word_end(whole, wanted, std::min(whole.size(), wanted + 32));
  // Runs of white space are one blank; marks move with the text.
  std::vector<size_t> moved(end - begin + 1);
  for (size_t i = begin; i < end; ++i) {
    moved[i - begin] = best.text.size();
    if (!is_space(whole[i]))
      best.text.push_back(whole[i]);
    else if (!best.text.empty() && best.text.back() != ' ')
      best.text.push_back(' ');
  }
  moved[end - begin] = best.text.size();
  for (const Place& match : chosen_matches) {
    if (match.begin < begin || match.end > end) continue;
    const auto from = static_cast<uint32_t>(moved[match.begin - begin]),
               to = static_cast<uint32_t>(moved[match.end - begin]);
    if (!best.marks.empty() && from < best.marks.back().second) {
      best.marks.back().second = std::max(best.marks.back().second, to);
      continue;
    }
    best.marks.emplace_back(from, to);
  }
  while (!best.text.empty() && best.text.back() == ' ' &&
         (best.marks.empty() || best.marks.back().second < best.text.size()))
    best.text.pop_back();
  return best;
}

}  // namespace arch::search::internal
