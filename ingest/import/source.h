// Mail that lies in files: Maildir (with and without cur/new), mbox, single files, folders of them. Streams: one message
// at a time, memory bounded by the largest message. Content-Length is ignored.
//
// A file under cur/ or new/, or named *.eml, is one message whatever its first line. Another file that begins with
// "From " is an mbox: its separators (mbox.h says what one looks like) are kept with the delivery, everything between two
// of them is the message, and ">From " stands as it is unless `mboxrd`. Any other regular file is one message if it looks
// like mail (looks.h); otherwise it is refused with a reason. Empty files, pipes, sockets, devices and (unless
// `follow_links`) symbolic links inside a folder are refused; nothing is passed over in silence except the bookkeeping
// files that mail programs keep in a Maildir.
//
// Paths named twice, or lying inside another one that is named, are read once. Folders are walked without recursion.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/result.h"

namespace arch::import {

struct Options {
  bool mboxrd = false;         ///< ">From " loses one ">" (mboxrd files)
  uint64_t message_bytes = 0;  ///< refuse larger ones; 0: limits::kMessageBytes
  bool follow_links = false;   ///< symbolic links inside a folder are refused with a reason unless set
};

struct Item {
  std::string message;  ///< the bytes
  std::string origin;  ///< absolute path; "#OFFSET" appended for a message of an mbox. A Maildir file's path is given
                       ///< under cur/ and without its flags: it stays the same when the mail is read or flagged
  std::string separator;  ///< "From " line without line end, mbox only
};

struct Refused {
  std::string origin;
  std::string reason;  ///< one line: "empty file", "not mail: first line is no header field", "permission denied" …
};

struct Totals {  ///< what a scan of the paths found, for a progress bar
  uint64_t files = 0, bytes = 0;
};

class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual Result<void> message(Item item) = 0;  ///< an error stops the walk and is returned
  virtual void refused(const Refused& refused) = 0;
  virtual void progress(uint64_t bytes_done) = 0;
};

/// Errors: kNotFound when a path of `paths` itself is missing (says which); what the visitor returned.
Result<Totals> scan(const std::vector<std::string>& paths, const Options& options);
/// Files of a folder in name order (so that a run repeats).
Result<void> walk(const std::vector<std::string>& paths, const Options& options, Visitor& visitor);

}  // namespace arch::import
