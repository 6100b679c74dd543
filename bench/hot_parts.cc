// Google Benchmark of what an import, a look at one mail and a search spend their time on, over a small archive made here:
// packing, unpacking one message, a word, two words, a phrase. Journal, analyser and index have programs beside their code
// (bench-journal, bench-text, bench-index). ARCH_BENCH_MAILS sets the size (default 5,000 mails).
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <random>

#include "engine/archive.h"
#include "query/index/index.h"
#include "query/search/search.h"

namespace {

using namespace arch;

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::cerr << describe(result.error()) << "\n";
    std::exit(70);
  }
  return std::move(*result);
}
void must(Result<void> result) {
  if (!result) {
    std::cerr << describe(result.error()) << "\n";
    std::exit(70);
  }
}

// French-looking words with the skew of real text: a few hundred common ones, a long tail.
std::string mail(uint32_t number) {
  std::mt19937 random(number);
  const auto word = [&] {
    static const char* common[] = {"bon",       "de",    "commande", "la",    "le",     "facture",
                                   "livraison", "merci", "pour",     "votre", "client", "prix"};
    if (random() % 3 == 0) return std::string(common[random() % std::size(common)]);
    const double skewed = std::pow(static_cast<double>(random() % 100'000 + 1) / 100'000.0, 3.0);
    return "mot" + std::to_string(static_cast<uint32_t>(skewed * 50'000));
  };
  std::string text = "From: Zoe <zoe" + std::to_string(number % 33) +
                     "@maison.example>\r\nTo: achat@client.example\r\nSubject: " + word() + " " + word() +
                     "\r\nMessage-ID: <" + std::to_string(number) +
                     "@maison.example>\r\nDate: Tue, 14 Oct 2025 09:10:00 +0200\r\n\r\n";
  for (int line = 0; line < 40; ++line) {
    for (int i = 0; i < 9; ++i) text += word() + " ";
    text += "\r\n";
  }
  return text;
}

// One archive for the whole program, packed and indexed.
class Fixture {
 public:
  static Fixture& get() {
    static Fixture fixture;
    return fixture;
  }
  Archive& archive() { return *archive_; }
  const std::vector<Digest>& digests() const { return digests_; }
  uint64_t raw_bytes() const { return raw_bytes_; }
  double pack_seconds() const { return pack_seconds_; }

 private:
  Fixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bench-hot-parts-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::exit(71);
    root_ = pattern;
    const char* asked = ::getenv("ARCH_BENCH_MAILS");
    const uint32_t count = asked == nullptr ? 5'000 : static_cast<uint32_t>(std::stoul(asked));
    must(Archive::init(Fs::real(), root_ + "/a", Clock::system().now()));
    archive_ = must(Archive::open(Fs::real(), Clock::system(), root_ + "/a", Archive::Mode::kEngine));
    for (uint32_t number = 0; number < count; ++number) {
      std::string text = mail(number);
      Delivery delivery;
      delivery.captured = Clock::system().now();
      delivery.digest = Sha256::of(as_bytes(text));
      digests_.push_back(delivery.digest);
      raw_bytes_ += text.size();
      must(archive_->append_staged(delivery, std::move(text)));
    }
    must(archive_->close_journal());
    must(archive_->apply());
    auto writer = must(index::IndexWriter::open(*archive_, {}));
    must(writer->follow({}, {}));
    must(writer->close());
    const auto begin = std::chrono::steady_clock::now();
    must(archive_->pack(0, 0));
    pack_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  ~Fixture() {
    archive_.reset();
    std::filesystem::remove_all(root_);
  }

  std::string root_;
  std::unique_ptr<Archive> archive_;
  std::vector<Digest> digests_;
  uint64_t raw_bytes_ = 0;
  double pack_seconds_ = 0;
};

// Packing cannot be repeated on one journal: the time of the one run, as a rate.
void BM_Pack(benchmark::State& state) {
  Fixture& fixture = Fixture::get();
  for (auto _ : state) state.SetIterationTime(fixture.pack_seconds());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(fixture.raw_bytes()));
}
BENCHMARK(BM_Pack)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

void BM_UnpackOneMessage(benchmark::State& state) {
  Fixture& fixture = Fixture::get();
  std::mt19937 random(1);
  for (auto _ : state) {
    auto bytes = must(fixture.archive().get(fixture.digests()[random() % fixture.digests().size()]));
    benchmark::DoNotOptimize(bytes);
  }
}
BENCHMARK(BM_UnpackOneMessage)->Unit(benchmark::kMicrosecond);

void search(benchmark::State& state, const char* query, bool widen) {
  Fixture& fixture = Fixture::get();
  auto searcher = must(search::Searcher::open(fixture.archive()));
  search::Request request;
  request.query = query;
  request.limit = 50;
  request.widen = widen;
  request.context.now = Clock::system().now();
  uint64_t total = 0;
  for (auto _ : state) {
    auto answer = must(searcher->search(request));
    total = answer.total;
    benchmark::DoNotOptimize(answer);
  }
  state.counters["hits"] = static_cast<double>(total);
}

void BM_SearchRareWord(benchmark::State& state) { search(state, "mot777", false); }
void BM_SearchCommonWord(benchmark::State& state) { search(state, "facture", true); }
void BM_SearchTwoWords(benchmark::State& state) { search(state, "facture mot12", true); }
void BM_SearchPhrase(benchmark::State& state) { search(state, "\"bon de commande\"", true); }
void BM_SearchSender(benchmark::State& state) { search(state, "from:zoe7@maison.example", true); }
BENCHMARK(BM_SearchRareWord)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_SearchCommonWord)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_SearchTwoWords)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_SearchPhrase)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_SearchSender)->Unit(benchmark::kMicrosecond);

}  // namespace
