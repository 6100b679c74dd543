#include "engine/base/digest.h"

#include <openssl/evp.h>
#include <xxhash.h>

namespace arch {

namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Fetched once: EVP_sha256() alone looks the algorithm up again at every init (OpenSSL 3.0).
const EVP_MD* sha256_algorithm() {
  static const EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

}  // namespace

std::string Digest::hex() const {
  std::string out;
  out.reserve(64);
  for (uint8_t byte : bytes) {
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 15];
  }
  return out;
}

Digest Digest::from_view(std::string_view raw) {
  ARCH_CHECK(raw.size() == 32);
  Digest digest;
  std::memcpy(digest.bytes.data(), raw.data(), 32);
  return digest;
}

Result<Digest> Digest::from_hex(std::string_view hex_text) {
  if (hex_text.size() != 64) return fail(Code::kInvalid, "a digest has 64 hex digits");
  Digest digest;
  for (size_t i = 0; i < 32; ++i) {
    int high = hex_value(hex_text[2 * i]);
    int low = hex_value(hex_text[2 * i + 1]);
    if (high < 0 || low < 0) return fail(Code::kInvalid, "a digest has only the digits 0-9 and a-f");
    digest.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return digest;
}

Result<DigestPrefix> DigestPrefix::parse(std::string_view text) {
  if (text.substr(0, 5) == "arch:") text.remove_prefix(5);
  if (text.size() < 8 || text.size() > 64)
    return fail(Code::kInvalid, "\"" + std::string(text.substr(0, 80)) + "\" is not a message id",
                "give 8 to 64 hex digits");
  DigestPrefix prefix;
  for (char c : text) {
    int value = hex_value(c);
    if (value < 0)
      return fail(Code::kInvalid, "\"" + std::string(text) + "\" is not a message id", "give 8 to 64 hex digits");
    prefix.hex += kHexDigits[value];
  }
  return prefix;
}

bool DigestPrefix::matches(const Digest& digest) const { return digest.hex().compare(0, hex.size(), hex) == 0; }

std::string DigestPrefix::lower_bound_bytes() const {
  std::string padded = hex;
  padded.resize(64, '0');
  return std::string(Digest::from_hex(padded)->view());
}

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  Context() { ARCH_CHECK(evp != nullptr && EVP_DigestInit_ex2(evp, sha256_algorithm(), nullptr) == 1); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(Bytes data) { ARCH_CHECK(EVP_DigestUpdate(context_->evp, data.data(), data.size()) == 1); }

Digest Sha256::finish() {
  Digest digest;
  ARCH_CHECK(EVP_DigestFinal_ex(context_->evp, digest.bytes.data(), nullptr) == 1);
  return digest;
}

Digest Sha256::of(Bytes data) {
  Sha256 hasher;
  hasher.update(data);
  return hasher.finish();
}

uint64_t checksum64(Bytes data) { return XXH3_64bits(data.data(), data.size()); }

Checksum64::Checksum64() : state_(XXH3_createState()) {
  ARCH_CHECK(state_ != nullptr);
  XXH3_64bits_reset(static_cast<XXH3_state_t*>(state_));
}
Checksum64::~Checksum64() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }
void Checksum64::update(Bytes data) {
  XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), data.data(), data.size());
}
uint64_t Checksum64::value() const { return XXH3_64bits_digest(static_cast<XXH3_state_t*>(state_)); }

}  // namespace arch
