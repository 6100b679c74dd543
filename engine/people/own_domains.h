// Which addresses are ours, and from that which way a mail went.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace arch {

/// The way of a mail between us and the world. Values are on disk.
enum class Direction : uint8_t {
  kUnknown = 0,   ///< our domains are not known
  kIncoming = 1,  ///< sent by somebody else
  kOutgoing = 2,  ///< sent by us, to somebody else among others
  kInternal = 3,  ///< sent by us, to us alone
};
std::string_view direction_name(Direction direction);  ///< "unknown", "incoming", "outgoing", "internal"

/// The domain of an address, in lower case; empty when there is none.
std::string domain_of(std::string_view address);

/// A set of domains; each stands for its subdomains too. Immutable; any thread.
class OwnDomains {
 public:
  OwnDomains() = default;
  /// Names without "@"; letter case does not matter.
  explicit OwnDomains(std::vector<std::string> domains);

  bool empty() const { return domains_.empty(); }
  const std::vector<std::string>& domains() const { return domains_; }  ///< lower case, sorted, without repeats
  bool holds(std::string_view address) const;

  /// `sender_is_ours`: known from elsewhere, such as a login. A mail from somebody else is incoming whatever its
  /// recipients: it is here. One of ours without a known recipient is kUnknown.
  Direction direction(std::string_view sender, bool sender_is_ours, const std::vector<std::string>& recipients) const;

 private:
  std::vector<std::string> domains_;
};

}  // namespace arch
