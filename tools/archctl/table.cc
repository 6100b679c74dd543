#include <algorithm>

#include "tools/archctl/command_line.h"

namespace arch::ctl {
namespace {

constexpr Option kJson{"json", 0, "", "one JSON object on stdout, for scripts (docs/schema); an error too"};
constexpr Option kQuiet{"quiet", 'q', "", "no progress and no notices, errors only"};

constexpr ExitStatus kNoArchive{66, "no archive here"};
constexpr ExitStatus kUsage{64, "wrong usage"};
constexpr ExitStatus kReadError{74, "a read or write error, or no space; the message says where"};
constexpr ExitStatus kBusy{75, "try again: an engine holds the archive, or the command was stopped"};

}  // namespace

const std::vector<Option>& common_options() {
  static const std::vector<Option> options = {
      {"archive", 0, "DIR", "the archive; else $ARCHIVE, else archive.data_dir of the configuration, else ./data"},
      {"config", 0, "FILE", "the configuration; else $ARCHD_CONFIG, else /etc/archd/archd.toml if there is one"},
      {"direct", 0, "", "open the archive here, even when archd could be asked for the answer"},
      {"help", 'h', "", "this help, also behind a command"},
      {"version", 0, "", "version and format numbers"},
  };
  return options;
}

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"init",
       "Set up",
       "DIR",
       "Make a new, empty archive",
       "Makes DIR, if need be, and an archive in it. A directory that holds anything else is refused; an archive "
       "that is "
       "there already is left as it is.",
       {},
       {{0, "the archive is made"},
        kUsage,
        {73, "DIR holds an archive or other files, or cannot be made"},
        kReadError},
       {{"archctl init /srv/mail", "then archd --archive /srv/mail run"}},
       1,
       1},

      {"import",
       "Store",
       "[OPTION]... PATH...",
       "Store mail that lies in files",
       "Reads Maildirs (with or without cur/ and new/), mbox files, single messages and folders of all of these. A "
       "file "
       "under cur/ or new/, or named *.eml, is one message whatever its first line; another file that begins with "
       "\"From \" "
       "is an mbox, whose separators are kept beside the messages. Every message is stored byte for byte; its path "
       "is kept "
       "with it.\n\n"
       "A message that came from the same place before is not stored again, so that an import can be repeated or "
       "gone on "
       "with after an interruption. One that is known from elsewhere is stored once, and this copy's place is put on "
       "record. What is no mail is refused with a reason, never passed over in silence.\n\n"
       "Without a running archd the import also indexes and packs beside reading; with one, it leaves that to "
       "archd.\n\n"
       "The last line is: N read, N stored, N already known, N refused. The first number is the sum of the others.",
       {{"mboxrd", 0, "", "take one \">\" from \">From \" lines of mbox files"},
        {"follow-links", 0, "", "read what symbolic links inside folders point to"},
        {"wait", 0, "", "end only when everything read can be searched, also beside a running archd"},
        kJson,
        kQuiet},
       {{0, "everything was read; what a folder held besides mail is listed on stderr"},
        kUsage,
        {65, "a file that was named is no mail or is empty, or nothing but refusals was met"},
        {66, "a path is missing or may not be read, or no archive here; when missing, nothing was stored"},
        kReadError,
        kBusy},
       {{"archctl import ~/Maildir old.mbox", "a Maildir and an mbox"},
        {"archctl import --json /srv/export | jq .refusals", "what was refused, and why"}},
       1,
       SIZE_MAX},

      {"deliver",
       "Store",
       "[OPTION]... [RECIPIENT]... <MESSAGE",
       "Store one message from standard input, durably",
       "For Postfix's pipe(8), .forward files and scripts. Ends with 0 only when the message is on disk, synced; "
       "whatever "
       "goes wrong later than the command line is 75, so that the sender keeps the mail and tries again. The message "
       "is "
       "stored byte for byte: no dot is taken for its end, no line end is repaired. Needs no running archd, which "
       "finds the "
       "message by itself.",
       {{"from", 'f', "ADDRESS", "the envelope's sender; an empty one is that of a bounce"},
        {"queue-id", 0, "ID",
         "Postfix's queue id, ${queue_id} in master.cf: joins this copy with the others of its mail"},
        {"mta", 0, "HOST", "name of the mail server that hands the message over"},
        {"client-address", 0, "ADDRESS", "of the client that sent it, ${client_address}"},
        {"client-name", 0, "HOST", "its name, ${client_hostname}"},
        {"sasl-user", 0, "NAME", "its login, ${sasl_username}"},
        {"verbose", 'v', "", "say which message it became"}},
       {{0, "the message is on disk"},
        kUsage,
        {75, "not stored, for whatever reason: try again"},
        {78, "a mistake in the configuration"}},
       {{"archctl deliver -f paul@example.fr achats@example.fr <mail.eml", ""},
        {"|/usr/bin/archctl --archive /srv/mail deliver", "in a .forward file"}},
       0,
       10'000},

      {"pack",
       "Store",
       "[OPTION]...",
       "Close what is open and pack it now",
       "Packs every acknowledged mail into compressed, immutable segments: writers are asked to close their journal "
       "files, "
       "which are then packed, read back, compared, and only then released. archd does this by itself once 256 MiB "
       "or a "
       "day have gathered ([pack] in the configuration); this command is for before a backup or a measurement. "
       "Beside a "
       "running archd it asks archd to do it, and waits.",
       {kJson, kQuiet},
       {{0, "everything that was closed is packed"}, kNoArchive, kReadError, kBusy},
       {{"archctl pack && archctl capacity", ""}},
       0,
       0},

      {"search",
       "Find",
       "[OPTION]... [--] QUERY",
       "Find mail, newest first",
       "QUERY is one argument or several, joined by blanks: words (all must occur, in any form of French or "
       "English), "
       "\"phrases\", =\"exact\" spelling, prefix*, OR, -without, parentheses, and from: to: cc: subject: filename: "
       "date: "
       "before: after: has:attachment. Accents and case do not matter. Put -- before a query that begins with a "
       "minus "
       "sign.\n\n"
       "A mail that was captured more than once counts once. The answer says its exact total and how far the index "
       "is.",
       {kJson,
        {"limit", 'n', "N", "at most N hits (default 20, at most 10000)"},
        {"offset", 0, "N", "leave out the first N hits"},
        {"no-widen", 0, "", "words as typed, no other forms"},
        {"sort", 0, "ORDER", "newest (default), oldest or relevance"},
        {"as-of", 0, "N", "only mail that was there when the answer said as_of N: pages then never shift"},
        {"oldest-first", 0, "", "--sort=oldest"}},
       {{0, "something was found"},
        {1, "nothing was found"},
        {64, "wrong usage, or the query has a mistake; the message names its column"},
        kNoArchive,
        kReadError},
       {{"archctl search facture from:@dupont.example date:2024", ""},
        {"archctl search '\"bon de commande\" has:attachment'", "a phrase"},
        {"archctl search -- '-brouillon devis OR facture'", ""},
        {"archctl search --json --limit 1000 contrat | jq -r '.hits[].id'", ""}},
       1,
       SIZE_MAX,
       true},

      {"count",
       "Find",
       "[OPTION]... [QUERY]",
       "Count the mails that match, by month, sender, …",
       "QUERY as for search; without one, all mail. Counts each mail once, however often it was captured; totals are "
       "exact. A "
       "mail with several values (recipients, attachments) counts in each. The line \"not listed\" adds up what "
       "--limit left "
       "out; \"without any\" are mails that have no such value.",
       {{"by", 0, "WHAT",
         "year, month (default), day, from, from_domain, rcpt, rcpt_domain, direction, list, attachment_type, "
         "language, "
         "size_class; to, domain and type for rcpt, from_domain and attachment_type"},
        {"limit", 'n', "N", "at most N values (default 20): the most frequent; of periods the newest"},
        {"no-widen", 0, "", "words as typed, no other forms"},
        {"csv", 0, "", "comma-separated values"},
        kJson},
       {{0, "something was found"},
        {1, "nothing was found"},
        {64, "wrong usage, or the query has a mistake"},
        kNoArchive,
        kReadError},
       {{"archctl count --by from_domain facture date:2026", ""}, {"archctl count --by month --csv in:incoming", ""}},
       0,
       SIZE_MAX,
       true},

      {"saved",
       "Find",
       "[OPTION]... list | add NAME QUERY | remove NAME | run NAME",
       "Keep a search under a name, and be told of new matches",
       "add keeps QUERY under NAME; with --mail archd tells that address of mail that matches and came since, within "
       "minutes "
       "of its arrival, at most 20 mails in one letter. run searches, with the options of search.",
       {{"mail", 0, "ADDRESS", "add: who is told of new matches"},
        {"limit", 'n', "N", "run: at most N hits"},
        {"sort", 0, "ORDER", "run: newest, oldest or relevance"},
        kJson},
       {{0, "done; run: something was found"},
        {1, "run: nothing was found"},
        {64, "wrong usage, or the query has a mistake"},
        {66, "there is no search of that name, or no archive"},
        {73, "the name is taken"},
        kReadError},
       {{"archctl saved add litiges --mail=juridique@example.fr 'litige OR contentieux'", ""},
        {"archctl saved run litiges", ""}},
       1,
       SIZE_MAX},

      {"thread",
       "Find",
       "[OPTION]... ID",
       "Show the mails that answer each other, as a tree",
       "ID is the id of any of the mails, or its first 8 or more digits, or a Message-ID. Mails belong together by "
       "References, "
       "In-Reply-To and Message-ID, and, where an answer names nothing, by subject, people and time.",
       {kJson},
       {{0, "shown"}, kUsage, {66, "there is no such mail, or no archive"}, kReadError},
       {{"archctl thread 3f2a9c0d11e4b7a6", ""}, {"archctl thread '<4711@mail.example>'", ""}},
       1,
       1,
       true},

      {"show",
       "Find",
       "[OPTION]... ID",
       "Show one message, or its exact bytes",
       "ID is the message's SHA-256 as search prints it, or its first 8 or more digits. Shows the header, who "
       "received it "
       "and how it came in, its parts and its text.",
       {{"raw", 0, "", "the exact bytes received, nothing else, on stdout"}, kJson},
       {{0, "shown"},
        kUsage,
        {65, "more than one message begins with ID, or stored bytes are damaged"},
        {66, "no such message, or no archive here"},
        kReadError},
       {{"archctl show 3f2a9c0d", ""}, {"archctl show --raw 3f2a9c0d | sha256sum", "gives the ID again"}},
       1,
       1,
       true},

      {"export",
       "Find",
       "[OPTION]... [QUERY]",
       "Write messages out as files",
       "Writes what QUERY finds, or with --all everything, oldest first. eml: one file a message in the directory "
       "--output, "
       "exact bytes, named by date and digest; sha256sum of a file is the message's ID. mbox: one file in the mboxrd "
       "form "
       "(\">\" before lines that begin with \"From \", LF line ends) to --output or stdout. zip: one file with the "
       "exact "
       "messages, a manifest and SHA256SUMS; the same query with the same --as-of gives the same bytes. jsonl: the "
       "manifest "
       "alone, a line a message, with --with-text their text.\n\n"
       "Beside a single file lies FILE.receipt.json: who made it, when, why (--reason), and its SHA-256. "
       "A file being written ends in .part until it is whole.",
       {{"format", 0, "FORMAT", "eml (default), mbox, zip or jsonl"},
        {"output", 'o', "PATH", "a directory for eml (made if need be), a file for the others"},
        {"as-of", 0, "N", "only mail that was there when an answer said as_of N"},
        {"with-text", 0, "", "jsonl: the text of each message too"},
        {"without-envelope", 0, "", "leave recipients that only the envelope names (Bcc) out of the manifest"},
        {"reason", 0, "TEXT", "why, for the receipt"},
        {"all", 0, "", "every message of the archive"},
        {"no-widen", 0, "", "words of QUERY as typed, no other forms"},
        kQuiet},
       {{0, "written"},
        {1, "nothing was found"},
        {64, "wrong usage, or the query has a mistake"},
        {65, "a message is damaged; the others were written"},
        kNoArchive,
        {73, "cannot make a file"},
        kReadError,
        kBusy},
       {{"archctl export -o out from:dupont date:2024", ""},
        {"archctl export --all --format mbox | gzip > all.mbox.gz", ""},
        {"archctl export --format zip -o dossier.zip --reason 'litige 4711' from:dupont", ""}},
       0,
       SIZE_MAX},

      {"status",
       "Look after",
       "[OPTION]...",
       "Say what the archive holds and how far the index is",
       "",
       {kJson},
       {{0, "all well"}, {65, "damage was seen; the message says where"}, kNoArchive, kReadError},
       {{"archctl status", ""}},
       0,
       0},

      {"health",
       "Look after",
       "[OPTION]...",
       "Ask whether everything that is served answers",
       "Connects to every listener of the configuration: LMTP and SMTP have to greet, the milter's has to take the "
       "connection, the page has to say that store and index are usable. For a container's health check and a timer; "
       "whether mail comes the whole way, `archctl canary` tells.",
       {{"capture", 0, "", "only what takes mail"}, kQuiet},
       {{0, "all well"}, {1, "something does not answer, or is not ready; each is named"}, kUsage},
       {{"archctl health", ""}},
       0,
       0},

      {"capacity",
       "Look after",
       "[OPTION]...",
       "Report space used, saved and left",
       "Space used against archive.cap_bytes of the configuration (100G unless set); when 70, 80, 90 and 100 % of it "
       "are "
       "reached (earliest, likely, latest; docs/capacity.md says how); what fills it and who; what storing "
       "attachments "
       "once and compressing saved; the room of each volume.\n\n"
       "--check prints one line for a monitoring system. It warns from 70 % on, when the likely day is nearer than "
       "180 "
       "days and when the disks end before the cap; critical is 90 %, 30 days, a missing volume, a disk at its "
       "reserve.",
       {kJson,
        {"csv", 0, "", "months, directions, contents, domains and mailboxes as CSV"},
        {"html", 0, "", "the report as one HTML file with charts, nothing to be loaded"},
        {"lang", 0, "fr|en", "of --html (fr)"},
        {"check", 0, "", "one line and an exit status for a monitoring system"}},
       {{0, "reported; --check: all well"},
        {1, "--check: warning"},
        {2, "--check: critical"},
        {3, "--check: unknown, the archive cannot be read"},
        kNoArchive,
        kReadError},
       {{"archctl capacity --json | jq '.used_bytes / .cap_bytes'", ""},
        {"archctl capacity --html >capacity.html", "for a manager"},
        {"archctl capacity --check", "as a Nagios or Icinga plugin"}},
       0,
       0},

      {"verify",
       "Look after",
       "[OPTION]... [SEGMENT]...",
       "Check that the archive holds what it claims",
       "Reads the archive and says whether it holds what it claims: every block, every part and every message is "
       "read and "
       "compared with its SHA-256. Never writes to journal or segments, never repairs, takes no lock: it may run "
       "beside "
       "archd. Without SEGMENT (a number): every segment, and the journal up to its last whole record. When each "
       "segment "
       "was read last stands in state/verified; archctl status shows the oldest.\n\n"
       "One line for each fault: FILE OFFSET DIGEST WHAT. A note is a left-over that harms nothing.",
       {{"quick", 0, "", "structure and checksums only: nothing is decompressed"},
        {"since", 0, "DATE", "only segments born on or after DATE (YYYY-MM-DD, UTC)"},
        {"resume", 0, "", "go on where a whole verification was stopped"},
        {"limit-mbps", 0, "N", "read at most N megabytes a second"},
        {"json", 0, "", "one JSON object per fault and one at the end; progress stays on stderr"},
        kQuiet},
       {{0, "sound: everything asked for was read, no fault"},
        {1, "damage"},
        {2, "could not check: no archive there, stopped, or the device did not give a file; the message says which"},
        kUsage},
       {{"archctl verify", ""},
        {"archctl verify --quick --since=2026-01-01", ""},
        {"archctl verify --limit-mbps=50 --resume", "beside the daemon, over several nights"}},
       0,
       SIZE_MAX},

      {"reextract",
       "Look after",
       "[OPTION]...",
       "Read the text of attachments again",
       "For a better version of the readers, or other limits ([documents] of the configuration). Each attachment is "
       "read once, "
       "whatever number of mails has it; what is known of it stays until it has been read again. Without an option "
       "all "
       "are; beside a running archd it asks archd to do it, and waits, also for OCR (documents.ocr), which reads "
       "pictures and scans "
       "behind all others.",
       {{"type", 0, "TYPE", "only those whose media type has this in it, such as pdf"},
        {"unread", 0, "", "only those that could not be read: encrypted, broken, over a limit, of unknown format"},
        {"no-wait", 0, "", "beside archd: return at once; else: leave OCR to archd"},
        kQuiet},
       {{0, "read again, and searched"}, kUsage, kNoArchive, kReadError, kBusy},
       {{"archctl reextract --type pdf", ""},
        {"archctl reextract --type image", "what came before documents.ocr was true"},
        {"archctl search is:unread", "the mails that have some"}},
       0,
       0},

      {"reindex",
       "Look after",
       "[OPTION]...",
       "Build the index anew beside the old one",
       "Reads every message again and builds a new generation of the full-text index beside the one that is there, "
       "which answers "
       "until the new one has caught up; then searches turn to it and the old one is removed. Mail that comes "
       "meanwhile is "
       "stored as ever and found once the new index is there; every answer says how much waits. Beside a running "
       "archd it asks "
       "archd to do it, and waits. After an interruption it goes on where it was. For new index.headers, or a better "
       "version "
       "of this program.",
       {{"no-wait", 0, "", "beside archd: return at once"}, kQuiet},
       {{0, "the new index answers"}, kUsage, kNoArchive, kReadError, kBusy},
       {{"archctl reindex", ""}, {"archctl status", "shows how far it is"}},
       0,
       0},

      {"reconcile",
       "Look after",
       "[OPTION]... [LOG... | journal | journal:UNIT | -]",
       "Prove by Postfix's log that no mail is missing",
       "Reads what Postfix logged and says for each queue id that it took on whether the archive holds that mail. "
       "LOG is a "
       "file, rotated and gzipped ones too; journal is systemd's (journal:UNIT: of one unit or container); - is "
       "standard "
       "input. Without any: mta.log of the configuration with its rotated forms, over the last 8 days.\n\n"
       "One line for each exception: queue id, time, sender, reason. The last line is: N accepted, N archived, N "
       "missing. "
       "What is still in Postfix's queue and not archived is accepted, and neither of the other two. archd does the "
       "same "
       "once a day when mta.log is set, keeps the result for `archctl status` and mails what is missing.",
       {{"since", 0, "TIME", "only mail that came after TIME: 2026-01-31, 2026-01-31T08:00:00Z (UTC), or 48h ago"},
        {"all", 0, "", "list every mail, also what is archived"},
        kJson,
        kQuiet},
       {{0, "nothing is missing"},
        {1, "mail is missing"},
        kUsage,
        {65, "there is no line of Postfix in the log, or a compressed log is damaged"},
        {66, "the log or the archive is not there"},
        kReadError,
        kBusy},
       {{"archctl reconcile /var/log/mail.log", ""},
        {"archctl reconcile --since=48h journal:postfix.service", ""},
        {"zcat mail.log.*.gz | archctl reconcile --json - | jq .exceptions", ""}},
       0,
       10'000},

      {"canary",
       "Look after",
       "[OPTION]...",
       "Send a mail through Postfix and see it arrive",
       "Sends a mail with French text and a small PDF to one recipient, who stands in the envelope alone (Bcc), and "
       "waits until "
       "the archive has captured it, a search finds it by body, subject and file name, its bytes are verified and, "
       "where the "
       "envelope is captured, the recipient is known. Says which step failed. The result is kept for `archctl "
       "status`. Run it "
       "after each change of Postfix or archive, and from a timer.",
       {{"to", 0, "ADDRESS", "who gets it; else report.to of the configuration"},
        {"from", 0, "ADDRESS", "its sender; else report.from, else archd@ and this machine's name"},
        {"smtp", 0, "ADDRESS", "hand it over by SMTP: inet:HOST:PORT"},
        {"sendmail", 0, "PATH", "hand it over by this program; else report.sendmail"},
        {"wait", 0, "SECONDS", "give up after this long (default 60)"},
        kJson,
        kQuiet},
       {{0, "it came through"}, {1, "it did not; the step is named"}, kUsage, kNoArchive, kReadError},
       {{"archctl canary --to=postmaster@example.fr", ""}, {"archctl canary --smtp=inet:127.0.0.1:25 --json", ""}},
       0,
       0},

      {"salvage",
       "Look after",
       "[OPTION]... NEW",
       "Copy everything that is whole to a new archive",
       "Reads every segment and journal file of the archive and stores each delivery whose message is whole in NEW, "
       "a "
       "directory that does not exist yet. What is not whole is listed: one line a message with its digest, what is "
       "wrong "
       "and, as far as anything still tells, the envelopes it came with. The old archive is only read. Times of "
       "capture, "
       "envelopes and bytes are the same in NEW; its id is another.",
       {{"json", 0, "", "one JSON object per message that is not whole and one at the end"}, kQuiet},
       {{0, "everything was whole and is in NEW"},
        {1, "something was not whole, and is listed; the rest is in NEW"},
        kUsage,
        kNoArchive,
        {73, "NEW cannot be made"},
        {74, "read or write error; what is in NEW so far is good"}},
       {{"archctl --archive=/srv/mail salvage /srv/mail-new", ""}},
       1,
       1},

      {"backup",
       "Look after",
       "[OPTION]... DIR",
       "Copy the archive, consistent, while mail comes in",
       "Makes DIR a copy of everything from which the archive can be made again: archive.toml, journal/, the "
       "segments of "
       "all volumes, and state/ (tokens, saved searches, the access log). Each segment is copied once, read back and "
       "its "
       "checksums compared; the next run copies what is new. A run that is cut off leaves a good copy, and the next "
       "one "
       "goes on. What was acknowledged before the run began is in it.\n\n"
       "Catalog and index are not copied: archctl restore makes them anew. archctl --archive=DIR verify reads the "
       "copy "
       "with every SHA-256. rsync and restic may copy journal/, then segments/, in this order, just as well.",
       {{"limit-mbps", 0, "N", "copy no faster than N megabytes a second"}, kJson, kQuiet},
       {{0, "the copy is whole"},
        {1, "something could not be copied and is named on stderr; the rest is in the copy"},
        kUsage,
        kNoArchive,
        {73, "DIR holds something else"},
        kReadError,
        kBusy},
       {{"archctl backup /mnt/usb/archive", "again whenever there is something new"},
        {"0 3 * * *  archd  archctl backup --quiet /mnt/nas/archive", "in /etc/cron.d"}},
       1,
       1},

      {"restore",
       "Look after",
       "[OPTION]... COPY NEW",
       "Make an archive out of a copy",
       "Copies everything in COPY, which archctl backup has made, to NEW, a directory that does not exist yet; reads "
       "all of "
       "it back and compares every SHA-256; then makes catalog and index. NEW has the id of the archive that was "
       "copied. "
       "tools/restore-drill tries all of it out.",
       {{"no-index", 0, "", "leave catalog and index to archd"},
        {"no-verify", 0, "", "do not read back: archctl verify does later"},
        kJson,
        kQuiet},
       {{0, "NEW is whole"},
        {1, "something in the copy is missing or damaged and is named on stderr; the rest is in NEW"},
        kUsage,
        {66, "COPY is no copy"},
        {73, "NEW holds something already"},
        kReadError,
        kBusy},
       {{"archctl restore /mnt/usb/archive /srv/mail", "then archd --archive /srv/mail run"}},
       2,
       2},

      {"volume",
       "Look after",
       "[OPTION]... add DIR | list",
       "Add room to the archive, or list where it lies",
       "add: makes DIR, an empty directory on another disk, a volume. New segments go to the newest volume with room "
       "above "
       "its reserve; what there is stays where it is. A running archd uses it from its next segment on. Mount the "
       "disk "
       "at every start (/etc/fstab): a volume that is not mounted is an alarm, and the mail on it cannot be read "
       "until it "
       "is back. archive.cap_bytes says how much the archive may take in all: raise it with the room.\n\n"
       "list: each volume with its segments, free room and reserve.",
       {{"reserve", 0, "SIZE", "add: free room that new segments leave on that disk (default 1G)"}, kJson},
       {{0, "done; list: every volume is there"},
        {1, "list: a volume is missing"},
        kUsage,
        kNoArchive,
        {73, "DIR is no place for a volume"},
        kReadError},
       {{"archctl volume add /mnt/disk2/arch", ""}, {"archctl volume list", ""}},
       1,
       2},

      {"rebuild",
       "Look after",
       "[OPTION]...",
       "Make catalog and index anew from segments and journal",
       "Throws catalog/ and index/ away and fills them again from segments/ and journal/, which alone hold the mail "
       "and are "
       "only read. Searching finds nothing until it has come by. Mail may be captured meanwhile. Not while archd "
       "engine runs.",
       {{"index", 0, "", "only the index, from the text that the catalog keeps"}, kQuiet},
       {{0, "rebuilt"}, {65, "damage was met; what could be read is there"}, kNoArchive, kReadError, kBusy},
       {{"archctl rebuild", ""}},
       0,
       0},

      {"token",
       "Serve",
       "[OPTION]... create NAME | list | revoke NAME",
       "Let an assistant search through /mcp",
       "create prints a new token, once: the archive keeps only its hash. Without options it may see everything; "
       "each option narrows "
       "what it finds, counts and reads, as if the rest were not there. revoke ends it at the next call.",
       {{"scope", 0, "LIST", "create: of search, read, attachments, status; parted by commas (default: all)"},
        {"domains", 0, "LIST", "create: only mail from or to these domains"},
        {"mailboxes", 0, "LIST", "create: only mail from or to these addresses"},
        {"after", 0, "DAY", "create: only mail of that day (YYYY-MM-DD) or later"},
        {"before", 0, "DAY", "create: only mail before that day"},
        {"rate", 0, "N", "create: at most N calls a minute (default 60)"},
        kJson},
       {{0, "done"},
        {64, "wrong usage, a name or a scope that is none"},
        {66, "there is no token of that name, or no archive"},
        {73, "the name is taken"},
        kReadError},
       {{"archctl token create assistant", ""},
        {"archctl token create compta --scope=search,read --mailboxes=compta@example.fr --after=2024-01-01", ""}},
       1,
       2},

      {"mcp",
       "Serve",
       "",
       "Serve an assistant on standard input and output",
       "Speaks the Model Context Protocol, one JSON message a line, until standard input ends; for assistants that "
       "start their servers "
       "themselves. Sees the whole archive, as whoever may run this command does. Every call goes into the access "
       "log. Over the network "
       "archd serves the same at /mcp, with tokens.",
       {},
       {{0, "standard input ended"}, kNoArchive, kReadError},
       {{"archctl --archive /srv/mail mcp", "the command of an assistant's configuration"}},
       0,
       0},

      {"access-log",
       "Serve",
       "[OPTION]...",
       "Show who looked at what",
       "Every search, view, download and call of an assistant, oldest first. Each line holds the hash of the line "
       "before, so that a change "
       "shows: it is said on stderr.",
       {{"verify", 0, "", "only check the chain"}, kJson, kQuiet},
       {{0, "shown, and the chain holds"}, {1, "the chain is broken"}, kUsage, kNoArchive, kReadError},
       {{"archctl access-log --json | jq -r 'select(.action==\"raw\") | .who'", "who downloaded originals"}},
       0,
       0},

      {"config",
       "Set up",
       "[print | check [FILE]]",
       "Print the configuration in force, or check one",
       "print: every key with its meaning and value, as a file that archd.toml can start from.\n\n"
       "check: reads FILE, or the configuration in force, says what is wrong with file and line, and looks whether "
       "what "
       "it names is there: the time zone, alias maps, Postfix's log, the program that sends mail. A running archd "
       "takes a "
       "changed configuration over by SIGHUP, and keeps the old one when there is a mistake.",
       {kQuiet},
       {{0, "printed, or nothing is wrong"},
        kUsage,
        {78, "the configuration has a mistake; the message names file and line"}},
       {{"archctl config > /etc/archd/archd.toml", ""}, {"archctl config check && systemctl reload archd", ""}},
       0,
       2},

      {"version",
       "Look after",
       "[OPTION]...",
       "Print version and format numbers",
       "",
       {kJson},
       {{0, "printed"}},
       {},
       0,
       0},

      {"dump",
       "",
       "",
       "Print everything derived, one fact a line",
       "The canonical form of the catalog: two catalogs of one archive are the same if and only if their dumps are.",
       {},
       {{0, "printed"}, kNoArchive, kReadError},
       {{"archctl dump | sha256sum", ""}},
       0,
       0},

      {"generate",
       "",
       "[OPTION]...",
       "Write manual pages, a shell's completion, the configuration's reference",
       "For the build; all from the tables that the programs themselves read.",
       {{"man", 0, "DIR", "archctl(1), a page for each command, archd(8), arch-capture(8), archd.toml(5), into DIR"},
        {"completion", 0, "SHELL", "for bash, zsh or fish, to stdout"},
        {"program", 0, "NAME", "whose completion: archctl (default), archd or arch-capture"},
        {"reference", 0, "FORM",
         "every key of the configuration, to stdout: toml (a commented file, in which the keys count that --config "
         "sets) or markdown (the tables of docs/configuration.md)"}},
       {{0, "written"}, kUsage, {73, "cannot write"}},
       {{"archctl generate --completion bash", ""},
        {"archctl --config=packaging/package.toml generate --reference=toml", "what the Debian package installs"}},
       0,
       0},

      {"extract",
       "Find",
       "[OPTION]... FILE...",
       "Show what a search sees of a file",
       "The text that would be indexed if FILE were attached to a mail, with the files found inside it, what read "
       "it, and "
       "why something was not read. Needs no archive and stores nothing. FILE may be \"-\" for standard input.\n\n"
       "The format is told by the content; declared type and name help where it says nothing. As in archd, the file "
       "is "
       "read by arch-extract, a process that can open no other, within the limits of [documents] in the "
       "configuration.",
       {{"ocr", 0, "", "pictures and scans as well, whether documents.ocr is true or not"},
        {"type", 0, "TYPE", "the media type that a mail would declare, e.g. application/pdf"},
        {"charset", 0, "NAME", "the charset that a mail would declare"},
        {"name", 0, "NAME", "a file name in place of FILE's own"},
        {"json", 0, "", "one JSON object a file on stdout, for scripts"},
        kQuiet},
       {{0, "everything was read, or holds no words (a picture, an empty file)"},
        kUsage,
        {65, "something was not read: encrypted, broken, over a limit, or of an unknown format; it is named"},
        {66, "a FILE is missing"},
        {69, "arch-extract, or arch-ocr, is not to be found"},
        kReadError},
       {{"archctl extract devis.pdf", "what of it would be found"},
        {"archctl extract --json *.docx | jq -r 'select(.status!=\"read\") | .file'", "which would not"}},
       1,
       SIZE_MAX},

      {"lmtp-send",
       "",
       "[OPTION]... ADDRESS FILE",
       "Hand one message over by LMTP, as Postfix does",
       "ADDRESS is inet:HOST:PORT or unix:PATH. For trying out a set-up: prints the reply of the archive.",
       {{"from", 0, "ADDRESS", "MAIL FROM (default: empty)"},
        {"to", 0, "ADDRESS", "RCPT TO (default archive@archive.invalid)"}},
       {{0, "the archive has it"},
        kUsage,
        {66, "no such file"},
        {69, "nobody listens there"},
        {75, "refused for now"}},
       {{"archctl lmtp-send inet:127.0.0.1:2424 mail.eml", ""}},
       2,
       2},
  };
  return table;
}

const Command* find_command(std::string_view name) {
  auto found = std::find_if(commands().begin(), commands().end(), [&](const Command& c) { return c.name == name; });
  return found == commands().end() ? nullptr : &*found;
}

}  // namespace arch::ctl
