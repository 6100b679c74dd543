// What a subject is about, without the marks that answering and forwarding put in front of it (RFC 5256 section 2.1).
#pragma once

#include <string>
#include <string_view>

namespace arch::mime {

struct BaseSubject {
  std::string text;    ///< ASCII letters in lower case, runs of blanks as one
  bool reply = false;  ///< a mark of an answer or a forward stood in front
};

/// Marks of French, English, German, Dutch, Scandinavian, Italian and Spanish mail programs ("Re:", "RE :", "Réf:", "TR:", "Fwd:",
/// "AW:", "SV:", "Re[2]:" …) in any number, and names of lists in brackets among them. `subject` is decoded UTF-8.
BaseSubject base_subject(std::string_view subject);

}  // namespace arch::mime
