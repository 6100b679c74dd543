// Postfix's alias maps in text form (virtual(5), and aliases(5) for local names): which addresses lead to a mailbox.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace arch {

/// Immutable after loading; any thread.
class Aliases {
 public:
  /// Reads `text` into this map. Both `orders@ex.fr commandes@ex.fr, autre@ex.fr` (virtual) and `orders: commandes`
  /// (aliases) are read, with comments and continued lines; letter case does not matter. What is no address list
  /// (commands, :include:, files) leads nowhere and is passed over. At most kMaxEntries lines count.
  void add(std::string_view text);

  /// Reads files as Postfix names them: a path, or with the type of its map in front ("hash:/etc/postfix/virtual": the text
  /// beside the database is read). Where there is no text, postmap(1) is asked for the map's content. Errors: kNotFound,
  /// kDenied, kIo, kTooLarge, kUsage (postmap cannot list it: regexp, pcre, ldap, mysql …).
  static Result<Aliases> load(const std::vector<std::string>& maps);

  bool empty() const { return leads_to_.empty(); }
  /// Every address, in any number of steps, whose mail ends at `mailbox` (an address, or a name without "@"), itself left
  /// out; sorted. A whole domain that leads there is given as "@domain". At most kMaxAnswers.
  std::vector<std::string> of(std::string_view mailbox) const;
  /// The same for every mailbox whose part before the "@" is `name`.
  std::vector<std::string> of_name(std::string_view name) const;

  static constexpr size_t kMaxEntries = 200'000;
  static constexpr size_t kMaxAnswers = 1'000;

 private:
  void collect(const std::string& mailbox, std::vector<std::string>* out) const;
  std::map<std::string, std::vector<std::string>, std::less<>> leads_to_;  // target: the addresses that name it
  size_t entries_ = 0;
};

}  // namespace arch
