// The one converter of Xapian's exceptions to errors. Included by the .cc files of this folder only.
#pragma once

#include <xapian.h>

#include <cerrno>
#include <string>

#include "engine/base/result.h"

namespace arch::index {

/// Runs `call` (returning a Result) and turns what Xapian throws into an error about `object`.
template <class Call>
auto guarded(const std::string& object, const Call& call) -> decltype(call()) {
  constexpr const char* kRebuild = "the engine builds the index anew at its next start";
  try {
    return call();
  } catch (const Xapian::DatabaseLockError& error) {
    return fail(Code::kTryAgain, object + " is locked by another writer: " + error.get_msg(),
                "wait for it to end; only one engine may run");
  } catch (const Xapian::DatabaseModifiedError& error) {
    return fail(Code::kTryAgain, object + " moved on while it was read: " + error.get_msg());
  } catch (const Xapian::DatabaseNotFoundError& error) {
    return fail(Code::kNotFound, object + " is not there: " + error.get_msg(), kRebuild);
  } catch (const Xapian::DatabaseCorruptError& error) {
    return fail(Code::kCorrupt, object + " is damaged: " + error.get_msg(), kRebuild);
  } catch (const Xapian::DatabaseVersionError& error) {
    return fail(Code::kCorrupt, object + " has a format that this Xapian does not read: " + error.get_msg(),
                kRebuild);
  } catch (const Xapian::DatabaseOpeningError& error) {
    return fail(Code::kCorrupt, object + " cannot be opened: " + error.get_msg(), kRebuild);
  } catch (const Xapian::Error& error) {
    std::string what = object + ": " + error.get_type() + ": " + error.get_msg();
    // Xapian puts strerror's text beside the message; its number is lost where the constructor got none.
    const char* system = error.get_error_string();
    // "EOF reading block 2": without a system's word it is the file's content that is wrong.
    if (system == nullptr) return fail(Code::kCorrupt, std::move(what), kRebuild);
    what.append(" (").append(system).append(")");
    if (std::string_view(system) == "No space left on device" || std::string_view(system) == "Disk quota exceeded")
      return fail(Code::kFull, std::move(what), "make room; indexing goes on by itself, mail is kept meanwhile",
                  ENOSPC);
    return fail(Code::kIo, std::move(what));
  }
}

}  // namespace arch::index
