#include "engine/people/own_domains.h"

#include <algorithm>

#include "engine/base/ascii.h"

namespace arch {

namespace {}  // namespace

std::string_view direction_name(Direction direction) {
  switch (direction) {
    case Direction::kUnknown:
      return "unknown";
    case Direction::kIncoming:
      return "incoming";
    case Direction::kOutgoing:
      return "outgoing";
    case Direction::kInternal:
      return "internal";
  }
  return "unknown";
}

std::string domain_of(std::string_view address) {
  const size_t at = address.rfind('@');
  if (at == std::string_view::npos) return {};
  std::string_view domain = address.substr(at + 1);
  while (!domain.empty() && domain.back() == '.') domain.remove_suffix(1);  // a rooted name is the same name
  return ascii_lower(domain);
}

OwnDomains::OwnDomains(std::vector<std::string> domains) : domains_(std::move(domains)) {
  for (std::string& domain : domains_) domain = ascii_lower(domain);
  std::sort(domains_.begin(), domains_.end());
  domains_.erase(std::unique(domains_.begin(), domains_.end()), domains_.end());
}

bool OwnDomains::holds(std::string_view address) const {
  const std::string domain = domain_of(address);
  for (size_t from = 0; !domain.empty() && from != std::string::npos;) {
    const std::string_view name = std::string_view(domain).substr(from);
    if (std::binary_search(domains_.begin(), domains_.end(), name)) return true;
    const size_t dot = domain.find('.', from);
    from = dot == std::string::npos ? dot : dot + 1;
  }
  return false;
}

Direction OwnDomains::direction(std::string_view sender, bool sender_is_ours,
                                const std::vector<std::string>& recipients) const {
  if (domains_.empty()) return Direction::kUnknown;
  if (!sender_is_ours && !holds(sender)) return Direction::kIncoming;
  if (recipients.empty()) return Direction::kUnknown;
  const bool all_ours =
      std::all_of(recipients.begin(), recipients.end(), [this](const std::string& each) { return holds(each); });
  return all_ours ? Direction::kInternal : Direction::kOutgoing;
}

}  // namespace arch
