// Where a generation of the index lies and what it consists of: ARCHIVE/index/gNNNN/state.json. No Xapian here.
//
// A generation without a readable state.json is no generation: it is thrown away. state.json is replaced whole (tmp, fsync,
// rename, directory fsync), so it names the shards of before or of after a change, never of between.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace arch::index {

struct ShardState {
  std::string name;    ///< directory of the open shard, file of a sealed one
  uint64_t first = 0;  ///< message number of document 1
  bool sealed = false;
  uint64_t last = 0;       ///< highest message number of a sealed one
  uint64_t documents = 0;  ///< of a sealed one
};

struct SequencesState {
  uint64_t first = 0, last = 0;  ///< message numbers
};

struct GenerationState {
  uint64_t number = 0;  ///< of gNNNN
  int schema = 0;
  bool complete = false;                  ///< has once caught up with the archive
  std::vector<ShardState> shards;         ///< oldest first; the last one is open
  std::vector<SequencesState> sequences;  ///< from message 1 on, without a gap
  std::string directory;                  ///< full path; not stored
};

/// The file of a sealed shard's columns (columns.h).
inline std::string columns_name(const ShardState& shard) {
  return "shard" + std::to_string(shard.first) + "-" + std::to_string(shard.last) + ".columns";
}

inline std::string sequences_name(const SequencesState& run) {
  return "words" + std::to_string(run.first) + "-" + std::to_string(run.last) + ".seq";
}

/// Name of the database of what became known about messages of sealed shards, beside the shards.
inline constexpr const char* kLateName = "late";

/// kNotFound (no state.json), kCorrupt, kTooNew (another schema), kIo.
Result<GenerationState> read_state(const std::string& index_directory, uint64_t number);
Result<void> write_state(const GenerationState& state);
/// Numbers of all gNNNN directories, rising. A missing index directory has none.
Result<std::vector<uint64_t>> list_generations(const std::string& index_directory);
/// What a reader opens: the newest complete one, else the newest. kNotFound when there is none; kCorrupt when there are
/// only damaged ones.
Result<GenerationState> current_generation(const std::string& index_directory);
std::string generation_directory(const std::string& index_directory, uint64_t number);

// Files of the index. Xapian writes its own without engine/io, so these are plain system calls too.
Result<void> sync_directory(const std::string& path);
Result<void> sync_file(const std::string& path);
Result<void> write_synced(const std::string& path, std::string_view bytes);  ///< replaces what was there
Result<void> make_directory(const std::string& path);                        ///< success when it is there
Result<void> remove_tree(const std::string& path);                           ///< success when it is not there

}  // namespace arch::index
