#include "query/index/generation.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "query/index/terms.h"

namespace arch::index {
namespace {

using nlohmann::json;

constexpr off_t kStateBytes = 4 << 20;  // 20,000 shards; a larger file is not ours

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<void> sync_path(const std::string& path, int flags) {
  Descriptor file(::open(path.c_str(), flags | O_CLOEXEC));
  if (file.get() < 0) return fail_errno(errno, "cannot open " + path);
  if (::fsync(file.get()) != 0) return fail_errno(errno, "cannot sync " + path);
  return {};
}

Result<std::string> read_whole(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return fail_errno(errno, "cannot open " + path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "cannot read " + path);
  if (!S_ISREG(status.st_mode) || status.st_size > kStateBytes)
    return fail(Code::kCorrupt, path + " is not a state file");
  std::string out(static_cast<size_t>(status.st_size), '\0');
  size_t done = 0;
  while (done < out.size()) {
    ssize_t got = ::read(file.get(), out.data() + done, out.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "cannot read " + path);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  out.resize(done);
  return out;
}

}  // namespace

Result<void> write_synced(const std::string& path, std::string_view text) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  if (file.get() < 0) return fail_errno(errno, "cannot create " + path);
  while (!text.empty()) {
    ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "cannot write " + path);
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(file.get()) != 0) return fail_errno(errno, "cannot sync " + path);
  return {};
}

Result<void> sync_directory(const std::string& path) { return sync_path(path, O_RDONLY | O_DIRECTORY); }
Result<void> sync_file(const std::string& path) { return sync_path(path, O_RDONLY); }

Result<void> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) return fail_errno(errno, "cannot create " + path);
  return {};
}

Result<void> remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error && error != std::errc::no_such_file_or_directory)
    return fail_errno(error.value(), "cannot remove " + path);
  return {};
}

std::string generation_directory(const std::string& index_directory, uint64_t number) {
  std::string digits = std::to_string(number);
  return index_directory + "/g" + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits;
}

Result<void> write_state(const GenerationState& state) {
  json shards = json::array();
  for (const ShardState& shard : state.shards) {
    json one = {{"name", shard.name}, {"first", shard.first}, {"sealed", shard.sealed}};
    if (shard.sealed) {
      one["last"] = shard.last;
      one["documents"] = shard.documents;
    }
    shards.push_back(std::move(one));
  }
  json sequences = json::array();
  for (const SequencesState& run : state.sequences) sequences.push_back({{"first", run.first}, {"last", run.last}});
  json root = {{"what", "derived: a generation of the full-text index"},
               {"schema", state.schema},
               {"complete", state.complete},
               {"shards", std::move(shards)},
               {"sequences", std::move(sequences)}};
  std::string path = state.directory + "/state.json";
  std::string tmp = path + ".tmp";
  ARCH_TRY_VOID(write_synced(tmp, root.dump(1) + "\n"));
  if (::rename(tmp.c_str(), path.c_str()) != 0) return fail_errno(errno, "cannot rename " + tmp);
  return sync_directory(state.directory);
}

Result<GenerationState> read_state(const std::string& index_directory, uint64_t number) {
  GenerationState state;
  state.number = number;
  state.directory = generation_directory(index_directory, number);
  std::string path = state.directory + "/state.json";
  ARCH_TRY(std::string text, read_whole(path));
  auto damaged = [&] {
    return fail(Code::kCorrupt, path + " is damaged", "the engine builds the index anew at its next start");
  };
  try {
    int depth = 0;
    json root = json::parse(text, [&depth](int at, json::parse_event_t, json&) {
      depth = std::max(depth, at);
      return at < 8;  // nlohmann 3.11.2 overflows the stack when it destroys deep values
    });
    if (depth >= 8) return damaged();
    state.schema = root.at("schema").get<int>();
    if (state.schema > kSchema)
      return fail(Code::kTooNew,
                  path + " was written by a newer version (schema " + std::to_string(state.schema) + ")",
                  "use that version, or let this one build the index anew: archctl rebuild");
    state.complete = root.at("complete").get<bool>();
    for (const json& one : root.at("shards")) {
      ShardState shard;
      shard.name = one.at("name").get<std::string>();
      shard.first = one.at("first").get<uint64_t>();
      shard.sealed = one.at("sealed").get<bool>();
      if (shard.sealed) {
        shard.last = one.at("last").get<uint64_t>();
        shard.documents = one.at("documents").get<uint64_t>();
      }
      // A name is joined to a path that is opened for writing.
      if (shard.name.empty() || shard.name.find('/') != std::string::npos || shard.name[0] == '.') return damaged();
      if (shard.first == 0 || (!state.shards.empty() && shard.first <= state.shards.back().first)) return damaged();
      state.shards.push_back(std::move(shard));
    }
    if (state.schema == kSchema)
      for (const json& one : root.at("sequences")) {
        const SequencesState run{one.at("first").get<uint64_t>(), one.at("last").get<uint64_t>()};
        const uint64_t next = state.sequences.empty() ? 1 : state.sequences.back().last + 1;
        if (run.first != next || run.last < run.first) return damaged();
        state.sequences.push_back(run);
      }
  } catch (const json::exception&) {
    return damaged();
  }
  if (state.shards.empty() || state.shards.back().sealed) return damaged();
  for (size_t i = 0; i + 1 < state.shards.size(); ++i)
    if (!state.shards[i].sealed) return damaged();
  return state;
}

Result<std::vector<uint64_t>> list_generations(const std::string& index_directory) {
  std::vector<uint64_t> out;
  std::error_code error;
  std::filesystem::directory_iterator entry(index_directory, error);
  if (error == std::errc::no_such_file_or_directory) return out;
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (name.size() < 5 || name.size() > 12 || name[0] != 'g') continue;
    if (!std::all_of(name.begin() + 1, name.end(), [](char c) { return c >= '0' && c <= '9'; })) continue;
    uint64_t number = std::stoull(name.substr(1));
    if (generation_directory(index_directory, number) == index_directory + "/" + name) out.push_back(number);
  }
  if (error) return fail_errno(error.value(), "cannot list " + index_directory);
  std::sort(out.begin(), out.end());
  return out;
}

Result<GenerationState> current_generation(const std::string& index_directory) {
  ARCH_TRY(std::vector<uint64_t> numbers, list_generations(index_directory));
  std::optional<GenerationState> newest;
  std::optional<Error> worst;
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    auto state = read_state(index_directory, *number);
    if (!state) {
      if (state.error().code != Code::kNotFound && !worst) worst = state.error();
      continue;
    }
    if (state->schema != kSchema) continue;
    if (state->complete) return std::move(*state);
    if (!newest) newest = std::move(*state);
  }
  if (newest) return std::move(*newest);
  if (worst) return tl::unexpected<Error>(*worst);
  return fail(Code::kNotFound, "there is no index in " + index_directory, "the engine builds it: archd run");
}

}  // namespace arch::index
