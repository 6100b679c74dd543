#include "query/search/row.h"

#include <algorithm>

namespace arch::search {
namespace {

using query::Node;

int64_t seconds(UnixNs time) { return time / kNsPerSecond - (time % kNsPerSecond < 0 ? 1 : 0); }

}  // namespace

bool row_matches(const Node& condition, const MessageInfo& message) {
  auto within = [&](uint64_t value) { return value >= condition.from && value < condition.to; };
  switch (condition.kind) {
    case Node::Kind::kRange:
      if (condition.field == "size") return within(message.size);
      return std::any_of(message.deliveries.begin(), message.deliveries.end(), within);
    case Node::Kind::kIn:
      return condition.text == "bounce" ? message.bounce : condition.text == direction_name(message.direction);
    default:
      break;
  }
  ARCH_CHECK(condition.kind == Node::Kind::kDate);  // the caller decides the others by the index
  const bool received = condition.field == "received" && message.received != 0;
  const int64_t time = seconds(received ? message.received : message.captured);
  return time >= condition.from_s && time < condition.to_s;
}

}  // namespace arch::search
