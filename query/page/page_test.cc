// Claim   Every page answers whole HTML in the reader's language, with the mail's words escaped; every name that a template
//         uses has a word; the form says what the query language says; paging reaches each mail once.
// Method  A real archive with mail of our own, indexed; pages asked for in both languages, with hostile subjects among them.
// Teeth   Tags and counts are looked for literally; a template's unknown name fails the test that lists them.
#include "query/page/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "engine/archive_test_support.h"
#include "query/index/index.h"
#include "query/language/dates.h"
#include "query/language/query.h"
#include "query/page/format.h"
#include "query/page/strings.h"

namespace arch::page {
namespace {

using testing::HasSubstr;
using testing::Not;

class PageTest : public archive_test::ArchiveFixture {
 protected:
  void SetUp() override {
    ArchiveFixture::SetUp();
    open(OwnDomains({"nous.example"}));
  }
  void TearDown() override {
    pages_.reset();
    facets_.reset();
    ArchiveFixture::TearDown();
  }
  std::string deliver(const std::string& message) {
    Delivery delivery;
    delivery.channel = Channel::kMilter;
    delivery.has_mail_from = true;
    delivery.mail_from = "zoe@nous.example";
    delivery.rcpt = {{"paul@eux.example", "", ""}, {"cache@eux.example", "", ""}};
    return append(delivery, message).hex();
  }
  void ready() {
    apply();
    auto writer = index::IndexWriter::open(*archive_, {});
    ASSERT_TRUE(writer) << describe(writer.error());
    ASSERT_TRUE((*writer)->follow({}, {}));
    Options options;
    options.timezone = "Europe/Paris";
    facets_ = std::make_unique<search::FacetTable>(*archive_);
    auto known = facets_->refresh(UINT64_MAX);
    ASSERT_TRUE(known && *known);
    options.facets = facets_.get();
    pages_ = std::make_unique<Pages>(*archive_, options);
  }
  Response get(const std::string& path, const Parameters& query = {}, const std::string& language = "fr") {
    Request request;
    request.path = path;
    request.query = query;
    request.accept_language = language;
    return pages_->answer(request);
  }
  static std::string mail(int number, const std::string& subject, const std::string& body = "corps") {
    char date[64];
    std::snprintf(date, sizeof date, "Tue, %02d Oct 2025 09:%02d:00 +0200", 1 + number / 60 % 28, number % 60);
    return "From: =?utf-8?q?Zo=C3=A9?= <zoe@nous.example>\r\nTo: Paul <paul@eux.example>\r\nSubject: " + subject +
           "\r\nMessage-ID: <" + std::to_string(number) + "@nous.example>\r\nDate: " + date +
           "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body + "\r\n";
  }

  std::unique_ptr<search::FacetTable> facets_;
  std::unique_ptr<Pages> pages_;
};

TEST(PageStrings, EveryNameInATemplateHasAWord) {
  std::set<std::string> known;
  for (const auto& [name, value] : all(kFrench)) {
    known.insert(std::string(name));
    EXPECT_FALSE(value.empty()) << name;
  }
  for (const auto& [name, value] : all(kEnglish)) EXPECT_FALSE(value.empty()) << name;
  size_t seen = 0;
  const std::regex use("\\{\\{t\\.([a-z_]+)\\}\\}");
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(ARCH_SOURCE_DIR) + "/query/page/templates")) {
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    const std::string content = text.str();
    for (std::sregex_iterator each(content.begin(), content.end(), use), end; each != end; ++each, ++seen)
      EXPECT_EQ(known.count((*each)[1]), 1u) << entry.path() << " " << (*each)[1];
    // Whatever comes out unescaped was made by this folder's own code.
    const std::regex raw("\\{\\{\\{([a-z_]+)\\}\\}\\}");
    for (std::sregex_iterator each(content.begin(), content.end(), raw), end; each != end; ++each)
      EXPECT_THAT((std::set<std::string>{"content", "snippet", "body", "style"}), testing::Contains((*each)[1]))
          << entry.path();
  }
  EXPECT_GT(seen, 60u);
}

TEST(PageStrings, EveryOperatorIsExplainedInFrench) {
  for (const query::FieldInfo& field : query::fields())
    EXPECT_FALSE(french_meaning(field.name).empty()) << field.name;
}

TEST(PageStrings, TheLanguageIsTheReaders) {
  EXPECT_EQ(choose("en", "fr", "fr").lang, "en");
  EXPECT_EQ(choose("", "en", "fr").lang, "en");
  EXPECT_EQ(choose("xx", "", "de, en;q=0.8, fr;q=0.7").lang, "en");
  EXPECT_EQ(choose("", "", "en-GB;q=0.4,fr-FR").lang, "fr");
  EXPECT_EQ(choose("", "", "").lang, "fr");
  EXPECT_EQ(choose("", "", "de,,;q=,*;q=x").lang, "fr");
}

TEST(PageFormat, NumbersSizesAndDaysAreTheReaders) {
  EXPECT_EQ(number_text(1234567, kFrench), "1\u202f234\u202f567");
  EXPECT_EQ(number_text(1234567, kEnglish), "1,234,567");
  EXPECT_EQ(number_text(999, kFrench), "999");
  EXPECT_EQ(size_text(1536, kFrench), "1,5\u00a0Ko");
  EXPECT_EQ(size_text(1536, kEnglish), "1.5\u00a0KB");
  EXPECT_EQ(size_text(12, kEnglish), "12\u00a0bytes");
  EXPECT_EQ(size_text((1u << 20) - 1, kEnglish), "1\u00a0MB");
  EXPECT_EQ(mails_text(0, kFrench), "0\u00a0message");
  EXPECT_EQ(mails_text(0, kEnglish), "0\u00a0mails");
  const query::Timezone utc;
  EXPECT_EQ(exact_text(1'710'493'964 * kNsPerSecond, utc, kFrench), "15 mars 2024, 09:12:44 (+00:00)");
  EXPECT_EQ(day_text(19'797, 20'000, kEnglish), "Friday 15 March 2024");
  EXPECT_EQ(day_text(19'783, 20'000, kFrench), "vendredi 1er mars 2024");
  EXPECT_EQ(day_text(20'000, 20'000, kFrench), "Aujourd\u2019hui");
  EXPECT_EQ(query::format_day(-1), "1969-12-31");
  EXPECT_EQ(time_text(-kNsPerSecond, utc), "23:59");
}

TEST_F(PageTest, ResultsAreFoundAndEscaped) {
  const std::string id =
      deliver(mail(1, "Facture <script>alert(1)</script> & \"x\"", "la facture <img src=x onerror=y>"));
  deliver(mail(2, "Devis"));
  ready();
  const Response page = get("/", {{"q", "facture"}});
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.action, "search");
  EXPECT_THAT(page.body, HasSubstr("<html lang=\"fr\">"));
  EXPECT_THAT(page.body, HasSubstr("<strong>1\u00a0message</strong>"));
  EXPECT_THAT(page.body, HasSubstr("Facture &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;x&quot;"));
  EXPECT_THAT(page.body, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page.body, Not(HasSubstr("<img")));
  EXPECT_THAT(page.body, HasSubstr("<mark>facture</mark>"));
  EXPECT_THAT(page.body, HasSubstr("class=\"way outgoing\""));
  EXPECT_THAT(page.body, HasSubstr("open=" + id.substr(0, 16)));
  EXPECT_THAT(get("/", {{"q", "facture"}}, "en").body, HasSubstr("<strong>1\u00a0mail</strong>"));
  const Response none = get("/", {{"q", "introuvablement"}});
  EXPECT_THAT(none.body, HasSubstr("Aucun message"));
  const Response wrong = get("/", {{"q", "form:paul"}});
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.body, HasSubstr("from"));
}

TEST_F(PageTest, AMailIsShownBesideTheListAndAlone) {
  const std::string id = deliver(mail(1, "Bonjour", "> cit\u00e9 <b>\nr\u00e9ponse"));
  ready();
  for (const Response& page :
       {get("/", {{"q", "bonjour"}, {"open", id.substr(0, 16)}}), get("/message/" + id.substr(0, 16))}) {
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.action, "view");
    EXPECT_THAT(page.body, HasSubstr("<span class=\"quote\">&gt; cit\u00e9 &lt;b&gt;\n</span>"));
    EXPECT_THAT(page.body, HasSubstr("cache@eux.example"));
    EXPECT_THAT(page.body, HasSubstr("connu par la seule enveloppe"));
    EXPECT_THAT(page.body, HasSubstr(id));
  }
  EXPECT_THAT(get("/source/" + id).body, HasSubstr("Message-ID: &lt;1@nous.example&gt;"));
  EXPECT_EQ(get("/message/ffffffffffff").status, 404);
  EXPECT_EQ(get("/message/../../etc/passwd").status, 404);
  EXPECT_EQ(get("/preview/" + id).status, 404) << "it has no HTML";
}

TEST_F(PageTest, HtmlIsShownCleanInAFrameOfItsOwn) {
  const std::string id = deliver(
      "From: zoe@nous.example\r\nSubject: h\r\nMessage-ID: <h@nous.example>\r\nContent-Type: text/html; "
      "charset=utf-8\r\n\r\n<p "
      "onclick=x()>Bonjour<script>alert(1)</script> <a href='https://a.example/'>ici</a><img "
      "src=https://t.example/i.png></p>\r\n");
  ready();
  const Response page = get("/message/" + id, {{"view", "html"}});
  EXPECT_THAT(
      page.body,
      HasSubstr("<iframe class=\"preview\" sandbox=\"\" referrerpolicy=\"no-referrer\" src=\"/preview/" + id));
  EXPECT_THAT(page.body, HasSubstr("<code>https://a.example/</code>"));
  const Response frame = get("/preview/" + id);
  EXPECT_EQ(frame.status, 200);
  EXPECT_THAT(frame.body, HasSubstr("<p>Bonjour <a>ici"));
  EXPECT_THAT(frame.body, Not(HasSubstr("alert")));
  EXPECT_THAT(frame.headers,
              testing::Contains(testing::Pair("Content-Security-Policy", HasSubstr("sandbox; default-src 'none'"))));
}

TEST_F(PageTest, TheFormSpeaksTheQueryLanguage) {
  ready();
  const Response page = get("/", {{"f_words", "facture"},
                                  {"f_from", "Jean \"X\" Dupont"},
                                  {"f_to", "@ex.fr"},
                                  {"f_subject", ""},
                                  {"f_after", "2024-03-15"},
                                  {"f_way", "outgoing"},
                                  {"f_att", "1"}});
  EXPECT_EQ(page.status, 303);
  ASSERT_EQ(page.headers.size(), 1u);
  EXPECT_EQ(page.headers[0].second,
            "/?q=facture%20from%3A%22Jean%20%5C%22X%5C%22%20Dupont%22%20rcpt%3A%40ex.fr%20after%3A2024-03-15%20in%"
            "3Aoutgoing"
            "%20has%3Aattachment");
}

TEST_F(PageTest, PiecesOfAQueryCanBeTakenAway) {
  deliver(mail(1, "Facture"));
  ready();
  const std::string body = get("/", {{"q", "facture from:zo\u00e9 -brouillon"}}).body;
  EXPECT_THAT(body, HasSubstr("<span class=\"chip\">facture <a href=\"/?q=from%3Azo%C3%A9%20-brouillon\""));
  EXPECT_THAT(body, HasSubstr("<span class=\"chip\">from:zo\u00e9 <a href=\"/?q=facture%20-brouillon\""));
}

TEST_F(PageTest, PagingReachesEachMailOnce) {
  for (int i = 0; i < 120; ++i) deliver(mail(i, "commune " + std::to_string(i)));
  ready();
  std::set<std::string> seen;
  size_t shown = 0;
  const std::regex link("open=([0-9a-f]{16})#mail");
  for (const char* start : {"", "50", "100"}) {
    const std::string body = get("/", {{"q", "commune"}, {"start", start}}).body;
    for (std::sregex_iterator each(body.begin(), body.end(), link), end; each != end; ++each, ++shown)
      seen.insert((*each)[1]);
  }
  EXPECT_EQ(shown, 120u);
  EXPECT_EQ(seen.size(), 120u);
  EXPECT_THAT(get("/", {{"q", "commune"}}).body, HasSubstr("start=50"));
  EXPECT_THAT(get("/", {{"q", "commune"}, {"start", "100"}}).body, Not(HasSubstr("rel=\"next\"")));
  EXPECT_THAT(get("/", {{"q", "commune"}, {"start", "-1x"}}).body, HasSubstr("rel=\"next\""));
}

TEST_F(PageTest, FacetsAreLinksToTheNarrowedQuery) {
  for (int i = 0; i < 12; ++i) deliver(mail(i, "Facture"));
  std::string other = mail(99, "Facture");
  other.replace(other.find("Oct"), 3, "Nov");
  other.replace(other.find("zoe@nous.example"), 16, "max@eux.example");
  deliver(other);
  ready();
  const std::string body = get("/", {{"q", "facture OR devis"}}).body;
  EXPECT_THAT(body, HasSubstr("data-height=\"10\""));
  EXPECT_THAT(body, HasSubstr("data-height=\"1\""));
  EXPECT_THAT(body, HasSubstr("octobre 2025: 12"));
  EXPECT_THAT(body, HasSubstr("<a href=\"/?q=%28facture%20OR%20devis%29%20from%3Azoe%40nous.example\" "
                              "title=\"zoe@nous.example\">zoe@nous.example</a> "
                              "<span class=\"count\">12</span>"));
  EXPECT_THAT(body, HasSubstr("in%3Aoutgoing"));
  const std::string narrowed = get("/", {{"q", "(facture OR devis) from:max@eux.example"}}).body;
  EXPECT_THAT(narrowed, HasSubstr("1\u00a0message"));
}

TEST_F(PageTest, AnExchangeIsShownAsOne) {
  deliver(mail(1, "Devis", "premier mot"));
  std::string answer = mail(2, "Re: Devis", "> premier mot\r\nseconde parole <b>");
  answer.insert(answer.find("Date:"), "In-Reply-To: <1@nous.example>\r\n");
  const std::string id = deliver(answer);
  ready();
  const std::string body = get("/thread/" + id.substr(0, 16)).body;
  EXPECT_THAT(body, HasSubstr("<h1>Devis</h1>"));
  EXPECT_THAT(body, HasSubstr("premier mot"));
  EXPECT_THAT(body, HasSubstr("seconde parole &lt;b&gt;"));
  EXPECT_THAT(body, HasSubstr("data-depth=\"1\""));
  EXPECT_EQ(get("/thread/0123456789abcdef").status, 404);
}

TEST_F(PageTest, TheTextOfAnAttachmentIsAPage) {
  const std::string id = deliver(
      "From: Zo <zoe@nous.example>\r\nSubject: pj\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
      "boundary=b\r\n\r\n--b\r\n"
      "Content-Type: text/plain\r\n\r\nvoir\r\n--b\r\nContent-Type: text/csv; "
      "name=\"prix.csv\"\r\nContent-Disposition: attachment; "
      "filename=\"prix.csv\"\r\n\r\nvin;<12>\r\n--b\r\nContent-Type: application/x-nothing\r\nContent-Disposition: "
      "attachment; filename=x.bin\r\n\r\n\x01\x02\r\n--b--\r\n");
  ready();
  EXPECT_THAT(get("/message/" + id).body, HasSubstr("/text/" + id + "/2\""));
  EXPECT_THAT(get("/text/" + id + "/2").body, HasSubstr("vin;&lt;12&gt;"));
  EXPECT_THAT(get("/text/" + id + "/3").body, HasSubstr("n\u2019est pas lu"));
  EXPECT_EQ(get("/text/" + id + "/9").status, 404);
  EXPECT_EQ(get("/text/" + id).status, 404);
}

TEST_F(PageTest, PagesOfOneAnswerDoNotShift) {
  for (int i = 0; i < 60; ++i) deliver(mail(i, "commune"));
  ready();
  const std::string first = get("/", {{"q", "commune"}}).body;
  std::smatch match;
  ASSERT_TRUE(std::regex_search(first, match, std::regex("start=50&amp;as_of=([0-9]+)")));
  deliver(mail(500, "commune"));
  apply();
  auto writer = index::IndexWriter::open(*archive_, {});
  ASSERT_TRUE(writer && (*writer)->follow({}, {}));
  const std::string second = get("/", {{"q", "commune"}, {"start", "50"}, {"as_of", match[1]}}).body;
  EXPECT_THAT(second, HasSubstr("60\u00a0messages"));
  EXPECT_THAT(second, HasSubstr("Page fig\u00e9e"));
  EXPECT_THAT(get("/", {{"q", "commune"}}).body, HasSubstr("61\u00a0messages"));
}

TEST_F(PageTest, CapacityStatusAndFilesAnswer) {
  deliver(mail(1, "x"));
  ready();
  EXPECT_THAT(get("/capacity").body, HasSubstr("Ce qui remplit l\u2019archive"));
  EXPECT_THAT(get("/status", {}, "en").body, HasSubstr("All is well"));
  const std::string page = get("/").body;
  std::smatch match;
  ASSERT_TRUE(std::regex_search(page, match, std::regex("/static/style-[0-9a-f]{8}\\.css")));
  const Response style = get(match[0]);
  EXPECT_EQ(style.status, 200);
  EXPECT_EQ(style.content_type, "text/css; charset=utf-8");
  EXPECT_EQ(get("/static/../page.cc").status, 404);
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_TRUE(Pages::has("/message/abc"));
  EXPECT_FALSE(Pages::has("/api/v1/search"));
  const Response english = get("/", {{"lang", "en"}});
  EXPECT_THAT(english.headers, testing::Contains(testing::Pair("Set-Cookie", HasSubstr("lang=en;"))));
}

// Two years of mail of a company, without an archive.
capacity::Report two_years() {
  ArchiveUsage usage;
  const int64_t first = days_from_civil(2025, 1, 1);
  for (int64_t day = first; day < first + 760; ++day)
    usage.days[day] = {900, 80'000'000 + static_cast<uint64_t>(day % 7) * 9'000'000,
                       70'000'000 + static_cast<uint64_t>(day % 7) * 9'000'000, 0};
  usage.days[first + 300].new_bytes += 4'000'000'000;
  usage.days[first + 300].imported_bytes = 4'000'000'000;
  usage.messages = 650'000;
  usage.deliveries = 700'000;
  usage.segments = 30ull << 30;
  usage.index = 4ull << 30;
  usage.packed_raw = 90ull << 30;
  usage.packed_unpacked = 60ull << 30;
  usage.packed_stored = 30ull << 30;
  usage.received_bytes = 100ull << 30;
  usage.message_bytes = 95ull << 30;
  usage.volumes = {{"/srv/mail", true, "", 30ull << 30, 300, 60ull << 30, 0, 1},
                   {"/mnt/two & three", false, "nothing of it is at /mnt", 0, 0, 0, 0, 0}};
  std::map<ArchiveUsage::AccountKey, ArchiveUsage::Account> accounts;
  const int32_t month = 2027 * 12;
  for (int i = 0; i < 33; ++i)
    accounts[{month, AccountKind::kMailbox, "p" + std::to_string(i) + "<b>@dupont.example"}] = {
        1, 9'000'000'000ull / (i + 1), 9'000'000'000ull / (i + 1)};
  for (const char* kind : {"text", "images", "pdf", "office", "archives", "other"})
    accounts[{month, AccountKind::kContent, kind}] = {1, 5'000'000'000, 4'000'000'000};
  return capacity::report_of(usage, accounts, 100ull << 30, 2ull << 30, (first + 760) * kNsPerDay);
}

TEST(CapacityDocument, IsOneFileThatLoadsNothingAndEscapes) {
  for (const char* language : {"fr", "en"}) {
    const std::string html = capacity_document(two_years(), language);
    if (const char* directory = std::getenv("ARCH_KEEP_PAGES"))
      std::ofstream(std::string(directory) + "/capacity-" + language + ".html") << html;
    EXPECT_THAT(html, testing::Not(testing::ContainsRegex("(src|href)=\"[^d#]")));
    EXPECT_THAT(html, testing::Not(HasSubstr("url(")));
    EXPECT_THAT(html, testing::Not(HasSubstr("<b>")));
    EXPECT_THAT(html, HasSubstr("p0&lt;b&gt;@dupont.example"));
    EXPECT_THAT(html, HasSubstr("/mnt/two &amp; three"));
    EXPECT_THAT(html, HasSubstr(std::string("lang=\"") + language));
    EXPECT_THAT(html, HasSubstr("<time datetime=\"20"));
    EXPECT_THAT(html, testing::Not(HasSubstr("{{")));
  }
}

}  // namespace
}  // namespace arch::page
