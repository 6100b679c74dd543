#include "tools/archd/program.h"

namespace arch::daemon {

const tool::Program& program() {
  static const tool::Program table = {
      "archd",
      8,
      "[OPTION]... run|engine|capture",
      "Keep a mail archive: take mail over LMTP, make it durable, find it, pack it",
      {{"run",
        "everything: starts and watches arch-capture (which takes the mail) and the engine, restarts what ends; with "
        "[capture] managed = false the engine alone"},
       {"engine", "the engine alone: catalog, index, packing, the page; nobody restarts it"},
       {"capture",
        "becomes arch-capture with the listeners and limits of the configuration; for a unit of its own, beside "
        "[capture] managed = false"}},
      "Once mail is taken it prints one line: ready lmtp=ADDR milter=ADDR http=ADDR. SIGTERM and SIGINT stop it in "
      "good "
      "order: mail under way is finished, the journal closed, then the engine ends. SIGHUP reads the configuration "
      "anew: "
      "one with a mistake is logged and changes nothing. Log lines go to stderr. Under "
      "systemd it says when it is ready and that it is alive (sd_notify). The engine answers archctl on "
      "state/archctl.sock of the archive (archctl(1)).\n\n"
      "None of --lmtp, --smtp and --milter given: the configured listeners, by default LMTP on inet:127.0.0.1:2424 "
      "and "
      "the milter protocol on inet:127.0.0.1:2425. --http not given: the configured one, by default "
      "inet:127.0.0.1:8025.",
      {{"archive", 0, "DIR",
        "the archive, made by `archctl init DIR` (else $ARCHIVE, else the configuration, else ./data)"},
       {"config", 0, "FILE", "the configuration (else $ARCHD_CONFIG, else /etc/archd/archd.toml if there is one)"},
       {"lmtp", 0, "ADDR", "listen for LMTP on unix:PATH or inet:HOST:PORT (port 0: any); may be given again"},
       {"smtp", 0, "ADDR", "listen for SMTP"},
       {"milter", 0, "ADDR", "listen for the milter protocol"},
       {"http", 0, "ADDR", "serve the page, the API and the assistant's endpoint there; none: nowhere"},
       {"help", 'h', "", "this help"},
       {"version", 0, "", "the version"}},
      {{0, "stopped by a signal"},
       {64, "wrong usage"},
       {65, "archive.toml is damaged or newer than this program"},
       {66, "no archive here"},
       {69, "arch-capture is not to be found"},
       {73, "cannot listen or write there"},
       {74, "read or write error"},
       {75, "another engine has the archive"},
       {77, "no permission"},
       {78, "a mistake in the configuration; or capture, while run starts arch-capture by itself"}},
      {{"archctl init /srv/mail && archd --archive=/srv/mail run", ""}},
      "archctl(1), arch-capture(8), archd.toml(5)"};
  return table;
}

}  // namespace arch::daemon
