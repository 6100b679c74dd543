"""What the end-to-end tests share: a scratch directory, the built programs, a Postfix of our own, and independent readers.

Nothing here shares code with the engine: the journal is read from docs/journal-format.md, the LMTP stream is taken apart by
a recorder that sits between Postfix and the archive, the destination's copy comes from an SMTP sink. Python 3.11 standard
library only.
"""

import contextlib
import glob
import hashlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

SOURCE_DIR = os.environ.get("ARCH_SOURCE_DIR") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN_DIR = os.environ.get("ARCH_BIN", "")
SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def program(name):
    path = os.path.join(BIN_DIR, name)
    if not os.access(path, os.X_OK):
        sys.exit("%s is not built: set ARCH_BIN to the folder of the programs" % path)
    return path


def wait_until(condition, seconds, what):
    """Polls; gives the first true value of condition(), or fails naming `what`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %g s: %s" % (seconds, what))
        time.sleep(0.05)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Scratch:
    """A fresh directory, removed at the end unless ARCH_KEEP is set. Readable by all: Postfix works as another user. A test that is killed (by
    ctest, when its time is over) leaves it; one that begins hours later removes it."""

    PREFIX = "arch-e2e-"
    STALE_S = 6 * 3600

    def __init__(self):
        for left in glob.glob(os.path.join(tempfile.gettempdir(), self.PREFIX + "*")):
            with contextlib.suppress(FileNotFoundError):
                state = os.stat(left)
                if state.st_uid == os.getuid() and time.time() - state.st_mtime > self.STALE_S:
                    shutil.rmtree(left, ignore_errors=True)
        self.path = tempfile.mkdtemp(prefix=self.PREFIX)
        os.chmod(self.path, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if os.environ.get("ARCH_KEEP"):
            print("kept: " + self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)

    def join(self, *names):
        return os.path.join(self.path, *names)


# ---- The journal, read by its format document -------------------------------------------------------------------------


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _sized(data, at):
    size, at = _varint(data, at)
    return data[at : at + size], at + size


class Record:
    """One delivery: the message's bytes and the envelope fields the tests look at."""

    TEXT = {4: "mail_from", 6: "client_name", 7: "client_addr", 10: "client_proto", 11: "queue_id", 12: "mta_host"}

    def __init__(self, fields, message, digest):
        self.message = message
        self.digest = digest
        self.rcpt = []
        for name in self.TEXT.values():
            setattr(self, name, "")
        at = 0
        while at < len(fields):
            tag = fields[at]
            value, at = _sized(fields, at + 1)
            if tag == 5:
                self.rcpt.append(_sized(value, 0)[0].decode("latin-1"))
            elif tag in self.TEXT:
                setattr(self, self.TEXT[tag], value.decode("latin-1"))


def read_journal_file(path):
    """Intact records of one file and whether it has its END. A changed message is an error; a torn one, which a kill in the
    middle of a write leaves and no later record calls durable, is passed over."""
    with open(path, "rb") as file:
        data = file.read()
    records, ended, torn = [], False, []
    if len(data) < 72:
        return records, ended
    assert data[:8] == b"ARCHJNL\n", path
    marker = data[40:56]
    at = 72
    while at + 88 <= len(data):
        if data[at : at + 16] != marker:
            at = data.find(marker, at + 1)
            if at < 0:
                break
            continue
        kind, fields, size, durable, _ = struct.unpack_from("<IIQQQ", data, at + 16)
        end = at + 88 + fields + size + 8
        if end > len(data):
            break
        if kind == 2:
            ended = True
            break
        message = data[at + 88 + fields : at + 88 + fields + size]
        digest = data[at + 48 : at + 80].hex()
        if hashlib.sha256(message).hexdigest() != digest:
            torn.append(at)
            at += 1  # to the next marker
            continue
        assert not [begin for begin in torn if begin < durable], "%s: damage at %s below a durable end" % (path, torn)
        records.append(Record(data[at + 88 : at + 88 + fields], message, digest))
        at = end
    return records, ended


def read_journal(archive):
    """All intact records of an archive's journal directory, and the names of files without END."""
    records, open_files = [], []
    directory = os.path.join(archive, "journal")
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".jnl"):
            continue
        found, ended = read_journal_file(os.path.join(directory, name))
        records += found
        if not ended:
            open_files.append(name)
    return records, open_files


def make_archive(path):
    """What `archctl init` makes, for tests of arch-capture alone."""
    for name in ("journal", "segments", "catalog", "index", "tmp"):
        os.makedirs(os.path.join(path, name))
    with open(os.path.join(path, "archive.toml"), "w") as file:
        file.write('format = 1\nid = "%s"\ncreated = "2026-11-25T03:34:56Z"\n' % os.urandom(16).hex())


# ---- Processes --------------------------------------------------------------------------------------------------------


class Daemon:
    """A program of ours that prints a line beginning with `ready` when it serves. Its log goes to a file."""

    def __init__(self, argv, log_path, env=None):
        self.log_path = log_path
        self.log = open(log_path, "ab")
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=self.log, env={**os.environ, **(env or {})}, start_new_session=True
        )
        self.ready = ""
        deadline = time.monotonic() + 30
        while not self.ready.startswith("ready"):
            line = self.process.stdout.readline().decode()
            if not line or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError("%s did not become ready; exit %s; log:\n%s" % (argv, self.process.wait(), self.log_text()))
            self.ready = line.strip()
        # What else it prints is of no interest, but must not fill the pipe.
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self):
        with self.process.stdout as pipe:
            while pipe.read(4096):
                pass

    def addresses(self):
        return dict(word.split("=", 1) for word in self.ready.split()[1:] if "=" in word)

    def port(self, protocol="lmtp"):
        return int(self.addresses()[protocol].rsplit(":", 1)[1])

    def log_text(self):
        with open(self.log_path, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def peak_kib(self):
        with open("/proc/%d/status" % self.process.pid) as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))

    def stop(self, seconds=60):
        """SIGTERM; gives the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.log.close()
        return status

    def kill(self):
        """SIGKILL, this process only."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def kill_all(self):
        """SIGKILL to the process and whatever it started (its session is our own)."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()


# ---- A client ---------------------------------------------------------------------------------------------------------


class Client:
    """Speaks SMTP or LMTP with bytes as they are: nothing is repaired or normalised but the dots."""

    def __init__(self, port, host="127.0.0.1", hello=b"EHLO client.example", timeout=30):
        self.socket = socket.create_connection((host, port), timeout)
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply()
        self.hello = self.say(hello) if hello else b""

    def reply(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise ConnectionError("the server closed the connection after %r" % lines)
            lines.append(line)
            if line[3:4] != b"-":
                return b"".join(lines)

    def say(self, command):
        self.socket.sendall(command + b"\r\n")
        return self.reply()

    def send(self, sender, recipients, message, mail_parameters=b""):
        """One message; gives the last reply (for LMTP: of the first recipient)."""
        answer = self.say(b"MAIL FROM:<%s>%s" % (sender, mail_parameters))
        if not answer.startswith(b"250"):
            return answer
        for recipient in recipients:
            answer = self.say(b"RCPT TO:<%s>" % recipient)
            if not answer.startswith(b"250"):
                self.say(b"RSET")
                return answer
        answer = self.say(b"DATA")
        if not answer.startswith(b"354"):
            return answer
        self.socket.sendall(stuff(message))
        return self.reply()

    def close(self):
        try:
            self.socket.sendall(b"QUIT\r\n")
        except OSError:
            pass
        self.file.close()
        self.socket.close()


def stuff(message):
    """Content as it goes over the wire: dots doubled, an end added, a missing last CR LF too."""
    if message and not message.endswith(b"\r\n"):
        message += b"\r\n"
    message = message.replace(b"\r\n.", b"\r\n..")
    if message.startswith(b"."):
        message = b"." + message
    return message + b".\r\n"


def unstuff(wire):
    """The message within content that ends with CR LF . CR LF (or is the end alone)."""
    content = b"\r\n" + wire
    end = content.index(b"\r\n.\r\n")
    assert end + 5 == len(content), "bytes behind the end of the data"
    return content[: end + 2].replace(b"\r\n.", b"\r\n")[2:]


# ---- The recorder between Postfix and the archive -----------------------------------------------------------------------


class Transfer:
    def __init__(self, sender, ident):
        self.sender = sender
        self.ident = ident
        self.wire = b""
        self.reply = b""

    def message(self):
        return unstuff(self.wire)


class Recorder:
    """A TCP relay that changes nothing and writes down what Postfix hands over and what it is told.

    Content begins when the archive has said 354 and ends at CR LF . CR LF; the next line from the archive is the answer.
    (The archive copy has one recipient.) When the archive is not there, the connection is closed at once.
    """

    def __init__(self, port, archive_port):
        self.archive_port = archive_port
        self.lock = threading.Lock()
        self.transfers = []
        self.listener = socket.create_server(("127.0.0.1", port), backlog=100)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def answered(self):
        with self.lock:
            return [transfer for transfer in self.transfers if transfer.reply.startswith(b"250")]

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            try:
                archive = socket.create_connection(("127.0.0.1", self.archive_port), 10)
                archive.settimeout(None)
            except OSError:
                peer.close()
                continue
            for one in (peer, archive):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Relay(self, peer, archive)


class _Relay:
    def __init__(self, recorder, peer, archive):
        self.recorder = recorder
        self.peer, self.archive = peer, archive
        self.lock = threading.Lock()
        self.transfer = None  # collecting content
        self.expecting = None  # content complete, the answer is due
        self.commands = b""
        self.sender = self.ident = b""
        self.replies = b""
        threading.Thread(target=self._pump, args=(peer, archive, self._from_peer), daemon=True).start()
        threading.Thread(target=self._pump, args=(archive, peer, self._from_archive), daemon=True).start()

    def _pump(self, source, target, note):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                with self.lock:
                    note(data)
                target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _from_peer(self, data):
        if self.transfer is None:
            self.commands += data
            *lines, self.commands = self.commands.split(b"\r\n")
            for line in lines:
                if line.upper().startswith(b"MAIL FROM:"):
                    self.sender = line[line.index(b"<") + 1 : line.index(b">")]
                ident = re.search(rb"^XFORWARD.* IDENT=(\S+)", line, re.I)
                if ident:
                    self.ident = ident.group(1)
            return
        self.transfer.wire += data
        if (b"\r\n" + self.transfer.wire).find(b"\r\n.\r\n") >= 0:
            end = (b"\r\n" + self.transfer.wire).index(b"\r\n.\r\n") + 3
            self.commands = self.transfer.wire[end:]  # pipelined behind the message
            self.transfer.wire = self.transfer.wire[:end]
            self.expecting, self.transfer = self.transfer, None
            self.sender = self.ident = b""
            with self.recorder.lock:
                self.recorder.transfers.append(self.expecting)

    def _from_archive(self, data):
        self.replies += data
        *lines, self.replies = self.replies.split(b"\r\n")
        for line in lines:
            if line.startswith(b"354"):
                self.transfer = Transfer(self.sender.decode(), self.ident.decode())
            elif self.expecting is not None:
                self.expecting.reply = line
                self.expecting = None


# ---- The real destination ---------------------------------------------------------------------------------------------


class Sink:
    """An SMTP server that accepts everything, but for the addresses in `refuse`, and keeps it: (sender, message)."""

    EXTENSIONS = (b"PIPELINING", b"8BITMIME", b"SMTPUTF8", b"ENHANCEDSTATUSCODES")

    def __init__(self, refuse=()):
        self.lock = threading.Lock()
        self.refuse = [address.encode() for address in refuse]
        self.received = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def messages(self):
        with self.lock:
            return dict(self.received)

    def all(self):
        with self.lock:
            return list(self.received)

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            with peer, peer.makefile("rb") as lines:
                self._talk(peer, lines)
        except OSError:
            pass

    def _talk(self, peer, lines):
        peer.sendall(b"220 sink.example ESMTP\r\n")
        sender = b""
        while True:
            line = lines.readline()
            verb = line[:4].upper()
            if not line or verb == b"QUIT":
                return
            if verb == b"EHLO":
                peer.sendall(b"250-sink.example\r\n250-" + b"\r\n250-".join(self.EXTENSIONS) + b"\r\n250 SIZE 0\r\n")
            elif verb == b"DATA":
                peer.sendall(b"354 go\r\n")
                wire, start = [], True
                while True:
                    part = lines.readline()
                    if not part:
                        return
                    wire.append(part)
                    if start and part == b".\r\n":
                        break
                    start = part.endswith(b"\r\n")
                with self.lock:
                    self.received.append((sender.decode(), unstuff(b"".join(wire))))
                peer.sendall(b"250 2.0.0 kept\r\n")
            elif verb == b"RCPT" and any(b"<%s>" % address in line for address in self.refuse):
                peer.sendall(b"550 5.1.1 nobody of that name\r\n")
            else:
                if verb == b"MAIL":
                    sender = line[line.index(b"<") + 1 : line.index(b">")]
                peer.sendall(b"250 2.0.0 ok\r\n")


# ---- Postfix ----------------------------------------------------------------------------------------------------------


class Postfix:
    """Debian's Postfix with its own configuration, queue and log under `directory`; the system's own is not touched."""

    DAEMONS = """
127.0.0.1:{smtpd} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
smtp      unix  - - n - - smtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
archlmtp  unix  - - n - 8 lmtp
  -o lmtp_send_xforward_command=yes
  -o disable_mime_output_conversion=yes
  -o lmtp_line_length_limit=0
  -o lmtp_generic_maps=
  -o lmtp_tls_security_level=none
"""

    def __init__(self, directory, archive_address, sink_port, settings=None):
        self.directory = directory
        self.smtpd_port = free_port()
        self.config = os.path.join(directory, "config")
        self.queue = os.path.join(directory, "queue")
        self.log_path = os.path.join(directory, "mail.log")
        data = os.path.join(directory, "data")
        for path in (directory, self.config, self.queue, data):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o755)
        shutil.chown(data, "postfix")
        values = {
            "compatibility_level": "3.6",
            "queue_directory": self.queue,
            "data_directory": data,
            "maillog_file": self.log_path,
            "maillog_file_prefixes": directory,
            "myhostname": "mx.maison.example",
            "mydestination": "",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "smtpd_client_connection_count_limit": "0",
            "alias_maps": "",
            "alias_database": "",
            "local_transport": "error:no local mail here",
            "default_transport": "smtp:[127.0.0.1]:%d" % sink_port,
            "transport_maps": "texthash:" + os.path.join(self.config, "transport"),
            "smtp_line_length_limit": "0",
            "disable_mime_output_conversion": "yes",
            "message_size_limit": "50000000",
            "mailbox_size_limit": "0",
            "enable_long_queue_ids": "yes",
            # What docs/postfix.md recommends.
            "always_bcc": "archive@archive.invalid",
            "archlmtp_destination_concurrency_limit": "8",
            # Retry at once: the tests take the archive away and give it back.
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s",
            "queue_run_delay": "1s",
            "transport_retry_time": "1s",
            **(settings or {}),
        }
        with open(os.path.join(self.config, "main.cf"), "w") as file:
            file.writelines("%s = %s\n" % item for item in values.items())
        with open(os.path.join(self.config, "master.cf"), "w") as file:
            file.write(self.DAEMONS.format(smtpd=self.smtpd_port))
        with open(os.path.join(self.config, "transport"), "w") as file:
            file.write("archive.invalid archlmtp:%s\n" % archive_address)
        self.run("postfix", "start")

    @staticmethod
    def missing():
        """What keeps Postfix from being started here; empty when nothing does."""
        if os.geteuid() != 0:
            return "needs root"
        if not os.access("/usr/sbin/postfix", os.X_OK):
            return "needs the package postfix"
        return ""

    def run(self, command, *arguments, **more):
        result = subprocess.run(
            ["/usr/sbin/" + command, "-c", self.config, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more
        )
        if result.returncode != 0:
            raise AssertionError("%s %s: %s\n%s" % (command, arguments, result.stdout.decode(), self.log()[-3000:]))
        return result.stdout

    def stop(self):
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def sendmail(self, sender, recipient, message):
        subprocess.run(
            ["/usr/sbin/sendmail", "-C", self.config, "-i", "-f", sender, recipient], input=message, check=True, timeout=60
        )

    def log(self):
        try:
            with open(self.log_path, "rb") as file:
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def archived(self):
        """What the log calls sent to the archive: list of (queue id, first 16 digits of the digest)."""
        pattern = r"postfix/lmtp\[\d+\]: (\w+): to=<archive@archive\.invalid>.*status=sent \(250 2\.0\.0 <[^>]*> archived arch:([0-9a-f]{16})"
        return re.findall(pattern, self.log())

    def sent_count(self):
        return len(re.findall(r"postfix/lmtp\[\d+\]: \w+: to=<archive@archive\.invalid>.*status=sent", self.log()))

    def senders(self):
        """queue id -> envelope sender, from the queue manager's lines."""
        return dict(re.findall(r"postfix/qmgr\[\d+\]: (\w+): from=<([^>]*)>", self.log()))

    def flush(self):
        self.run("postqueue", "-f")

    def queue_ids(self):
        """Names of the messages in the queue, whatever their state."""
        found = []
        for state in ("maildrop", "incoming", "active", "deferred", "hold"):
            for _, _, names in os.walk(os.path.join(self.queue, state)):
                found += names
        return found


# ---- Mail to send -----------------------------------------------------------------------------------------------------


def corpus_messages():
    """(name, message) of real test mail when a corpus is at hand, else of the repository's own; CR LF line ends, as a
    mail program would send them. Bare CR and NUL stay as they are."""
    found = []
    corpus = os.environ.get("ARCH_CORPUS") or os.path.join(os.path.dirname(SOURCE_DIR), "shared", "corpus")
    for folder in (os.path.join(corpus, "hard"), os.path.join(SOURCE_DIR, "tests", "data", "mail")):
        if not os.path.isdir(folder):
            print("not here, so not used: " + folder)
            continue
        for root, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                if not name.endswith(".eml"):
                    continue
                with open(os.path.join(root, name), "rb") as file:
                    message = file.read()
                if len(message) <= 300_000:
                    found.append((name, message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")))
        break
    return found


def invented_messages(count, word):
    """(name, message): shapes that transports are known to stumble over, with a word of their own in the subject."""
    bodies = [
        b"Bonjour,\r\n\r\nvoici la facture.\r\n",
        b".\r\n",
        b"..\r\n.two\r\n...three\r\nend\r\n",
        b"",
        b"no line end",
        b"caf\xc3\xa9 \xe2\x82\xac and latin \xe9\r\n",
        b"x" * 998 + b"\r\n",
        b"y" * 5000 + b"\r\n",
        b"bare\rcarriage return\r\n",
        b"trailing blanks   \t\r\n \r\n",
        b"\r\n\r\n\r\n",
        b"From the start\r\n>From quoted\r\n",
        b"-- \r\nsignature\r\n",
        b"line\r\n" * 20000,
        b"=?utf-8?q?not_a_header?=\r\n",
        b"\xef\xbb\xbfwith a mark\r\n",
    ]
    out = []
    for i in range(count):
        token = "%s%04d" % (word, i)
        header = (
            "From: Zo\u00e9 <zoe@maison.example>\r\nTo: client@ailleurs.example\r\nSubject: Commande %s\r\n"
            "Date: Wed, 25 Nov 2026 03:%02d:00 +0000\r\nMessage-ID: <%s@maison.example>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            % (token, i % 60, token)
        ).encode("latin-1" if i % 7 == 3 else "utf-8")
        out.append((token, header + bodies[i % len(bodies)]))
    return out
