// engine/mime/mutation_test.cc
// Claim   Whatever happened to a mail's bytes, its structure is sound: every part lies inside the one around it and inside
//         the message, siblings do not overlap, limits hold, and reading the content of each part ends.
// Method  Every mail of tests/data/mail, each changed hundreds of times by a fixed seed: bits flipped, stretches cut out,
//         repeated, moved, boundary lines and line ends strewn in. ARCH_SEEDS=n runs n changes a mail.
// Teeth   structure-message-en-base64.eml with seed 20 once gave a part that ended one byte behind its container.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "engine/base/limits.h"
#include "engine/mime/message.h"

namespace arch::mime {
namespace {

std::vector<std::filesystem::path> own_mail() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(ARCH_SOURCE_DIR "/tests/data/mail"))
    if (entry.path().extension() == ".eml") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A line of the mail itself: what is strewn in are boundaries and fields that mean something there.
std::string some_line(const std::string& mail, std::mt19937_64& random) {
  size_t begin = random() % mail.size();
  begin = mail.rfind('\n', begin);
  begin = begin == std::string::npos ? 0 : begin + 1;
  size_t end = mail.find('\n', begin);
  return mail.substr(begin, end == std::string::npos ? std::string::npos : end - begin + 1);
}

std::string changed(std::string mail, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (uint64_t changes = 1 + random() % 6; changes > 0 && !mail.empty(); --changes) {
    const size_t at = random() % mail.size();
    const size_t length = std::min<size_t>(1 + random() % (random() % 2 == 0 ? 8 : 400), mail.size() - at);
    switch (random() % 7) {
      case 0:
        mail[at] = static_cast<char>(mail[at] ^ 1 << random() % 8);
        break;
      case 1:
        mail.erase(at, length);
        break;
      case 2:
        mail.insert(at, mail.substr(at, length));
        break;
      case 3: {
        const std::string piece = mail.substr(at, length);
        mail.insert(random() % mail.size(), piece);
        break;
      }
      case 4: {
        // A boundary, then at once another: parts without a single byte.
        size_t boundary = mail.find("\n--", at);
        if (boundary == std::string::npos) boundary = mail.find("\n--");
        if (boundary == std::string::npos) break;
        const size_t end = mail.find('\n', boundary + 1);
        if (end == std::string::npos) break;
        mail.insert(random() % 2 == 0 ? end + 1 : random() % mail.size(), mail.substr(boundary + 1, end - boundary));
        break;
      }
      case 5:
        mail.insert(at, some_line(mail, random));
        break;
      default:
        static constexpr const char* kEnds[] = {"\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "\n\r"};
        mail.insert(at, kEnds[random() % std::size(kEnds)]);
    }
  }
  return mail;
}

void expect_sound(const std::string& mail) {
  const Message parsed = parse(mail);
  ASSERT_FALSE(parsed.parts.empty());
  ASSERT_LE(parsed.parts.size(), limits::kMimeParts);
  std::vector<const Part*> around;  // the containers that the part lies in
  uint64_t behind = 0;              // siblings before it, and their boundaries, end here
  for (const Part& part : parsed.parts) {
    SCOPED_TRACE("part " + part.number);
    ASSERT_LE(part.header_begin, part.body_begin);
    ASSERT_LE(part.body_begin, part.body_end);
    ASSERT_LE(part.body_end, mail.size());
    ASSERT_LE(static_cast<size_t>(part.depth), limits::kMimeDepth);
    ASSERT_LE(static_cast<size_t>(part.depth), around.size());
    for (; around.size() > static_cast<size_t>(part.depth); around.pop_back()) behind = around.back()->body_end;
    if (!around.empty()) {
      ASSERT_GE(part.header_begin, around.back()->body_begin)
          << "begins before its container " << around.back()->number;
      ASSERT_LE(part.body_end, around.back()->body_end) << "ends behind its container " << around.back()->number;
    }
    ASSERT_GE(part.header_begin, behind) << "overlaps what comes before it";
    behind = part.container ? part.body_begin : part.body_end;
    if (part.container)
      around.push_back(&part);
    else
      static_cast<void>(decode_content(mail, part, 1u << 20));
  }
}

TEST(Mutation, StructureIsSoundWhateverHappenedToTheBytes) {
  const char* wanted = std::getenv("ARCH_SEEDS");
  const uint64_t seeds = wanted == nullptr ? 400 : std::strtoull(wanted, nullptr, 10);
  size_t mails = 0;
  for (const auto& path : own_mail()) {
    const std::string mail = read(path);
    if (mail.empty()) continue;
    ++mails;
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(path.filename().string() + ", seed " + std::to_string(seed));
      expect_sound(seed == 0 ? mail : changed(mail, seed));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
  EXPECT_GT(mails, 60u);
}

TEST(Mutation, APartWithoutAByteLiesInsideItsContainer) {
  for (const char* end : {"\n", "\r\n"}) {
    std::string mail;
    for (const char* line : {"Content-Type: multipart/mixed; boundary=a", "", "--a",
                             "Content-Type: multipart/mixed; boundary=b", "", "--b", "--a", "", "text", "--a--"})
      mail += std::string(line) + end;
    expect_sound(mail);
    const Message parsed = parse(mail);
    ASSERT_EQ(parsed.parts.size(), 4u);
    EXPECT_EQ(parsed.parts[2].body_begin, parsed.parts[2].body_end);
    EXPECT_EQ(parsed.parts[2].body_end, parsed.parts[1].body_end);
  }
}

}  // namespace
}  // namespace arch::mime
