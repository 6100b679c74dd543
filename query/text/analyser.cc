#include "query/text/analyser.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>

#include "query/text/fold_table.h"

namespace arch::text {
namespace {

constexpr char kWide = 1;  // in kAscii: the first byte of a longer sequence; 0: separates

constexpr std::array<char, 256> make_ascii() {
  std::array<char, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = static_cast<char>(c);
  for (int c = 'a'; c <= 'z'; ++c) table[c] = static_cast<char>(c);
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = static_cast<char>(c - 'A' + 'a');
  for (int c = 0x80; c <= 0xff; ++c) table[c] = kWide;
  return table;
}
constexpr std::array<char, 256> kAscii = make_ascii();

char ascii_class(std::string_view text, size_t at) { return kAscii[static_cast<unsigned char>(text[at])]; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A cut at `size` bytes that leaves whole characters.
size_t whole_characters(std::string_view text, size_t size) {
  if (text.size() <= size) return text.size();
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return size;
}

// The sign between two words when it is one that joins them, as an ASCII character; ' ' stands for the blanks that French
// puts inside numbers (no-break, thin, narrow). 0: not joined.
char joiner(std::string_view gap) {
  if (gap.size() == 1) {
    switch (gap[0]) {
      case '-':
      case '_':
      case '.':
      case '@':
      case '\'':
      case '&':
      case '+':
      case '/':
      case '\\':
      case ',':
        return gap[0];
      default:
        return 0;
    }
  }
  if (gap.size() == 2) return gap == "\u00a0" ? ' ' : 0;
  if (gap.size() != 3 || gap[0] != '\xe2' || gap[1] != '\x80') return 0;
  switch (gap[2]) {
    case '\x99':
      return '\'';  // ’
    case '\x90':    // hyphen
    case '\x91':
      return '-';  // no-break hyphen
    case '\x89':   // thin space
    case '\xaf':
      return ' ';  // narrow no-break space
    default:
      return 0;
  }
}

bool is_elided(std::string_view word) {
  switch (word.size()) {
    case 1:
      return std::string_view("ldjnstcm").find(word[0]) != std::string_view::npos;
    case 2:
      return word == "qu";
    case 6:
      return word == "jusqu" || word == "lorsqu" || word == "puisqu" || word == "quoiqu" || word == "presqu";
    default:
      return word == "jusqu";
  }
}

// What English hangs behind an apostrophe; "we're" must not become "were".
bool is_contraction(std::string_view word) {
  return word == "s" || word == "t" || word == "d" || word == "m" || word == "ll" || word == "re" || word == "ve";
}

bool all_digits(std::string_view word) { return std::all_of(word.begin(), word.end(), is_digit); }

// Whether a sign between two words makes one of them.
bool sign_joins(std::string_view left, char sign, std::string_view right) {
  switch (sign) {
    case '@':
      return false;
    case ',':
    case ' ':
      return all_digits(left) && all_digits(right);
    case '.':
      return (left.size() == 1 && right.size() == 1) || (all_digits(left) && all_digits(right));
    case '/':
    case '\\':
      return is_digit(left.back()) || is_digit(right.front());
    default:
      return true;
  }
}

/// Gathers the words of one compound and says what terms it gives. At most kWords; a longer one is taken in pieces.
class Compound {
 public:
  static constexpr size_t kWords = 32;

  size_t size() const { return count_; }
  bool full() const { return count_ == kWords; }
  void clear() {
    count_ = 0;
    bytes_ = 0;
  }
  /// `sign` joins it to the word before; of no meaning for the first.
  void add(std::string_view word, char sign) {
    std::memcpy(buffer_ + bytes_, word.data(), word.size());
    words_[count_] = {static_cast<uint16_t>(bytes_), static_cast<uint16_t>(word.size()), sign};
    bytes_ += word.size();
    ++count_;
  }

  /// each(term, covers): `covers` when the term stands for all the words.
  template <class Each>
  void finish(const Each& each) {
    size_t begin = 0;
    for (size_t i = 1; i <= count_; ++i) {
      if (i < count_ && joins(i)) continue;
      if (i < count_ && words_[i].sign == '@') {
        size_t last = 0;
        size_t first = address(i, &last, each);
        if (first > begin + 1) segment(begin, first, each);
        begin = i = last;
        continue;
      }
      if (i - begin > 1) segment(begin, i, each);
      begin = i;
    }
  }

 private:
  struct Word {
    uint16_t at;
    uint16_t size;
    char sign;
  };

  std::string_view word(size_t i) const { return {buffer_ + words_[i].at, words_[i].size}; }

  bool joins(size_t i) const { return sign_joins(word(i - 1), words_[i].sign, word(i)); }

  // Gives the terms of the address around the '@' in front of word `at`; returns its first word, and in *end the word
  // behind it.
  template <class Each>
  size_t address(size_t at, size_t* end, const Each& each) {
    size_t first = at - 1;
    while (first > 0 && std::strchr(".-_+'&", words_[first].sign) != nullptr &&
           !(words_[first].sign == '\'' && is_elided(word(first - 1))))
      --first;
    size_t last = at + 1;
    while (last < count_ && (words_[last].sign == '.' || words_[last].sign == '-')) ++last;
    std::string term;
    size_t host = 0;
    for (size_t i = first; i < last; ++i) {
      if (i == at) host = term.size();
      if (i > first) term.push_back(words_[i].sign);
      term.append(word(i));
    }
    std::string_view whole(term);
    each(whole.substr(0, whole_characters(whole, kAddressBytes)), first == 0 && last == count_);
    whole.remove_prefix(host);
    each(whole.substr(0, whole_characters(whole, kAddressBytes)), false);
    *end = last;
    return first;
  }

  template <class Each>
  void segment(size_t begin, size_t end, const Each& each) {
    size_t all_begin = begin;
    size_t all_end = end;
    while (end - begin > 1 && words_[begin + 1].sign == '\'' && is_elided(word(begin))) ++begin;
    if (end - begin > 1 && words_[end - 1].sign == '\'' && is_contraction(word(end - 1))) --end;
    if (end - begin < 2) return;
    bool covers = begin == all_begin && end == all_end && begin == 0 && end == count_;
    size_t digits = 0;
    size_t bytes = 0;
    bool inside_number = false;
    for (size_t i = begin; i < end; ++i) {
      if (all_digits(word(i))) ++digits;
      bytes += word(i).size();
      char sign = i > begin ? words_[i].sign : 0;
      if (sign == ',' || sign == ' ' || (sign == '.' && is_digit(word(i).front()))) inside_number = true;
    }
    if (digits == end - begin) {
      if (number(begin, end, covers, each)) return;
      // 3.12.1 or 12/24 run together would be taken for other numbers; eight digits are a date, a telephone, a reference.
      if (bytes < 8) return;
    } else if (inside_number) {
      return;  // "1.5kg" is not "15kg"
    }
    if (end - begin > kJoinedWords || bytes > kWordBytes) return;
    char term[1 + kWordBytes];
    term[0] = kJoinedMark;
    size_t size = 1;
    for (size_t i = begin; i < end; ++i) {
      std::memcpy(term + size, word(i).data(), word(i).size());
      size += word(i).size();
    }
    each(std::string_view(term, size), covers);
  }

  // 12 500,00 and 12.500,00 and 12,500.00 are one number: "=12500,00", and "=12500" for its whole part.
  template <class Each>
  bool number(size_t begin, size_t end, bool covers, const Each& each) const {
    size_t i = begin + 1;
    char thousands = words_[i].sign;
    bool grouped = word(begin).size() <= 3 && word(i).size() == 3 && std::strchr(",. '", thousands) != nullptr;
    if (grouped)
      while (i < end && words_[i].sign == thousands && word(i).size() == 3) ++i;
    size_t whole_end = i;
    std::string_view decimals;
    if (i < end) {
      char sign = words_[i].sign;
      bool decimal = (sign == ',' || sign == '.') && (!grouped || sign != thousands) && word(i).size() <= 2;
      if (!decimal) return false;
      decimals = word(i++);
    }
    if (i != end) return false;
    std::string term(1, kJoinedMark);
    for (size_t w = begin; w < whole_end; ++w) term.append(word(w));
    if (term.size() > kWordBytes) return true;
    if (grouped) each(term, covers && decimals.empty());
    // Below 1,000 nobody writes thousands, and 12,50 and 12.50 are the same words anyway.
    if (!decimals.empty() && term.size() > 4) each(term + "," + std::string(decimals), covers);
    return true;
  }

  char buffer_[kWords * kWordBytes];
  Word words_[kWords];
  size_t count_ = 0;
  size_t bytes_ = 0;
};

// The gap between two groups of a number that is written with blanks, as one character: ' ' a plain blank, '(' and ')' brackets,
// which compounds do not know; '~' a no-break or thin blank, or a sign, which they do. 0: the number ends there.
char group_gap(std::string_view gap) {
  if (gap == " ") return ' ';
  if (gap == " (" || gap == "(") return '(';
  if (gap == ")" || gap == ") " || gap == ")-") return ')';
  switch (const char sign = joiner(gap)) {
    case ' ':
      return '~';
    case '.':
    case '-':
    case '/':
    case ',':
      return sign;
    default:
      return 0;
  }
}

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

/// Gathers the groups of one number (a telephone, an IBAN, a SIRET, an amount) and says how others write it together.
class Groups {
 public:
  bool empty() const { return count_ == 0; }
  void clear() {
    count_ = bytes_ = 0;
    iban_ = plus_ = ended_ = false;
  }

  static bool can_begin(std::string_view word) {
    if (is_digit(word[0])) return word.size() <= kGroupDigits && all_digits(word);
    return word.size() == 4 && is_letter(word[0]) && is_letter(word[1]) && is_digit(word[2]) && is_digit(word[3]);
  }
  void begin(std::string_view word, bool plus) {
    clear();
    iban_ = !is_digit(word[0]);
    plus_ = plus && !iban_;
    put(word, 0);
  }
  /// False: `word` does not belong to it.
  bool add(std::string_view word, char gap) {
    if (gap == 0 || ended_ || count_ == kGroups || bytes_ + word.size() > kBytes) return false;
    if (iban_) {
      if (gap == ',' || word.size() > 4 || (count_ > 1 && groups_[count_ - 1].size != 4)) return false;
      if (!std::all_of(word.begin(), word.end(), [](char c) { return is_digit(c) || is_letter(c); })) return false;
    } else {
      if (word.size() > kGroupDigits || !all_digits(word)) return false;
      if (gap == ',' && word.size() > 2) return false;
      ended_ = gap == ',';  // decimals
    }
    put(word, gap);
    return true;
  }

  /// each(term, covers, shape): the term has its mark in front; `covers`: it stands for all groups; `shape`: they look like what
  /// they are, not only like many digits.
  /// Of a run that a compound has terms for already, only with `compounds`.
  template <class Each>
  void finish(const Each& each, bool compounds = false) const {
    if (iban_) return iban(each);
    if (plus_ || (word(0).size() > 2 && word(0).substr(0, 2) == "00") || word(0) == "00") return international(each);
    if (count_ < 2 || (!compounds && !apart(0, count_))) return;
    size_t digits = 0;
    size_t in_compound = 0;
    bool single_digits = false;
    bool years = true;      // "2023 2024" is no number
    bool compound = false;  // a date, a telephone with dots: what stands beside it is another number
    for (size_t i = 0; i < count_; ++i) {
      digits += groups_[i].size;
      in_compound = (std::strchr(".-/", groups_[i].gap) != nullptr && i > 0 ? in_compound : 0) + groups_[i].size;
      years = years && groups_[i].size == 4 && (word(i).substr(0, 2) == "19" || word(i).substr(0, 2) == "20");
      single_digits = single_digits || (i > 0 && groups_[i].size == 1);
      compound = compound || (in_compound >= kLeastDigits && in_compound > groups_[i].size);
      const auto give_apart = [&](size_t end, bool shape) {
        if (compounds || apart(i, end)) give(i, end, each, shape);
      };
      if (sizes(i, {2, 2, 2, 2, 2}) && word(i)[0] == '0' && word(i)[1] != '0') give_apart(i + 5, true);
      if (sizes(i, {3, 3, 3, 5})) give_apart(i + 4, true);
      if (word(i)[0] == '0' && sizes(i, {3, 3, 3})) give_apart(i + 3, false);  // a SIREN that is no amount
      amount(i, compounds, each);
    }
    if (!ended_ && !compound && !single_digits && !years && digits >= kLeastDigits && digits <= kMostDigits)
      give(0, count_, each, false);
  }

 private:
  static constexpr size_t kGroups = 16, kBytes = 48, kGroupDigits = 14;
  static constexpr size_t kLeastDigits = 8, kMostDigits = 34;  // fewer are too often something else
  static constexpr size_t kLeastIban = 15, kMostIban = 34;     // ISO 13616
  static constexpr size_t kMostPhone = 15;                     // ITU-T E.164
  struct Group {
    uint8_t at, size;
    char gap;  // to the group before
  };

  void put(std::string_view word, char gap) {
    std::memcpy(buffer_ + bytes_, word.data(), word.size());
    groups_[count_++] = {static_cast<uint8_t>(bytes_), static_cast<uint8_t>(word.size()), gap};
    bytes_ += word.size();
  }
  std::string_view word(size_t i) const { return {buffer_ + groups_[i].at, groups_[i].size}; }
  std::string together(size_t begin, size_t end) const {
    std::string out(1, kJoinedMark);
    for (size_t i = begin; i < end; ++i) out.append(word(i));
    return out;
  }
  bool sizes(size_t begin, std::initializer_list<size_t> wanted) const {
    if (begin + wanted.size() > count_) return false;
    for (size_t size : wanted)
      if (groups_[begin++].size != size) return false;
    return true;
  }
  /// A plain blank or brackets are between them: a compound does not hold them together.
  bool apart(size_t begin, size_t end) const {
    return std::any_of(groups_ + begin + 1, groups_ + end,
                       [](const Group& group) { return group.gap == ' ' || group.gap == '(' || group.gap == ')'; });
  }
  template <class Each>
  void give(size_t begin, size_t end, const Each& each, bool shape = true) const {
    const std::string term = together(begin, end);
    each(std::string_view(term), begin == 0 && end == count_, shape);
  }

  // 1 234,56 with a plain blank: the terms that number() gives for 1.234,56.
  template <class Each>
  void amount(size_t begin, bool compounds, const Each& each) const {
    if (groups_[begin].size > 3 || word(begin)[0] == '0') return;
    const auto is_blank = [this](size_t i) { return groups_[i].gap == ' ' || groups_[i].gap == '~'; };
    if (begin > 0 && is_blank(begin) && groups_[begin].size == 3 && groups_[begin - 1].size <= 3)
      return;  // inside one
    size_t end = begin + 1;
    while (end < count_ && groups_[end].size == 3 && is_blank(end)) ++end;
    if (end == begin + 1 || (!compounds && !apart(begin, end))) return;
    const std::string term = together(begin, end);
    const bool decimals = end < count_ && (groups_[end].gap == ',' || groups_[end].gap == '.') &&
                          groups_[end].size <= 2 && (end + 1 == count_ || groups_[end + 1].gap == ' ');
    each(std::string_view(term), begin == 0 && end == count_, false);
    if (!decimals) return;
    const std::string exact = term + "," + std::string(word(end));
    each(std::string_view(exact), begin == 0 && end + 1 == count_, true);
  }

  // +33 1 23 45 67 89, 0033 1 …, +33 (0)1 …; a French one also as it is dialled in France.
  template <class Each>
  void international(const Each& each) const {
    std::string term(1, kJoinedMark);
    for (size_t i = 0; i < count_; ++i) {
      if (i > 0 && groups_[i].gap == '(' && word(i) == "0") continue;
      if (groups_[i].gap == ',') return;
      term.append(word(i));
      if (i == 0 && !plus_) term.erase(1, 2);  // 00
      // What stands behind a French number is not part of it, even when it is digits.
      if (term.size() == 1 + 11 && term.compare(1, 2, "33") == 0) {
        const std::string national = "=0" + term.substr(3);
        each(std::string_view(national), i + 1 == count_, true);
        each(std::string_view(term), i + 1 == count_, true);
      }
    }
    if (term.size() > kLeastDigits && term.size() <= 1 + kMostPhone && term.compare(1, 1, "0") != 0)
      each(std::string_view(term), true, true);
  }

  template <class Each>
  void iban(const Each& each) const {
    size_t end = count_;
    const auto has_digit = [](std::string_view text) { return std::any_of(text.begin(), text.end(), is_digit); };
    while (end > 1 && !has_digit(word(end - 1))) --end;  // a word of four letters behind it
    size_t size = 0, digits = 0;
    for (size_t i = 0; i < end; ++i) {
      size += groups_[i].size;
      for (char c : word(i)) digits += is_digit(c) ? 1 : 0;
      // Where it ends its check digits say, if somebody wrote more digits behind it.
      if (i + 1 < end && size >= kLeastIban && checks(i + 1)) give(0, i + 1, each);
    }
    if (end > 1 && size >= kLeastIban && size <= kMostIban && digits >= kLeastDigits) give(0, end, each);
  }
  // ISO 7064, modulo 97, country and check digits at the end.
  bool checks(size_t end) const {
    unsigned rest = 0;
    const auto feed = [&rest](char c) {
      const auto value = static_cast<unsigned>(is_digit(c) ? c - '0' : c - 'a' + 10);
      rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
    };
    for (size_t i = 1; i < end; ++i)
      for (char c : word(i)) feed(c);
    for (char c : word(0)) feed(c);
    return rest == 1;
  }

  char buffer_[kBytes];
  Group groups_[kGroups];
  size_t count_ = 0, bytes_ = 0;
  bool iban_ = false, plus_ = false, ended_ = false;
};

/// Whether a '+' that belongs to no word stands in front of `at`.
bool plus_before(std::string_view text, size_t at) {
  return at > 0 && text[at - 1] == '+' && (at == 1 || ascii_class(text, at - 2) == 0);
}

template <class EachTerm>
void walk(std::string_view text, const EachTerm& each_term) {
  Scanner scanner(text);
  Compound compound;
  std::string previous;  // a single
  bool previous_single = false;
  bool any = false;
  size_t previous_end = 0;
  std::string pair;
  Groups groups;
  auto emit = [&](std::string_view term, bool) { each_term(term); };
  auto emit_number = [&](std::string_view term, bool, bool) { each_term(term); };
  while (scanner.next()) {
    std::string_view term = scanner.term();
    each_term(term);
    if (scanner.single()) {
      if (previous_single && any && scanner.begin() == previous_end) {
        pair.assign(previous).append(term);
        each_term(pair);
      }
      if (compound.size() > 1) compound.finish(emit);
      compound.clear();
      previous.assign(term);
    } else {
      char sign = any && !previous_single ? joiner(text.substr(previous_end, scanner.begin() - previous_end)) : '\0';
      if (sign == 0 || compound.full()) {
        if (compound.size() > 1) compound.finish(emit);
        compound.clear();
      }
      compound.add(term, sign);
    }
    const bool begins = !scanner.single() && Groups::can_begin(term);
    if (!groups.empty()) {
      const std::string_view gap = text.substr(previous_end, scanner.begin() - previous_end);
      if (scanner.single() || !groups.add(term, group_gap(gap))) {
        groups.finish(emit_number);
        groups.clear();
        if (begins) groups.begin(term, plus_before(text, scanner.begin()));
      }
    } else if (begins) {
      groups.begin(term, plus_before(text, scanner.begin()));
    }
    previous_single = scanner.single();
    previous_end = scanner.end();
    any = true;
  }
  if (compound.size() > 1) compound.finish(emit);
  if (!groups.empty()) groups.finish(emit_number);
}

}  // namespace

bool Scanner::next() {
  size_t at = position_;
  const size_t end = text_.size();
  for (;;) {
    while (at < end && ascii_class(text_, at) == 0) ++at;
    if (at == end) {
      position_ = at;
      return false;
    }
    if (ascii_class(text_, at) != kWide) break;
    uint32_t code_point = 0;
    size_t length = decode(text_, at, &code_point);
    if (length == 0) {
      ++at;
      continue;
    }
    Kind kind = folding(code_point).kind;
    if (kind == Kind::kWord || kind == Kind::kSingle) break;
    at += length;
  }
  begin_ = at;
  size_ = 0;
  single_ = false;
  for (; at < end; ++at) {
    char c = ascii_class(text_, at);
    if (c == 0) break;
    if (c == kWide) return next_wide(at);
    if (size_ < kWordBytes) term_[size_++] = c;
  }
  position_ = end_ = at;
  return true;
}

// The rest of a word, from a byte that is not ASCII on.
bool Scanner::next_wide(size_t at) {
  bool cut = size_ == kWordBytes;
  while (at < text_.size()) {
    char c = ascii_class(text_, at);
    if (c == 0) break;
    if (c != kWide) {
      if (size_ < kWordBytes && !cut) {
        term_[size_++] = c;
      } else {
        cut = true;
      }
      ++at;
      continue;
    }
    uint32_t code_point = 0;
    size_t length = decode(text_, at, &code_point);
    if (length == 0) break;
    const Folding& folded = folding(code_point);
    if (folded.kind == Kind::kSeparator) break;
    if (folded.kind == Kind::kSingle) {
      if (at != begin_) break;
      std::memcpy(term_, folded.bytes, folded.size);
      size_ = folded.size;
      single_ = true;
      at += length;
      while (at < text_.size() && ascii_class(text_, at) == kWide) {  // its marks belong to it
        length = decode(text_, at, &code_point);
        if (length == 0 || folding(code_point).kind != Kind::kNothing) break;
        at += length;
      }
      break;
    }
    if (folded.kind == Kind::kWord) {
      if (!cut && size_ + folded.size <= kWordBytes) {
        std::memcpy(term_ + size_, folded.bytes, folded.size);
        size_ += folded.size;
      } else {
        cut = true;  // nothing behind the cut, not even a letter that would still fit
      }
    }
    at += length;
  }
  position_ = end_ = at;
  return true;
}

void tokenize(std::string_view text, const std::function<void(const Token&)>& each) {
  Scanner scanner(text);
  Token token;
  while (scanner.next()) {
    token.term.assign(scanner.term());
    token.begin = static_cast<uint32_t>(scanner.begin());
    token.end = static_cast<uint32_t>(scanner.end());
    each(token);
  }
}

std::vector<Token> tokens(std::string_view text) {
  std::vector<Token> out;
  tokenize(text, [&](const Token& token) { out.push_back(token); });
  return out;
}

void index_terms(std::string_view text, const std::function<void(std::string_view)>& each) { walk(text, each); }

std::string fold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    char c = ascii_class(text, at);
    if (c != kWide) {
      out.push_back(c == 0 ? text[at] : c);
      ++at;
      continue;
    }
    uint32_t code_point = 0;
    size_t length = decode(text, at, &code_point);
    if (length == 0) {
      out.append("\xef\xbf\xbd");  // U+FFFD
      ++at;
      continue;
    }
    const Folding& folded = folding(code_point);
    if (folded.size != 0) {
      out.append(folded.view());
    } else if (folded.kind == Kind::kSeparator) {
      out.append(text.substr(at, length));
    }
    at += length;
  }
  return out;
}

std::string address_term(std::string_view address) {
  auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!address.empty() && blank(address.front())) address.remove_prefix(1);
  while (!address.empty() && blank(address.back())) address.remove_suffix(1);
  std::string term = fold(address.substr(0, whole_characters(address, 4 * kAddressBytes)));
  term.resize(whole_characters(term, kAddressBytes));
  return term;
}

size_t edit_distance(std::string_view a, std::string_view b, size_t most) {
  const size_t longer = std::max(a.size(), b.size()), shorter = std::min(a.size(), b.size());
  if (longer - shorter > most || longer > kWordBytes) return most + 1;
  // Optimal string alignment, three rows at a time.
  std::array<std::array<size_t, kWordBytes + 1>, 3> rows;
  for (size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    const auto& before = rows[(i + 1) % 3];
    row[0] = i;
    size_t least = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
      least = std::min(least, row[j]);
    }
    if (least > most) return most + 1;
  }
  return std::min(rows[a.size() % 3][b.size()], most + 1);
}

std::string label_term(std::string_view label) { return " " + address_term(label); }

NumberForms number_forms(std::string_view text) {
  NumberForms out;
  Groups groups;
  size_t previous_end = 0;
  bool blank = false;
  for (Scanner scanner(text); scanner.next();) {
    if (scanner.single()) return {};
    const std::string_view gap = text.substr(previous_end, scanner.begin() - previous_end);
    if (groups.empty()) {
      const bool plus = gap == "+";
      if ((!gap.empty() && !plus) || !Groups::can_begin(scanner.term())) return {};
      groups.begin(scanner.term(), plus);
    } else {
      const char kind = group_gap(gap);
      if (!groups.add(scanner.term(), kind)) return {};
      blank = blank || std::strchr(" ()~", kind) != nullptr;
    }
    previous_end = scanner.end();
  }
  if (groups.empty() || previous_end != text.size()) return {};
  if (!blank && text[0] != '+' && text.substr(0, 2) != "00") return {};
  groups.finish(
      [&](std::string_view term, bool covers, bool shape) {
        if (!covers) return;
        std::string form(term.substr(1));
        if (std::find(out.together.begin(), out.together.end(), form) == out.together.end())
          out.together.push_back(std::move(form));
        out.shape = out.shape || shape;
      },
      true);
  if (!blank && out.together.size() == 1 && "+" + out.together[0] == text) return {};  // nothing new
  return out;
}

Ask ask(std::string_view text) {
  Ask out;
  Scanner scanner(text);
  Compound compound;
  bool joined = true;
  size_t first_begin = 0;
  size_t previous_end = 0;
  while (scanner.next()) {
    if (out.words.empty()) first_begin = scanner.begin();
    char sign = out.words.empty() ? '\0' : joiner(text.substr(previous_end, scanner.begin() - previous_end));
    joined = joined && !scanner.single() && (out.words.empty() || sign != 0) && !compound.full();
    if (joined) compound.add(scanner.term(), sign);
    out.words.emplace_back(scanner.term());
    previous_end = scanner.end();
  }
  index_terms(text, [&](std::string_view term) {
    if (term[0] != kJoinedMark && term.find('@') == std::string_view::npos) out.required.emplace_back(term);
  });
  std::sort(out.required.begin(), out.required.end());
  out.required.erase(std::unique(out.required.begin(), out.required.end()), out.required.end());

  if (out.words.empty()) return out;

  if (first_begin > 0 && text[first_begin - 1] == '@') --first_begin;  // "@b.c" is a domain
  std::string_view core = text.substr(first_begin, previous_end - first_begin);
  if (std::count(core.begin(), core.end(), '@') == 1 && core.find_first_of(" \t\r\n") == std::string_view::npos) {
    out.whole.push_back(address_term(core));
    out.only_whole = true;
    return out;
  }
  if (out.words.size() == 1) {
    out.whole = {out.words[0], kJoinedMark + out.words[0]};
    return out;
  }
  if (!joined) return out;
  compound.finish([&](std::string_view term, bool covers) {
    if (!covers) return;
    out.whole.emplace_back(term);
    if (term.find(',') == std::string_view::npos) out.whole.emplace_back(term.substr(1));
  });
  return out;
}

bool written_together(std::string_view left, std::string_view gap, std::string_view right) {
  const char sign = joiner(gap);
  if (sign == 0 || left.empty() || right.empty() || !sign_joins(left, sign, right)) return false;
  return sign != '\'' || (!is_elided(left) && !is_contraction(right));
}

}  // namespace arch::text
