// The commands that only read and that archd carries out for archctl (Command::asks): what they work on may be opened for them, or
// be open already.
#pragma once

#include <memory>

#include "engine/archive.h"
#include "engine/people/aliases.h"
#include "query/api/api.h"
#include "query/search/search.h"
#include "tools/archctl/command.h"

namespace arch::ctl {

/// One thread. What is returned lives as long as the object, and is there at the first call, not before: a mistake in the
/// command line is told without an archive.
class Holdings {
 public:
  virtual ~Holdings() = default;
  virtual Result<const Archive*> archive() = 0;
  virtual Result<search::Searcher*> searcher() = 0;
  /// Of the configured maps.
  virtual Result<std::shared_ptr<const Aliases>> aliases() = 0;
};

/// Opened as a reader by the directory and the configuration of an invocation, which outlives it.
class OpenedHere : public Holdings {
 public:
  explicit OpenedHere(const Invocation& invocation) : invocation_(invocation) {}
  Result<const Archive*> archive() override;
  Result<search::Searcher*> searcher() override;
  Result<std::shared_ptr<const Aliases>> aliases() override;

 private:
  const Invocation& invocation_;
  std::unique_ptr<Archive> archive_;
  std::unique_ptr<search::Searcher> searcher_;
};

/// The query that the command line's words make, with the configured zone and aliases, which live beside it.
struct Asked {
  std::shared_ptr<const Aliases> aliases = std::make_shared<const Aliases>();
  search::Request request;
};
/// Aliases that cannot be read are said on stderr: a search without them is still one.
Asked asked_by(const Invocation& invocation);

/// As the console and the configuration want it.
api::TextStyle text_style(const Invocation& invocation);

int run_search(const Invocation&);
int run_count(const Invocation&);
int run_thread(const Invocation&);
int run_show(const Invocation&);
/// The one of them that `invocation` names, which has Command::asks.
int run_reading(const Invocation& invocation);

}  // namespace arch::ctl
