#include <xapian.h>

#include "query/text/analyser.h"

namespace arch::text {

struct Stemmer::State {
  Xapian::Stem stem;
};

Stemmer::Stemmer(Language language)
    : state_(new State{Xapian::Stem(language == Language::kFrench ? "french" : "english")}) {}
Stemmer::~Stemmer() = default;

std::string Stemmer::stem(const std::string& term) const { return fold(state_->stem(term)); }

}  // namespace arch::text
