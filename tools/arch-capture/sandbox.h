// What capture may still do once it listens: serve the sockets it has, and write files in one directory.
#pragma once

#include <string>

namespace arch::capture {

/// Restricts the calling thread and every thread it starts later: files only under `journal_directory` (Landlock), no new
/// sockets, no other program (seccomp). Cannot be undone. Where the kernel lacks a part, the rest still holds.
/// Returns what could not be enforced, one line for the log; empty when everything holds.
std::string enter_sandbox(const std::string& journal_directory);

}  // namespace arch::capture
