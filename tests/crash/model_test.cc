// Claim   Whatever order things come in, an archive holds what a folder with one file a mail would hold, no more and no less:
//         each mail's bytes, and each arrival of it, through packing, restarts, a lost catalog, an old catalog put back, and
//         two writers at once; and a rebuild from segments alone gives the very same catalog.
// Method  RapidCheck draws sequences of operations and shrinks what fails; after each sequence everything is compared.
//         RC_PARAMS sets count and length: 210 sequences of up to 200 operations here (10,000 in all), a hundred times as many by tools/faults --long.
// Teeth   The model is a map; what it counts is compared as numbers and bytes.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "engine/archive.h"
#include "engine/verify/verify.h"

namespace arch {
namespace {

namespace stdfs = std::filesystem;

class SteppingClock : public Clock {
 public:
  UnixNs now() override { return time += kNsPerSecond; }
  UnixNs time = 1'764'000'000 * kNsPerSecond;
};

std::string mail(uint32_t number) {
  std::string text = "From: a" + std::to_string(number % 5) + "@maison.example\r\nSubject: n" +
                     std::to_string(number) + "\r\nMessage-ID: <" + std::to_string(number) + "@maison.example>\r\n";
  if (number > 2) text += "In-Reply-To: <" + std::to_string(number / 2) + "@maison.example>\r\n";
  if (number % 4 != 0) return text + "\r\n" + std::string(number % 700, 'x') + "\r\n";
  text +=
      "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nv\r\n--b\r\nContent-Type: "
      "image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  for (int line = 0; line < 60; ++line)
    text += std::string(76, static_cast<char>('A' + number % 3 + line % 20)) + "\r\n";
  return text + "--b--\r\n";
}

// The archive, and beside it what it should hold.
class Pair {
 public:
  Pair() {
    std::string pattern = (::access("/dev/shm", W_OK) == 0 ? "/dev/shm/" : testing::TempDir()) + "model-test-XXXXXX";
    RC_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
    RC_ASSERT(Archive::init(Fs::real(), directory(), clock_.now()).has_value());
    open();
  }
  ~Pair() {
    engine_.reset();
    other_.reset();
    stdfs::remove_all(root_);
  }

  void step(uint32_t operation, uint32_t choice) {
    switch (operation % 40) {
      default:
        return append(*engine_, next_++);
      case 20:
      case 21:
      case 22:
      case 23:
      case 24:
        return append(other(), next_++);
      case 25:
      case 26:
        return append(choice % 2 == 0 ? *engine_ : other(), next_ == 0 ? next_++ : choice % next_);
      case 27:
      case 28:
      case 29:
      case 30:
      case 31:
        return read(choice);
      case 32:
      case 33:
      case 34:
        return apply();
      case 35:
        return succeeds(engine_->close_journal());
      case 36:
        return succeeds(other().close_journal());
      case 37:
        succeeds(engine_->close_journal());
        apply();
        return succeeds(engine_->pack(0, 0));
      case 38:
        return reopen(choice);
      case 39:
        return with_catalog(choice);
    }
  }

  void compare() {
    succeeds(engine_->close_journal());
    if (other_) succeeds(other_->close_journal());
    apply();
    succeeds(engine_->pack(0, 0));
    check_counts(*engine_);
    for (const auto& [number, arrivals] : model_) {
      auto bytes = engine_->get(Sha256::of(as_bytes(mail(number))));
      RC_ASSERT(bytes.has_value());
      RC_ASSERT(*bytes == mail(number));
      auto info = engine_->info(Sha256::of(as_bytes(mail(number))));
      RC_ASSERT(info->deliveries.size() == arrivals);
    }
    auto report = verify_archive(Fs::real(), directory(), {}, {});
    RC_ASSERT(report.has_value());
    RC_ASSERT(report->faults.empty());
    RC_ASSERT(engine_->usage()->journal_count == 0u);
    RC_ASSERT(engine_->status()->alarms.empty());
    const std::string before = dump();
    engine_.reset();
    succeeds(discard_derived(Fs::real(), directory(), true, false));
    open();
    apply();
    RC_ASSERT(dump() == before);
  }

 private:
  std::string directory() const { return root_ + "/a"; }
  template <class T>
  void succeeds(const Result<T>& result) {
    if (!result) RC_FAIL(describe(result.error()));
  }
  void open() {
    auto opened = Archive::open(Fs::real(), clock_, directory(), Archive::Mode::kEngine);
    succeeds(opened);
    engine_ = std::move(*opened);
    engine_->set_reserve_bytes(0);
  }
  Archive& other() {
    if (!other_) {
      auto opened = Archive::open(Fs::real(), clock_, directory(), Archive::Mode::kReader);
      succeeds(opened);
      other_ = std::move(*opened);
      other_->set_reserve_bytes(0);
    }
    return *other_;
  }
  void append(Archive& archive, uint32_t number) {
    Delivery delivery;
    delivery.captured = clock_.now();
    delivery.has_mail_from = true;
    delivery.mail_from = "a@maison.example";
    succeeds(archive.append_staged(delivery, mail(number)));
    succeeds(archive.flush());
    ++model_[number];
    ++arrivals_;
  }
  void apply() { succeeds(engine_->apply()); }
  // What was applied is readable; what was not may be unknown yet, and nothing else.
  void read(uint32_t choice) {
    if (next_ == 0) return;
    const uint32_t number = choice % next_;
    auto bytes = (choice % 3 == 0 ? other() : *engine_).get(Sha256::of(as_bytes(mail(number))));
    if (bytes)
      RC_ASSERT(*bytes == mail(number));
    else if (bytes.error().code != Code::kNotFound)
      RC_FAIL(describe(bytes.error()));
  }
  void check_counts(const Archive& archive) {
    auto usage = archive.usage();
    succeeds(usage);
    RC_ASSERT(usage->messages == model_.size());
    RC_ASSERT(usage->deliveries == arrivals_);
  }
  void reopen(uint32_t choice) {
    engine_.reset();
    if (choice % 2 == 0) other_.reset();
    open();
    apply();
    check_counts(*engine_);
  }
  void with_catalog(uint32_t choice) {
    engine_.reset();
    const std::string catalog = directory() + "/catalog", kept = root_ + "/kept";
    if (choice % 3 == 0) {
      succeeds(discard_derived(Fs::real(), directory(), true, false));
    } else if (stdfs::exists(kept) && choice % 3 == 1) {  // an older one is put back
      stdfs::remove_all(catalog);
      stdfs::copy(kept, catalog, stdfs::copy_options::recursive);
    } else {
      stdfs::remove_all(kept);
      stdfs::copy(catalog, kept, stdfs::copy_options::recursive);
    }
    open();
    apply();
    check_counts(*engine_);
  }
  std::string dump() {
    std::string text;
    succeeds(engine_->dump([&](const std::string& line) { text += line + "\n"; }));
    return text;
  }

  SteppingClock clock_;
  std::string root_;
  std::unique_ptr<Archive> engine_, other_;
  uint32_t next_ = 0;
  std::map<uint32_t, uint64_t> model_;  // mail -> arrivals
  uint64_t arrivals_ = 0;
};

TEST(Model, AnArchiveHoldsWhatAFolderOfFilesWouldHold) {
  size_t operations = 0;
  const bool held =
      rc::check("an archive is a folder of mails", [&](const std::vector<std::pair<uint32_t, uint32_t>>& steps) {
        Pair pair;
        for (const auto& [operation, choice] : steps) pair.step(operation, choice);
        pair.compare();
        operations += steps.size();
      });
  EXPECT_TRUE(held);
  RecordProperty("operations", static_cast<int>(operations));
  std::printf("%zu operations\n", operations);
}

}  // namespace
}  // namespace arch
