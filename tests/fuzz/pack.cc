// Packing: whatever the bytes of a mail are, they come back from a segment as they were.
#include <cstdint>
#include <cstdlib>

#include "engine/pack/packer.h"
#include "tests/faults/fault_fs.h"

namespace {

class OneMail : public arch::PackSource {
 public:
  explicit OneMail(std::string mail) : mail_(std::move(mail)) {}
  arch::Result<arch::Delivery> read(size_t, std::string* message) override {
    if (message != nullptr) *message = mail_;
    arch::Delivery delivery;
    delivery.digest = arch::Sha256::of(arch::as_bytes(mail_));
    return delivery;
  }
  arch::Result<arch::Delivery> read_delivery(size_t i) override { return read(i, nullptr); }
  arch::Result<std::optional<arch::BlobPlace>> find_blob(const arch::Digest&) override {
    return std::optional<arch::BlobPlace>();
  }
  arch::Result<std::string> read_blob(const arch::Digest&, uint32_t) override {
    return arch::fail(arch::Code::kNotFound, "no other segment");
  }

 private:
  const std::string mail_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string mail(reinterpret_cast<const char*>(data), size);
  OneMail source(mail);
  arch::FaultFs fs;
  if (!fs.make_directory("t") || !fs.make_directory("s")) std::abort();
  arch::PackOptions options;
  options.level = 1;
  options.threads = 1;
  options.inline_part_bytes = 8;  // so that small mails have parts that are cut out
  options.own_frame_bytes = 64;
  auto packed = arch::pack_segment(fs, {}, 1, {}, 1, "t", "s",
                                   {{1, arch::Sha256::of(arch::as_bytes(mail)), size, true}}, {}, source, options);
  if (!packed || !packed->segment) std::abort();
  auto bytes = packed->segment->read_message(0, {}, nullptr);
  if (!bytes || *bytes != mail) std::abort();
  return 0;
}
