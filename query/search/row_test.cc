// Claim   A time received that is absent is the time of capture; both ends of a written range belong to it.
// Method  Rows made by hand against conditions as the parser makes them.
// Teeth   As many rows that must not match as rows that must.
#include "query/search/row.h"

#include <gtest/gtest.h>

namespace arch::search {
namespace {

query::Node parsed(const std::string& text) {
  query::ParseContext context;
  context.timezone = "UTC";
  auto query = query::parse(text, context);
  EXPECT_TRUE(query) << text;
  return query ? query->root : query::Node();
}

TEST(Row, ATimeReceivedThatIsAbsentIsTheTimeOfCapture) {
  constexpr int64_t kMarch15 = 1'710'460'800;  // 2024-03-15T00:00:00Z
  MessageInfo message;
  message.captured = kMarch15 * kNsPerSecond;
  EXPECT_TRUE(row_matches(parsed("received:2024-03-15"), message));
  message.received = (kMarch15 - 1) * kNsPerSecond;
  EXPECT_FALSE(row_matches(parsed("received:2024-03-15"), message));
  EXPECT_TRUE(row_matches(parsed("received:2024-03-14"), message));
  EXPECT_TRUE(row_matches(parsed("archived:2024-03-15"), message));
  EXPECT_FALSE(row_matches(parsed("archived:2024-03-14"), message));
}

TEST(Row, AnyDeliveryOfAMailGivesItsNumber) {
  MessageInfo message;
  message.deliveries = {3, 9};
  for (const char* query : {"seq:3", "seq:9", "seq:1..3", "seq:9..", "seq:4..9"})
    EXPECT_TRUE(row_matches(parsed(query), message)) << query;
  for (const char* query : {"seq:4", "seq:4..8", "seq:10..", "seq:..2"})
    EXPECT_FALSE(row_matches(parsed(query), message)) << query;
}

TEST(Row, ADirectionThatIsNotKnownIsNone) {
  MessageInfo message;
  for (const char* query : {"in:incoming", "in:outgoing", "in:internal", "in:bounce"})
    EXPECT_FALSE(row_matches(parsed(query), message)) << query;
  message.direction = Direction::kOutgoing;
  message.bounce = true;
  EXPECT_TRUE(row_matches(parsed("in:sortant"), message));
  EXPECT_TRUE(row_matches(parsed("in:bounce"), message));
  EXPECT_FALSE(row_matches(parsed("in:entrant"), message));
}

}  // namespace
}  // namespace arch::search
