// Question  How long does a question to this archive take inside one process, by kind: a word, two words, a field, a span of
//           dates, a phrase; and one message read whole? Exact totals, snippets and one page of hits included.
// Method    The questions are drawn from the archive's own mail by a seed: the word of a random place in a random mail, so that
//           common words are asked as often as they stand there. Each is asked once (that is "first"), then --repeat times in
//           turns; percentiles are over all of these.
//   bench-queries ARCHIVE [--draw N] [--seed N] [--repeat N] [--limit N] [--kinds word,phrase,…] [--no-show] [--list]
//                 [--queries FILE]
//     --no-show    reads no message whole: for a profile of questions alone
//     --list       prints the questions, "kind TAB question" a line, and asks nothing; ASCII words only, in the syntax that
//                  notmuch and mu share
//     --queries    asks these instead, in the form that --list prints
// Output    One JSON object; times are milliseconds. cpu_ is the processor time of all threads of the process, which says more than
//           the clock where others want the same processors.
#include <getopt.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "engine/archive.h"
#include "query/language/dates.h"
#include "query/search/search.h"

namespace arch {
namespace {

using Json = nlohmann::ordered_json;
using SteadyClock = std::chrono::steady_clock;

constexpr size_t kShortestWord = 4;  // shorter ones are rarely asked for alone
constexpr int kTries = 2'000;        // for one question: mails without a fitting word are passed over

struct Question {
  std::string kind, text;
};

double ms_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count();
}

double processor_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Runs of ASCII letters between blanks, or nothing for what lies between: two neighbours are neighbours in the text.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find_first_not_of(" \t\r\n", at);
    if (begin == std::string_view::npos) break;
    at = std::min(text.find_first_of(" \t\r\n", begin), text.size());
    std::string_view word = text.substr(begin, at - begin);
    const bool plain = std::all_of(word.begin(), word.end(), is_letter);
    out.emplace_back(plain ? word : "");
  }
  return out;
}

class Drawer {
 public:
  Drawer(const Archive& archive, uint64_t last_message, uint64_t seed)
      : archive_(archive), last_(last_message), random_(seed) {}

  Result<std::string> draw(const std::string& kind) {
    for (int i = 0; i < kTries; ++i) {
      ARCH_TRY(std::string text, attempt(kind));
      if (!text.empty() && seen_.insert(text).second) return text;
    }
    return fail(Code::kNotFound, "no " + kind + " could be drawn from this archive");
  }

 private:
  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  bool is_operator(const std::string& word) const {
    std::string small = word;
    for (char& c : small)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return small == "or" || small == "and" || small == "not" || small == "xor" || small == "near" || small == "adj";
  }
  bool fits(const std::string& word) const { return word.size() >= kShortestWord && word.size() <= 20; }

  Result<std::string> attempt(const std::string& kind) {
    const uint64_t number = 1 + below(last_);
    ARCH_TRY(MessageInfo info, archive_.info(number));
    if (kind == "date") {
      const std::string day = query::format_day(info.date / (kNsPerDay));
      return day.substr(0, 1) == "-" ? std::string() : "date:" + day.substr(0, 7);
    }
    if (kind == "field") {
      const bool sender = below(2) == 0 && !info.from.empty();
      const auto words = words_of(sender ? info.from[0].name : info.subject);
      if (words.empty()) return std::string();
      const std::string& word = words[below(words.size())];
      return fits(word) ? (sender ? "from:" : "subject:") + word : std::string();
    }
    auto text = archive_.text(number);
    if (!text) {
      if (text.error().code == Code::kNotFound) return std::string();
      return tl::unexpected<Error>(std::move(text).error());
    }
    for (const TextPiece& piece : *text) {
      if (piece.field != TextPiece::kBody) continue;
      const auto words = words_of(piece.text);
      if (words.empty()) continue;
      const size_t at = below(words.size());
      const std::string& word = words[at];
      if (kind == "phrase") {
        if (at + 1 >= words.size() || word.empty() || words[at + 1].empty()) return std::string();
        if (!fits(word) && !fits(words[at + 1])) return std::string();
        return "\"" + word + " " + words[at + 1] + "\"";
      }
      if (!fits(word) || is_operator(word)) return std::string();
      if (kind == "word") return word;
      const std::string& second = words[below(words.size())];
      return fits(second) && !is_operator(second) && second != word ? word + " " + second : std::string();
    }
    return std::string();
  }

  const Archive& archive_;
  const uint64_t last_;
  std::mt19937_64 random_;
  std::set<std::string> seen_;
};

struct Options {
  std::string archive, file;
  std::vector<std::string> kinds = {"word", "two words", "field", "date", "phrase"};
  int draw = 20, repeat = 10;
  size_t limit = 50;
  uint64_t seed = 1;
  bool list = false, show = true;
};

Result<std::vector<Question>> questions_of(const Options& options, const Archive& archive, uint64_t last) {
  std::vector<Question> out;
  if (!options.file.empty()) {
    std::ifstream in(options.file);
    if (!in) return fail(Code::kNotFound, options.file + " is not readable");
    for (std::string line; std::getline(in, line);) {
      const size_t tab = line.find('\t');
      if (tab == std::string::npos) return fail(Code::kInvalid, options.file + ": no tab in: " + line);
      out.push_back({line.substr(0, tab), line.substr(tab + 1)});
    }
    return out;
  }
  Drawer drawer(archive, last, options.seed);
  for (const std::string& kind : options.kinds)
    for (int i = 0; i < options.draw; ++i) {
      auto text = drawer.draw(kind);
      if (!text && text.error().code == Code::kNotFound && i > 0) break;  // a small archive has no more of them
      if (!text) return tl::unexpected<Error>(std::move(text).error());
      out.push_back({kind, std::move(*text)});
    }
  return out;
}

struct Times {
  std::vector<double> first, again;
  std::vector<double> processor;  // of `again`
  std::vector<double> totals;
};

Json figures(const Times& times) {
  return {{"questions", times.first.size()},
          {"median_total", static_cast<uint64_t>(quantile(times.totals, 0.5))},
          {"largest_total", static_cast<uint64_t>(quantile(times.totals, 1))},
          {"first_median_ms", quantile(times.first, 0.5)},
          {"first_p95_ms", quantile(times.first, 0.95)},
          {"median_ms", quantile(times.again, 0.5)},
          {"p95_ms", quantile(times.again, 0.95)},
          {"max_ms", quantile(times.again, 1)},
          {"cpu_median_ms", quantile(times.processor, 0.5)},
          {"cpu_p95_ms", quantile(times.processor, 0.95)}};
}

Result<void> run(const Options& options) {
  const auto open_begun = SteadyClock::now();
  ARCH_TRY(auto archive, Archive::open(Fs::real(), Clock::system(), options.archive, Archive::Mode::kReader));
  ARCH_TRY(auto searcher, search::Searcher::open(*archive));
  const double open_ms = ms_since(open_begun);
  ARCH_TRY(ArchiveStatus status, archive->status());
  if (status.last_message == 0) return fail(Code::kNotFound, "the archive is empty");
  ARCH_TRY(auto questions, questions_of(options, *archive, status.last_message));
  if (options.list) {
    for (const Question& question : questions) std::printf("%s\t%s\n", question.kind.c_str(), question.text.c_str());
    return {};
  }

  std::vector<std::string> order;
  std::map<std::string, Times> kinds;
  for (int round = 0; round <= options.repeat; ++round)
    for (const Question& question : questions) {
      search::Request request;
      request.query = question.text;
      request.limit = options.limit;
      request.context.now = Clock::system().now();
      const double processor_begin = processor_ms();
      const auto begin = SteadyClock::now();
      auto answer = searcher->search(request);
      const double took = ms_since(begin);
      const double processor_took = processor_ms() - processor_begin;
      if (!answer) return fail(answer.error().code, question.text + ": " + answer.error().what, answer.error().hint);
      if (kinds.count(question.kind) == 0) order.push_back(question.kind);
      Times& times = kinds[question.kind];
      if (round > 0) {
        times.again.push_back(took);
        times.processor.push_back(processor_took);
        continue;
      }
      times.first.push_back(took);
      times.totals.push_back(static_cast<double>(answer->total));
      if (!answer->total_exact) return fail(Code::kCorrupt, "the total of " + question.text + " is not exact");
    }

  // One message by its digest, as `archctl show --raw` reads it: SHA-256 compared.
  Times get;
  std::mt19937_64 random(options.seed);
  std::vector<Digest> digests;
  for (int i = 0; options.show && i < options.draw * 5; ++i) {
    const uint64_t number = std::uniform_int_distribution<uint64_t>(1, status.last_message)(random);
    ARCH_TRY(MessageInfo info, archive->info(number));
    digests.push_back(info.digest);
  }
  for (int round = 0; round <= options.repeat; ++round)
    for (const Digest& digest : digests) {
      const double processor_begin = processor_ms();
      const auto begin = SteadyClock::now();
      ARCH_TRY(std::string bytes, archive->get(digest));
      (round == 0 ? get.first : get.again).push_back(ms_since(begin));
      if (round > 0) get.processor.push_back(processor_ms() - processor_begin);
      if (round == 0) get.totals.push_back(static_cast<double>(bytes.size()));
    }

  rusage resources{};
  ::getrusage(RUSAGE_SELF, &resources);
  Json out = {{"bench", "queries/1"},   {"messages", status.last_message},
              {"limit", options.limit}, {"repeat", options.repeat},
              {"open_ms", open_ms},     {"peak_rss_bytes", static_cast<uint64_t>(resources.ru_maxrss) * 1024},
              {"kinds", Json::object()}};
  for (const std::string& kind : order) out["kinds"][kind] = figures(kinds[kind]);
  if (options.show) out["kinds"]["show"] = figures(get);
  std::printf("%s\n", out.dump().c_str());
  return {};
}

int main_of(int argc, char** argv) {
  Options options;
  static const option kOptions[] = {{"draw", required_argument, nullptr, 'd'},
                                    {"seed", required_argument, nullptr, 's'},
                                    {"repeat", required_argument, nullptr, 'r'},
                                    {"limit", required_argument, nullptr, 'n'},
                                    {"kinds", required_argument, nullptr, 'k'},
                                    {"no-show", no_argument, nullptr, 'S'},
                                    {"list", no_argument, nullptr, 'l'},
                                    {"queries", required_argument, nullptr, 'q'},
                                    {nullptr, 0, nullptr, 0}};
  for (int flag; (flag = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (flag) {
      case 'd':
        options.draw = std::max(1, std::atoi(optarg));
        break;
      case 's':
        options.seed = std::strtoull(optarg, nullptr, 10);
        break;
      case 'r':
        options.repeat = std::max(1, std::atoi(optarg));
        break;
      case 'n':
        options.limit = std::strtoull(optarg, nullptr, 10);
        break;
      case 'k': {
        options.kinds.clear();
        std::stringstream in(optarg);
        for (std::string kind; std::getline(in, kind, ',');) options.kinds.push_back(kind);
        break;
      }
      case 'S':
        options.show = false;
        break;
      case 'l':
        options.list = true;
        break;
      case 'q':
        options.file = optarg;
        break;
      default:
        return EX_USAGE;
    }
  }
  for (const std::string& kind : options.kinds)
    if (kind != "word" && kind != "two words" && kind != "field" && kind != "date" && kind != "phrase") {
      std::fprintf(stderr, "bench-queries: no such kind: %s\n", kind.c_str());
      return EX_USAGE;
    }
  if (argc - optind != 1) {
    std::fprintf(stderr, "usage: bench-queries ARCHIVE [OPTION]... (see the first lines of bench/queries.cc)\n");
    return EX_USAGE;
  }
  options.archive = argv[optind];
  auto result = run(options);
  if (result) return 0;
  std::fprintf(stderr, "bench-queries: %s\n", describe(result.error()).c_str());
  return EX_IOERR;
}

}  // namespace
}  // namespace arch

int main(int argc, char** argv) { return arch::main_of(argc, argv); }
