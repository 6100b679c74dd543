// Writes as many mails as wanted: real mail, or mail invented here, repeated with changed words, dates, people and Message-IDs.
//   bench-make-mail --messages N --out DIR [--seed-mail DIR] [--seed N] [--largest BYTES] [--maildirs]
// What changes from copy to copy, and why: every fourth word of four letters or more becomes a word drawn from all mails, as often
// as it stands there, and one in 200 a number that stands nowhere else, so that the vocabulary grows with the archive as it does in
// life; half of the numbers of four digits or more; every eighth line of base64, so that an attachment is not the one before;
// addresses and names get a mark of a company that is drawn for each mail, more companies the more mail there is; Message-ID,
// In-Reply-To and References get the copy's number, so that threads stay threads; dates go evenly over ten years. Structure,
// charsets and transfer encodings stay as they are.
// Output: DIR/NNNNNN.mbox, 10,000 mails each, lines that begin with "From " quoted; with --maildirs, for programs that read no mbox,
// DIR/NNNNNN/cur/ with a file for each. The same arguments give the same bytes.
#include <fcntl.h>
#include <getopt.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace stdfs = std::filesystem;

constexpr uint64_t kPerFile = 10'000;
constexpr size_t kSeeds = 4'000;               // real mails taken at most; evenly from the folder
constexpr size_t kInventedSeeds = 600;         // enough for several hundred threads
constexpr int64_t kFirstDate = 1'420'070'400;  // 2015-01-01
constexpr int64_t kDateSpan = 10 * 365 * 86'400LL;

/// SplitMix64: small, and a mail's changes depend on its number alone.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return next() % bound; }
  double unit() { return static_cast<double>(next() >> 11) / 9007199254740992.0; }

 private:
  uint64_t state_;
};

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_wordy(char c) { return is_letter(c) || is_digit(c) || (c & 0x80) != 0; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

enum class Piece : uint8_t { kLiteral, kWord, kDigits, kBase64, kDate, kCopy, kPerson, kName };
struct Part {
  Piece piece;
  uint32_t begin, end;  // of the seed's bytes
};
struct Seed {
  std::string bytes;
  std::vector<Part> parts;
};

/// Takes a mail apart into what stays and what changes.
class Cutter {
 public:
  Cutter(Seed& seed, std::vector<std::string>& pool) : seed_(seed), pool_(pool) {}

  void cut() {
    const std::string& text = seed_.bytes;
    bool header = true, base64 = false, top = true;
    std::string field;
    for (size_t at = 0; at < text.size();) {
      size_t end = text.find('\n', at);
      end = end == std::string::npos ? text.size() : end + 1;
      const std::string_view line(text.data() + at, end - at);
      if (header) {
        if (line == "\n" || line == "\r\n") {
          header = top = false;
        } else {
          if (line[0] != ' ' && line[0] != '\t') field = lower(line.substr(0, line.find(':')));
          if (field == "content-transfer-encoding") base64 = lower(line).find("base64") != std::string::npos;
          if (top) header_line(field, at, end);
        }
      } else if (line.substr(0, 2) == "--" && line.size() > 4 && line.find(' ') == std::string_view::npos) {
        header = true;
        base64 = false;
        field.clear();
      } else if (base64) {
        if (line.size() >= 40) add(Piece::kBase64, at, at + line.find_last_not_of("\r\n") + 1);
      } else {
        words(at, end);
      }
      at = end;
    }
    add(Piece::kLiteral, text.size(), text.size());
  }

 private:
  void add(Piece piece, size_t begin, size_t end) {
    if (begin > at_)
      seed_.parts.push_back({Piece::kLiteral, static_cast<uint32_t>(at_), static_cast<uint32_t>(begin)});
    if (piece != Piece::kLiteral)
      seed_.parts.push_back({piece, static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    at_ = end;
  }

  void header_line(const std::string& field, size_t begin, size_t end) {
    const std::string& text = seed_.bytes;
    if (field == "date") {
      if (text[begin] != ' ' && text[begin] != '\t') add(Piece::kDate, begin, end - (text[end - 1] == '\n' ? 1 : 0));
    } else if (field == "message-id" || field == "in-reply-to" || field == "references") {
      for (size_t i = begin; i < end; ++i)
        if (text[i] == '@') add(Piece::kCopy, i, i);
    } else if (field == "from" || field == "to" || field == "cc" || field == "reply-to" || field == "sender") {
      const size_t colon = text.find(':', begin);
      for (size_t i = colon < end && text[begin] != ' ' && text[begin] != '\t' ? colon + 1 : begin; i < end;) {
        size_t stop = i;
        while (stop < end && std::strchr(" \t\r\n<>,\"()", text[stop]) == nullptr) ++stop;
        const std::string_view token(text.data() + i, stop - i);
        const size_t sign = token.find('@');
        if (sign != std::string_view::npos && sign > 0) {
          add(Piece::kPerson, i + sign, i + sign);
        } else if (token.size() >= 4 && std::all_of(token.begin(), token.end(), is_letter)) {
          add(Piece::kName, stop, stop);
        }
        i = stop + (stop == i ? 1 : 0);
      }
    } else if (field == "subject") {
      const size_t colon = text.find(':', begin);
      if (std::string_view(text.data() + begin, end - begin).find("=?") == std::string_view::npos)
        words(text[begin] == ' ' || text[begin] == '\t' || colon >= end ? begin : colon + 1, end);
    }
  }

  void words(size_t begin, size_t end) {
    const std::string& text = seed_.bytes;
    bool tag = false;
    for (size_t i = begin; i < end;) {
      const char c = text[i];
      if (c == '<') tag = true;
      if (c == '>') tag = false;
      if (!is_wordy(c)) {
        ++i;
        continue;
      }
      size_t stop = i;
      while (stop < end && is_wordy(text[stop])) ++stop;
      const std::string_view word(text.data() + i, stop - i);
      // Beside "=" it may be half a quoted-printable word; beside these an address or a link.
      const auto joins = [&](char next) { return std::strchr("=@&/_", next) != nullptr; };
      const bool alone = !(i > begin && joins(text[i - 1])) && !(stop < end && joins(text[stop]));
      if (!tag && alone && word.size() >= 4) {
        if (std::all_of(word.begin(), word.end(), is_lower)) {
          add(Piece::kWord, i, stop);
          pool_.emplace_back(word);
        } else if (std::all_of(word.begin(), word.end(), is_digit)) {
          add(Piece::kDigits, i, stop);
        }
      }
      i = stop;
    }
  }

  Seed& seed_;
  std::vector<std::string>& pool_;
  size_t at_ = 0;
};

// ---- Invented mail -----------------------------------------------------------------------------------------------------

class Inventor {
 public:
  explicit Inventor(uint64_t seed) : random_(seed) {
    static const char* const kSyllables[] = {"ba", "con", "de",   "fer", "gi", "la",  "ma", "mon",
                                             "ni", "par", "pro",  "que", "ra", "re",  "sa", "si",
                                             "ta", "ter", "tion", "tu",  "va", "ver", "vi", "zon"};
    for (int i = 0; i < 20'000; ++i) {
      std::string word;
      for (uint64_t n = 1 + random_.below(4); n > 0; --n) word += kSyllables[random_.below(std::size(kSyllables))];
      vocabulary_.push_back(word);
    }
  }

  std::string mail(size_t number) {
    const bool answer = number % 2 == 1;
    if (!answer) subject_ = words(3 + random_.below(5));
    const std::string from = person(), to = person();
    std::string out = "Received: from mx.example by mail.example with ESMTP id " +
                      std::to_string(random_.below(1u << 30)) + "\nFrom: " + from + "\nTo: " + to +
                      (random_.below(4) == 0 ? "\nCc: " + person() : "") + "\nSubject: " + (answer ? "Re: " : "") +
                      subject_ + "\nDate: x\nMessage-ID: <" + std::to_string(number) + "@mail.example>\n" +
                      (answer ? "In-Reply-To: <" + std::to_string(number - 1) + "@mail.example>\n" : "") +
                      "MIME-Version: 1.0\n";
    std::string text = paragraphs(40 + random_.below(360));
    std::string own = text;
    if (answer) {
      std::istringstream lines(before_);
      for (std::string line; std::getline(lines, line);) text += "> " + line + "\n";
    }
    text += "-- \n" + from + "\nTel. 01 " + std::to_string(10'000'000 + random_.below(89'999'999)) + "\n";
    before_ = own;
    const uint64_t kind = random_.below(20);
    if (kind >= 5) return out + "Content-Type: text/plain; charset=utf-8\n\n" + text;
    const bool html = kind < 3;
    out += std::string("Content-Type: multipart/") + (html ? "alternative" : "mixed") +
           "; boundary=\"=_part\"\n\n--=_part\nContent-Type: text/plain; charset=utf-8\n\n" + text + "\n--=_part\n";
    if (html) {
      std::string body = text;
      for (size_t at = 0; (at = body.find('\n', at)) != std::string::npos; at += 5) body.replace(at, 1, "<br>\n");
      out += "Content-Type: text/html; charset=utf-8\n\n<html><body>\n<p style=\"font-family: sans-serif\">\n" +
             body + "</body></html>\n";
    } else {
      out += "Content-Type: application/pdf; name=\"piece-" + std::to_string(number) +
             ".pdf\"\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n";
      for (uint64_t lines = 30 + random_.below(300); lines > 0; --lines) {
        for (int i = 0; i < 76; ++i) out += kBase64Letters[random_.below(64)];
        out += "\n";
      }
    }
    return out + "--=_part--\n";
  }

  static constexpr char kBase64Letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

 private:
  const std::string& word() {
    const double u = random_.unit();
    return vocabulary_[static_cast<size_t>(static_cast<double>(vocabulary_.size()) * u * u * u)];
  }
  std::string words(uint64_t count) {
    std::string out;
    for (; count > 0; --count) out += (out.empty() ? "" : " ") + word();
    return out;
  }
  std::string paragraphs(uint64_t count) {
    std::string out;
    for (uint64_t n = 0, width = 0; n < count; ++n) {
      const std::string& next = word();
      const bool full = n % 12 == 11;
      out += (width == 0 ? "" : " ") + next + (full ? "." : "");
      width += next.size() + 1;
      if (width > 68) {
        out += "\n";
        width = 0;
      }
    }
    return out + "\n";
  }
  std::string person() {
    static const char* const kFirst[] = {"Paul", "Claire", "Marc", "Julie", "Emma", "James", "Sarah", "Hugo"};
    const std::string& last = vocabulary_[random_.below(300)];
    const std::string first = kFirst[random_.below(std::size(kFirst))];
    const std::string domain =
        random_.below(2) == 0 ? "maison.example" : "client" + std::to_string(random_.below(60)) + ".example";
    return first + " " + last + " <" + lower(first) + "." + last + "@" + domain + ">";
  }

  Random random_;
  std::vector<std::string> vocabulary_;
  std::string subject_ = "bonjour", before_;
};

// ---- Copies ------------------------------------------------------------------------------------------------------------

std::string syllables(uint64_t number) {
  std::string out;
  for (; number > 0; number /= 80) {
    out += "bcdfghjklmnprstv"[number % 16];
    out += "aeiou"[number / 16 % 5];
  }
  return out;
}

std::string date_field(int64_t time) {
  char text[64];
  const std::time_t seconds = time;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S +0000", &parts);
  return text;
}

class Copier {
 public:
  Copier(const std::vector<Seed>& seeds, const std::vector<std::string>& pool, uint64_t messages, uint64_t seed)
      : seeds_(seeds), pool_(pool), messages_(messages), seed_(seed) {
    companies_ = 1 + static_cast<uint64_t>(std::sqrt(static_cast<double>(messages)) / 10);
  }

  void append(uint64_t number, std::string* out) const {
    const Seed& seed = seeds_[number % seeds_.size()];
    const uint64_t copy = number / seeds_.size();
    Random random(seed_ * 0x100000001b3ull + number);
    const uint64_t company = random.below(companies_);
    const size_t begin = out->size();
    for (const Part& part : seed.parts) {
      const std::string_view text(seed.bytes.data() + part.begin, part.end - part.begin);
      switch (part.piece) {
        case Piece::kLiteral:
          *out += text;
          break;
        case Piece::kWord:
          if (const uint64_t dice = random.below(400); dice < 2) {
            *out += std::to_string(10'000'000 + random.below(90'000'000));
          } else if (dice < 102) {
            *out += pool_[random.below(pool_.size())];
          } else {
            *out += text;
          }
          break;
        case Piece::kDigits:
          if (random.below(2) == 0) {
            *out += text;
          } else {
            for (size_t i = 0; i < text.size(); ++i) *out += static_cast<char>('0' + random.below(10));
          }
          break;
        case Piece::kBase64:
          if (random.below(8) != 0) {
            *out += text;
          } else {
            for (const char c : text) *out += c == '=' ? '=' : Inventor::kBase64Letters[random.below(64)];
          }
          break;
        case Piece::kDate:
          *out += date_field(kFirstDate +
                             static_cast<int64_t>(static_cast<double>(kDateSpan) * static_cast<double>(number) /
                                                  static_cast<double>(messages_)));
          break;
        case Piece::kCopy:
          *out += "." + std::to_string(copy);
          break;
        case Piece::kPerson:
          if (company > 0) *out += std::to_string(company);
          break;
        case Piece::kName:
          *out += syllables(company);
          break;
      }
    }
    if (out->size() > begin && out->back() != '\n') *out += '\n';
  }

 private:
  const std::vector<Seed>& seeds_;
  const std::vector<std::string>& pool_;
  const uint64_t messages_, seed_;
  uint64_t companies_;
};

bool write(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) std::fprintf(stderr, "bench-make-mail: cannot write %s\n", path.c_str());
  return static_cast<bool>(out);
}

void append_mbox(const std::string& mail, std::string* out) {
  *out += "From bench@mail.example Thu Jan  1 00:00:00 2015\n";
  for (size_t at = 0; at < mail.size();) {
    size_t end = mail.find('\n', at);
    end = end == std::string::npos ? mail.size() : end + 1;
    if (mail.compare(at, 5, "From ") == 0) *out += '>';
    out->append(mail, at, end - at);
    at = end;
  }
  *out += '\n';
}

std::vector<std::string> read_seeds(const std::string& folder, size_t largest) {
  std::vector<std::string> paths, out;
  for (const auto& entry : stdfs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.file_size() > 0 && entry.file_size() <= largest)
      paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  const size_t wanted = std::min(paths.size(), kSeeds);
  for (size_t i = 0; i < wanted; ++i) {
    std::ifstream in(paths[i * paths.size() / wanted], std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    std::string mail = text.str();
    if (mail.compare(0, 5, "From ") == 0) mail.erase(0, mail.find('\n') + 1);
    // No header, no mail: a list of checksums or of queries beside the corpus.
    const std::string_view first = std::string_view(mail).substr(0, mail.find('\n'));
    const size_t colon = first.find(':');
    if (colon == std::string_view::npos || colon == 0 ||
        first.substr(0, colon).find_first_of(" \t{") != std::string_view::npos)
      continue;
    out.push_back(std::move(mail));
  }
  return out;
}

int run(int argc, char** argv) {
  uint64_t messages = 0, seed = 1;
  size_t largest = 32'768;
  std::string folder, from;
  bool maildirs = false;
  static const option kOptions[] = {{"messages", required_argument, nullptr, 'm'},
                                    {"out", required_argument, nullptr, 'o'},
                                    {"seed-mail", required_argument, nullptr, 'f'},
                                    {"seed", required_argument, nullptr, 's'},
                                    {"largest", required_argument, nullptr, 'l'},
                                    {"maildirs", no_argument, nullptr, 'd'},
                                    {nullptr, 0, nullptr, 0}};
  for (int flag; (flag = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (flag) {
      case 'm':
        messages = std::strtoull(optarg, nullptr, 10);
        break;
      case 'o':
        folder = optarg;
        break;
      case 'f':
        from = optarg;
        break;
      case 's':
        seed = std::strtoull(optarg, nullptr, 10);
        break;
      case 'l':
        largest = std::strtoull(optarg, nullptr, 10);
        break;
      case 'd':
        maildirs = true;
        break;
      default:
        return EX_USAGE;
    }
  }
  if (messages == 0 || folder.empty() || optind != argc) {
    std::fprintf(stderr,
                 "usage: bench-make-mail --messages N --out DIR [--seed-mail DIR] [--seed N] [--largest BYTES] "
                 "[--maildirs]\n");
    return EX_USAGE;
  }
  std::vector<std::string> mails;
  if (!from.empty()) {
    mails = read_seeds(from, largest);
  } else {
    Inventor inventor(seed);
    for (size_t i = 0; i < kInventedSeeds; ++i) mails.push_back(inventor.mail(i));
  }
  if (mails.empty()) {
    std::fprintf(stderr, "bench-make-mail: no mail of at most %zu bytes in %s\n", largest, from.c_str());
    return EX_NOINPUT;
  }
  std::vector<Seed> seeds(mails.size());
  std::vector<std::string> pool;
  for (size_t i = 0; i < mails.size(); ++i) {
    seeds[i].bytes = std::move(mails[i]);
    Cutter(seeds[i], pool).cut();
  }
  if (pool.empty()) pool.emplace_back("rien");

  stdfs::create_directories(folder);
  const Copier copier(seeds, pool, messages, seed);
  uint64_t bytes = 0;
  std::string mail, file;
  for (uint64_t number = 0; number < messages; ++number) {
    mail.clear();
    copier.append(number, &mail);
    bytes += mail.size();
    char part[32], name[48];
    std::snprintf(part, sizeof part, "/%06llu", static_cast<unsigned long long>(number / kPerFile));
    if (maildirs) {
      if (number % kPerFile == 0)
        for (const char* inside : {"/cur", "/new", "/tmp"}) stdfs::create_directories(folder + part + inside);
      std::snprintf(name, sizeof name, "/cur/%07llu.bench:2,S", static_cast<unsigned long long>(number));
      if (!write(folder + part + name, mail)) return EX_IOERR;
      continue;
    }
    append_mbox(mail, &file);
    if (number % kPerFile != kPerFile - 1 && number + 1 != messages) continue;
    if (!write(folder + part + ".mbox", file)) return EX_IOERR;
    file.clear();
  }
  std::printf("{\"bench\":\"make-mail/1\",\"messages\":%llu,\"bytes\":%llu,\"seeds\":%zu,\"invented\":%s}\n",
              static_cast<unsigned long long>(messages), static_cast<unsigned long long>(bytes), seeds.size(),
              from.empty() ? "true" : "false");
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }
