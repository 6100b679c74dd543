// The configuration file: TOML, one table of keys for the loader, `archctl config` and the manual. No file is needed; every
// key has a default. An unknown key, a value of the wrong kind or out of range is an error that names file and line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/result.h"
#include "engine/people/own_domains.h"

namespace arch::config {

constexpr std::string_view kDefaultDataDir = "./data";

struct Config {
  std::string data_dir{kDefaultDataDir};
  uint64_t cap_bytes = 100ull << 30;
  uint64_t reserve_bytes = 2ull << 30;
  std::string timezone = "Europe/Paris";

  std::vector<std::string> capture_lmtp = {"inet:127.0.0.1:2424"};
  std::vector<std::string> capture_smtp;
  std::vector<std::string> capture_milter = {"inet:127.0.0.1:2425"};
  std::vector<std::string> capture_peers;
  std::vector<std::string> capture_accept_rcpt = {"*"};
  uint64_t capture_max_rcpt = limits::kMaxRecipients;
  bool capture_reject_bare_newline = false;
  bool capture_reject_oversize = false;
  bool capture_managed = true;
  uint64_t capture_max_connections = 200;

  uint64_t message_bytes = limits::kMessageBytes;

  std::vector<std::string> mta_own_domains;
  std::vector<std::string> mta_aliases;
  std::string mta_log;
  std::string mta_archive_recipient = "archive@archive.invalid";

  std::vector<std::string> index_languages = {"fr", "en"};
  uint64_t index_shard_messages = 250'000;
  std::vector<std::string> index_headers = {"x-run-id"};

  bool documents_read = true;
  uint64_t documents_workers = 2;
  UnixNs documents_time = 10 * kNsPerSecond;
  uint64_t documents_memory_bytes = 256ull << 20;
  uint64_t documents_text_bytes = 16ull << 20;
  uint64_t documents_depth = 3;
  uint64_t documents_expansion = 100;
  bool documents_ocr = false;
  std::vector<std::string> documents_ocr_languages = {"fra", "eng", "ara"};
  UnixNs documents_ocr_time = 120 * kNsPerSecond;
  uint64_t documents_ocr_memory_bytes = 384ull << 20;
  uint64_t documents_ocr_pages = 50;
  uint64_t documents_ocr_pixels = 100'000;

  std::vector<std::string> http_listen = {"inet:127.0.0.1:8025"};
  std::vector<std::string> http_hosts;
  std::vector<std::string> http_origins;
  std::vector<std::string> http_admins;
  std::vector<uint32_t> http_trusted_uids = {0};

  bool mcp_enabled = true;
  uint64_t mcp_max_result_bytes = 256u << 10;

  std::string report_to = "postmaster";
  std::string report_from;
  std::string report_sendmail = "/usr/sbin/sendmail";

  bool log_json = false;
  std::string log_level = "info";

  uint64_t pack_bytes = 256ull << 20;
  UnixNs pack_age = kNsPerDay;

  /// Ours, when the configuration names any.
  std::optional<OwnDomains> own_domains() const {
    return mta_own_domains.empty() ? std::nullopt : std::optional<OwnDomains>(mta_own_domains);
  }

  std::string file;  ///< where it was read from; empty when no file was
  std::string text;  ///< what stood there
};

/// One key. `get` gives the value as TOML text.
struct Key {
  std::string_view section, name;
  std::string_view type;     ///< "string", "size", "duration", "number", "boolean", "list"
  std::string_view meaning;  ///< one sentence, with the mistake it prevents where there is one
  std::function<std::string(const Config&)> get;
};
const std::vector<Key>& keys();

constexpr std::string_view kDefaultFile = "/etc/archd/archd.toml";

/// Which file holds the configuration.
struct File {
  std::string path;
  bool wanted = true;  ///< somebody named it: it has to be there
};
/// `path` as given on the command line, may be empty; `environment`: $ARCHD_CONFIG, may be null.
inline File file_of(const std::string& path, const char* environment) {
  if (!path.empty()) return {path, true};
  if (environment != nullptr && *environment != '\0') return {environment, true};
  return {std::string(kDefaultFile), false};
}

/// `path` as given on the command line; empty: $ARCHD_CONFIG, else kDefaultFile if there is one, else the defaults. Errors:
/// kUsage with "FILE:LINE: …" for everything that is wrong with the file, kNotFound, kDenied, kIo.
Result<Config> load(const std::string& path);
/// `name` stands for the file in errors.
Result<Config> parse(const std::string& text, const std::string& name);

/// The effective configuration as a TOML file with each key's meaning as a comment.
std::string effective(const Config& config);

}  // namespace arch::config
