// Claim   A kind of attachment is told by its media type or, where the sender knew none, by the ending of its name; a time received
//         that is absent is the time of capture; both ends of a written range belong to it.
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

TEST(Row, TypesAndEndingsTellTheKindOfAnAttachment) {
  struct Case {
    const char *query, *type, *name;
    bool matches;
  };
  const Case kCases[] = {
      {"type:pdf", "application/pdf", "", true},
      {"type:PDF", "application/octet-stream", "Facture.2024.PDF", true},
      {"type:pdf", "application/octet-stream", "pdf", false},
      {"type:pdf", "application/octet-stream", "facture.pdf.exe", false},
      {"type:pdf", "text/plain", "", false},
      {"has:image", "image/heic", "", true},
      {"has:image", "application/octet-stream", "scan.JPEG", true},
      {"has:image", "application/x-image", "", false},
      {"has:office", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "", true},
      {"has:office", "application/vnd.oasis.opendocument.text", "", true},
      {"has:office", "application/octet-stream", "devis.xlsx", true},
      {"has:office", "application/pdf", "office.pdf", false},
      {"has:archive", "application/x-zip-compressed", "", true},
      {"has:archive", "application/octet-stream", "sauvegarde.tar.gz", true},
      {"has:archive", "application/pdf", "archive", false},
      {"has:calendar", "text/calendar", "", true},
      {"type:csv", "text/csv", "", true},
      {"type:csv", "application/vnd.ms-excel", "tarif.csv", true},
      {"type:csv", "text/plain", "csv.txt", false},
      {"type:text", "text/x-log", "", true},
      {"type:image/png", "IMAGE/PNG", "", true},
      {"type:image/png", "application/octet-stream", "a.png", false},
  };
  for (const Case& each : kCases) {
    MessageInfo message;
    message.attachments.push_back({"1", "text/plain", "lisezmoi", 1});
    if (each.matches) message.attachments.push_back({"2", each.type, each.name, 1});
    if (!each.matches) message.attachments[0] = {"1", each.type, each.name, 1};
    EXPECT_EQ(row_matches(parsed(each.query), message), each.matches)
        << each.query << ' ' << each.type << ' ' << each.name;
    EXPECT_FALSE(row_matches(parsed(each.query), MessageInfo())) << "a mail without attachments";
  }
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
