#include "tools/arch-capture/program.h"

namespace arch::capture {

const tool::Program& program() {
  static const tool::Program table = {
      "arch-capture",
      8,
      "--archive DIR --lmtp ADDR [OPTION]...",
      "Take mail over LMTP, SMTP or the milter protocol and keep it in an archive's journal",
      {},
      "A message is answered 250, or accepted, only when it is on disk. `archd run` starts this program by itself; "
      "alone "
      "it goes on taking mail while the engine is stopped. It reads no configuration: `archd capture` becomes this "
      "program with the options that the configuration stands for.\n\n"
      "When it listens it prints one line: ready lmtp=ADDR smtp=ADDR milter=ADDR. SIGTERM finishes what is under "
      "way, "
      "closes the journal file and ends. Log lines go to stderr.",
      {{"archive", 0, "DIR", "the archive, made by `archctl init DIR`"},
       {"lmtp", 0, "ADDR", "listen for LMTP on unix:PATH or inet:HOST:PORT (port 0: any); may be given again"},
       {"smtp", 0, "ADDR", "listen for SMTP"},
       {"milter", 0, "ADDR", "listen for the milter protocol"},
       {"peer", 0, "NETWORK",
        "who may connect over TCP: an address or a block, e.g. 10.0.0.0/8; may be given again (default: this "
        "machine)"},
       {"message-limit", 0, "BYTES",
        "larger messages are answered 452 (default and most: 256M; K, M, G are understood)"},
       {"reserve", 0, "BYTES", "answer 452 when less than this is free on the disk (default: 2G)"},
       {"max-connections", 0, "N", "answer 421 above (default: 200)"},
       {"accept-rcpt", 0, "PATTERN",
        "recipients taken over LMTP and SMTP, * for any run of characters; others are answered 550; may be given "
        "again "
        "(default: *)"},
       {"max-rcpt", 0, "N", "recipients of one message (default and most: 10000)"},
       {"reject-bare-newline", 0, "", "answer 554 to content with a CR or LF alone instead of keeping it as it is"},
       {"reject-oversize", 0, "",
        "answer 552 instead of 452 to a message over the limit: a copy by always_bcc is then lost"},
       {"ready-fd", 0, "N", "write the ready line to this descriptor too"},
       {"log-json", 0, "", "log one JSON object per line"},
       {"log-level", 0, "LEVEL", "the least that is logged: info, warn or error (default: info)"},
       {"help", 0, "", "this help"},
       {"version", 0, "", "the version"}},
      {{0, "ended by a signal, everything written"},
       {64, "wrong usage"},
       {66, "no archive in DIR"},
       {71, "the system refused something"},
       {73, "cannot listen or write there"},
       {74, "input/output error"},
       {77, "no permission"},
       {78, "the archive's archive.toml is damaged or newer"}},
      {},
      "archd(8), archctl(1)"};
  return table;
}

}  // namespace arch::capture
