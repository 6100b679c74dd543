// How fast documents become terms and terms become a committed index, and how fast postings and columns are read.
// Data: invented mails of about 250 words from a vocabulary of 20,000, skewed as words are; one commit per 1,000.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "query/index/index.h"
#include "query/index/store.h"

namespace {

using namespace arch;
using namespace arch::index;

struct Mail {
  MessageInfo info;
  MessageText text;
};

std::vector<Mail> mails(size_t count) {
  std::mt19937 random(1);
  std::vector<Mail> out(count);
  for (size_t i = 0; i < count; ++i) {
    Mail& mail = out[i];
    mail.info.number = i + 1;
    mail.info.date = static_cast<UnixNs>(i) * kNsPerSecond;
    mail.info.mail_key = i;
    mail.info.from = {{"Élodie Lefèvre", "elodie@ventes.example"}};
    mail.info.to = {{"Paul", "paul@achats.example"}};
    std::string body;
    for (int w = 0; w < 250; ++w) {
      double u = static_cast<double>(random()) / 4294967296.0;
      body += (w % 4 == 0 ? "de " : "") + ("mot" + std::to_string(static_cast<int>(20'000 * u * u * u))) + " ";
    }
    mail.text = {{TextPiece::kSubject, "", "Facture FA-2024-" + std::to_string(i)}, {TextPiece::kBody, "", body}};
  }
  return out;
}

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "arch-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::unique_ptr<IndexStore> fill(const std::string& archive, const std::vector<Mail>& from) {
  auto store = IndexStore::open(archive + "/index", {}, [](uint64_t, const Digest&) -> Result<bool> { return true; });
  if (!store) std::abort();
  DocumentMaker maker;
  IndexStore::Batch batch;
  for (const Mail& mail : from) {
    batch.documents.push_back(maker.make(mail.info, mail.text, {}, {}));
    batch.mark = batch.documents.back().sequence = mail.info.number;
    if (batch.documents.size() < 1000 && mail.info.number < from.size()) continue;
    if (!(*store)->commit(batch)) std::abort();
    batch = {};
  }
  if (!(*store)->tidy()) std::abort();
  return std::move(*store);
}

void make_documents(benchmark::State& state) {
  auto from = mails(1000);
  DocumentMaker maker;
  for (auto _ : state)
    for (const Mail& mail : from) benchmark::DoNotOptimize(maker.make(mail.info, mail.text, {}, {}));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * from.size()));
}
BENCHMARK(make_documents)->Unit(benchmark::kMillisecond);

void index_documents(benchmark::State& state) {
  auto from = mails(4000);
  uint64_t bytes = 0;
  for (auto _ : state) {
    Directory directory;
    fill(directory.path(), from);
    bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path()))
      if (entry.is_regular_file()) bytes += entry.file_size();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * from.size()));
  state.counters["bytes/document"] = static_cast<double>(bytes) / static_cast<double>(from.size());
}
BENCHMARK(index_documents)->Unit(benchmark::kMillisecond)->UseRealTime();

void open_reader(benchmark::State& state) {
  Directory directory;
  fill(directory.path(), mails(4000));
  for (auto _ : state) {
    auto reader = IndexReader::open(directory.path());
    if (!reader) std::abort();
    benchmark::DoNotOptimize((*reader)->documents());
  }
}
BENCHMARK(open_reader)->Unit(benchmark::kMicrosecond);

void read_common_term_and_dates(benchmark::State& state) {
  Directory directory;
  fill(directory.path(), mails(4000));
  auto reader = IndexReader::open(directory.path());
  if (!reader) std::abort();
  size_t count = 0;
  for (auto _ : state) {
    auto numbers = (*reader)->postings("facture");
    const Dates dates = *(*reader)->dates();
    for (uint64_t number : *numbers) benchmark::DoNotOptimize(dates.of(number));
    count = numbers->size();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * count));
}
BENCHMARK(read_common_term_and_dates)->Unit(benchmark::kMicrosecond);

}  // namespace
