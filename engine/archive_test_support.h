// What tests on a small archive of their own share: a temporary directory with an empty archive in it, opened as the engine,
// and deliveries a second apart.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "engine/archive.h"

namespace arch::archive_test {

class ArchiveFixture : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "arch-test-XXXXXX";
    ASSERT_NE(::mkdtemp(root_.data()), nullptr);
    ASSERT_TRUE(Archive::init(Fs::real(), root_ + "/a", Clock::system().now()));
    open();
  }
  void TearDown() override {
    archive_.reset();
    std::filesystem::remove_all(root_);
  }
  void open(std::optional<OwnDomains> own_domains = std::nullopt) {
    archive_.reset();
    auto opened = Archive::open(Fs::real(), Clock::system(), root_ + "/a", Archive::Mode::kEngine, {own_domains});
    ASSERT_TRUE(opened) << describe(opened.error());
    archive_ = std::move(*opened);
  }
  /// Durable, captured one second and `later` after the one before.
  Digest append(Delivery delivery, const std::string& message, UnixNs later = 0) {
    delivery.captured = time_ += kNsPerSecond + later;
    EXPECT_TRUE(archive_->append_staged(delivery, message));
    EXPECT_TRUE(archive_->flush());
    return Sha256::of(as_bytes(message));
  }
  void apply() {
    auto applied = archive_->apply();
    ASSERT_TRUE(applied) << describe(applied.error());
  }

  std::string root_;
  std::unique_ptr<Archive> archive_;
  UnixNs time_ = 1'764'000'000 * kNsPerSecond;
};

}  // namespace arch::archive_test
