#include "query/search/pattern.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <algorithm>

#include "query/text/analyser.h"

namespace arch::search {

namespace {

constexpr size_t kJoinedGap = 3;  // bytes between words that may be written together: a no-break blank has three

bool has_blank(std::string_view gap) { return gap.find_first_of(" \t\r\n()") != std::string_view::npos; }

}  // namespace

std::string spelled(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  static const icu::Normalizer2* const casefold = [] {
    UErrorCode code = U_ZERO_ERROR;
    return icu::Normalizer2::getNFKCCasefoldInstance(code);  // owned by ICU
  }();
  std::string out;
  if (casefold == nullptr) return std::string(text);
  icu::StringByteSink<std::string> sink(&out);
  casefold->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr, status);
  return U_SUCCESS(status) ? out : std::string(text);
}

Pattern Pattern::phrase(const std::vector<std::string>& words) {
  Pattern out;
  out.sequence_ = words;
  out.make_borders();
  return out;
}

Pattern Pattern::exact(std::string_view text) {
  Pattern out;
  text::tokenize(text, [&](const text::Token& token) {
    out.sequence_.push_back(token.term);
    out.spelled_.push_back(spelled(text.substr(token.begin, token.end - token.begin)));
  });
  out.make_borders();
  return out;
}

void Pattern::add_joined(std::string word) {
  if (word.empty()) return;
  const bool number = word.find_first_of("0123456789") != std::string::npos;
  joined_.push_back({std::move(word), number});
}

void Pattern::make_borders() {
  const std::vector<std::string>& words = spelled_.empty() ? sequence_ : spelled_;
  borders_.assign(words.size(), 0);
  for (size_t i = 1; i < words.size(); ++i) {
    uint32_t border = borders_[i - 1];
    while (border > 0 && words[border] != words[i]) border = borders_[border - 1];
    borders_[i] = words[border] == words[i] ? border + 1 : 0;
  }
}

bool stand_near(const Pattern& one, const Pattern& other, uint64_t words, std::string_view text) {
  struct Match {
    size_t first, last;  // words of the text
  };
  std::vector<size_t> begins;
  for (text::Scanner scanner(text); scanner.next();) begins.push_back(scanner.begin());
  auto word_at = [&](size_t byte) {
    return static_cast<size_t>(std::upper_bound(begins.begin(), begins.end(), byte) - begins.begin()) - 1;
  };
  auto matches = [&](const Pattern& pattern) {
    std::vector<Match> out;
    pattern.each(text, [&](size_t begin, size_t end) {
      out.push_back({word_at(begin), word_at(end - 1)});
      return true;
    });
    std::sort(out.begin(), out.end(), [](const Match& x, const Match& y) { return x.first < y.first; });
    return out;
  };
  const std::vector<Match> a = matches(one);
  if (a.empty()) return false;
  const std::vector<Match> b = matches(other);
  // Both rise; of each match only the next ones of the other side matter.
  size_t j = 0;
  for (const Match& match : a) {
    while (j < b.size() && b[j].last + words < match.first) ++j;
    for (size_t k = j; k < b.size() && b[k].first <= match.last + words; ++k)
      if (b[k].first > match.last || b[k].last < match.first) return true;
  }
  return false;
}

Pattern::Words Pattern::words(std::vector<std::string>* sequence, std::vector<std::string>* singles) const {
  if (!prefix_.empty()) return Words::kNothing;
  *sequence = sequence_;
  singles->assign(words_.begin(), words_.end());
  if (sequence->empty() && singles->empty()) return Words::kNothing;
  if (!joined_.empty()) return spelled_.empty() ? Words::kFound : Words::kNothing;
  return spelled_.empty() ? Words::kAnswers : Words::kCandidates;
}

bool Pattern::found_in(std::string_view text) const {
  bool found = false;
  each(text, [&](size_t, size_t) {
    found = true;
    return false;
  });
  return found;
}

void Pattern::each(std::string_view text, const std::function<bool(size_t, size_t)>& match) const {
  const size_t count = sequence_.size();
  std::vector<size_t> begins(count);  // of the last `count` words, a ring
  size_t matched = 0;
  size_t index = 0;
  std::string scratch;
  std::string spelling;
  struct Begun {
    const Joined* joined;
    size_t matched, begin;
  };
  std::vector<Begun> begun;
  size_t previous_end = 0;
  std::string previous;
  for (text::Scanner scanner(text); scanner.next(); ++index) {
    std::string_view term = scanner.term();
    if (!joined_.empty()) {
      const std::string_view gap = text.substr(previous_end, scanner.begin() - previous_end);
      if (gap.size() > kJoinedGap) begun.clear();
      bool whole = false;
      size_t from = 0;
      if (!begun.empty()) {
        const bool blank = has_blank(gap);
        const bool together = gap.empty() || text::written_together(previous, gap, term);
        std::erase_if(begun, [&](Begun& each) {
          const std::string& word = each.joined->word;
          if ((!each.joined->number && (blank || !together)) || word.compare(each.matched, term.size(), term) != 0)
            return true;
          each.matched += term.size();
          if (each.matched < word.size()) return false;
          from = whole ? std::min(from, each.begin) : each.begin;
          return whole = true;
        });
      }
      previous_end = scanner.end();
      for (const Joined& each : joined_)
        if (each.word.size() > term.size() && each.word[0] == term[0] && each.word.compare(0, term.size(), term) == 0)
          begun.push_back({&each, term.size(), scanner.begin()});
      if (whole && !match(from, scanner.end())) return;
      if (!begun.empty()) previous.assign(term);
    }
    if (count > 0) {
      begins[index % count] = scanner.begin();
      bool has_spelling = false;
      auto same = [&](size_t i) {
        if (term[0] != sequence_[i][0] || term != sequence_[i])
          return false;  // most words differ in the first letter
        if (spelled_.empty()) return true;
        if (!has_spelling) {
          spelling = spelled(text.substr(scanner.begin(), scanner.end() - scanner.begin()));
          has_spelling = true;
        }
        return spelling == spelled_[i];
      };
      while (matched > 0 && !same(matched)) matched = borders_[matched - 1];
      if (same(matched)) ++matched;
      if (matched == count) {
        matched = 0;
        if (!match(begins[(index + 1) % count], scanner.end())) return;
        continue;
      }
    }
    bool single = !prefix_.empty() && term.substr(0, prefix_.size()) == prefix_;
    if (!single && begins_[static_cast<unsigned char>(term[0])]) {
      scratch.assign(term);
      single = words_.count(scratch) != 0;
    }
    if (single && !match(scanner.begin(), scanner.end())) return;
  }
}

}  // namespace arch::search
