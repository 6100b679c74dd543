// How fast text becomes words and terms. Data: French sentences with accents, references and addresses, repeated; counted
// in bytes of UTF-8.
#include <benchmark/benchmark.h>

#include "query/text/analyser.h"

namespace {

std::string sample(bool accents) {
  std::string french =
      "Bonjour, veuillez trouver ci-joint la facture n° FA-2024-00123 d'un montant de 12 500,00 € pour l'échéance du "
      "31/12/2024. Le délai de règlement de trente jours reste inchangé ; écrire à compta@fournisseur.example.\n";
  std::string english =
      "Hello, please find attached invoice FA-2024-00123 for the goods we shipped on Monday, together with the "
      "packing "
      "list and the certificate of origin. Contact sales@supplier.example or see "
      "http://www.supplier.example/orders.\n";
  std::string out;
  while (out.size() < 1u << 20) out += accents ? french : english;
  return out;
}

void scan(benchmark::State& state) {
  std::string text = sample(state.range(0) != 0);
  for (auto _ : state) {
    arch::text::Scanner scanner(text);
    size_t count = 0;
    while (scanner.next()) count += scanner.term().size();
    benchmark::DoNotOptimize(count);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK(scan)->ArgName("accents")->Arg(0)->Arg(1);

void terms(benchmark::State& state) {
  std::string text = sample(state.range(0) != 0);
  for (auto _ : state) {
    size_t count = 0;
    arch::text::index_terms(text, [&](std::string_view term) { count += term.size(); });
    benchmark::DoNotOptimize(count);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK(terms)->ArgName("accents")->Arg(0)->Arg(1);

}  // namespace
