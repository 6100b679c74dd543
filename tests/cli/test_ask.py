"""archctl asks a running archd.

Claim   Whether archd carries a command out or archctl opens the archive itself is not to be seen: the same bytes on stdout and stderr,
        the same exit status. Whatever is wrong with archd or with the way to it, archctl answers all the same; whatever is wrong with
        who asks, archd goes on.
Method  The same words with and without --direct. `lone` is archctl in a folder of its own, where the full program is not: what it prints
        came from archd. Daemons that are killed, stopped, or not ours: a socket of this test that says what it likes.
Teeth   Terminals of several widths, other locales and zones; answers that end early, do not add up or never come; packets at the limits and
        over them; a hundred askers at once, askers that do not read; other users.
"""

import contextlib
import fcntl
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import unittest

from support import ArchiveTest, Daemon, digest, mail, program, wait_for

ROOT = os.geteuid() == 0
NOBODY, OTHER = 65534, 2


def engines(test):
    """Process ids of `archd engine` on this archive."""
    out = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                if b"engine" in words and f"--archive={test.archive}".encode() in words:
                    out.append(int(name))
    return out


class Ask(ArchiveTest):
    MAILS = 30

    def setUp(self):
        super().setUp()
        self.init()
        bin = os.path.join(self.root, "lone")
        os.mkdir(bin)
        self.lone = shutil.copy(program("archctl"), bin)

    def socket_path(self):
        return os.path.join(self.archive, "state", "archctl.sock")

    def fill(self):
        thread = [b"From: Eva <eva@vignes.example>\nTo: paul@vignes.example\nSubject: Devis\nMessage-ID: <d1@x>\n"
                  b"Date: Sun, 1 Jun 2025 23:30:00 +0000\n\nUn devis \xc3\xa0 signer. \x1b[31mrouge\n",
                  b"From: Paul <paul@vignes.example>\nTo: eva@vignes.example\nSubject: Re: Devis\nMessage-ID: <d2@x>\nIn-Reply-To: <d1@x>\n"
                  b"Date: Mon, 2 Jun 2025 08:00:00 +0000\n\nSign\xe9.\n"]
        self.thread = [digest(each) for each in thread]
        for number, content in enumerate(thread):
            self.put(f"mail/t{number}.eml", content)
        self.run_ctl("import", "-q", self.put_mails("mail", self.MAILS))

    def start(self, fill=True):
        if fill:
            self.fill()
        daemon = Daemon(self)
        self.assertTrue(os.path.exists(self.socket_path()))
        return daemon

    def run_with(self, command, *words, **more):
        done = subprocess.run([command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              **{"env": self.environment, "cwd": self.root, **more})
        return done.returncode, done.stdout, done.stderr

    def asked(self, *words, **more):
        return self.run_with(self.lone, "--archive", self.archive, *words, **more)

    def direct(self, *words, **more):
        return self.run_with(program("archctl"), "--direct", "--archive", self.archive, *words, **more)

    def explained(self, *words, **more):
        """Who did it, by the line on stderr."""
        environment = {**more.pop("env", self.environment), "ARCHCTL_EXPLAIN": "1"}
        status, out, err = self.run_with(program("archctl"), *words, env=environment, **more)
        return err.decode().splitlines()[0]

    WORDS = (
        ("search", "commande"),
        ("search", "--limit=3", "--offset", "2", "commande"),
        ("search", "-n0", "commande"),
        ("search", "--json", "commande"),
        ("search", "--json", "--limit", "10000", "commande"),
        ("search", "--sort=relevance", "--no-widen", "devis"),
        ("search", "--oldest-first", "--as-of", "5", "commande"),
        ("search", "date:2025-06-02"),  # by the configured zone
        ("search", "comande"),  # did you mean
        ("search", "zzzzz"),
        ("search", "--", "-commande"),
        ("search", ""),
        ("search", "colour:red"),
        ("search", "--json", "colour:red"),
        ("search", "(devis"),
        ("search", "--limit=many", "devis"),
        ("search", "--limit=20000", "--json", "devis"),
        ("search", "--sort", "size", "devis"),
        ("search", "before:yesterday-or-so"),
        ("count",),
        ("count", "--by", "from", "--csv", "commande"),
        ("count", "--by", "colour"),
        ("count", "--json", "zzzzz"),
        ("show", "ffffffffffff"),
        ("show", "--json", "ffffffffffff"),
        ("show", "no-digest"),
        ("thread", "<d1@x>"),
        ("thread", "--json", "<d1@x>"),
        ("thread", "<nobody@x>"),
    )

    def words(self):
        shown = [("show", digest(mail(3))), ("show", "--raw", digest(mail(3))[:12]), ("show", "--json", self.thread[0]), ("show", self.thread[1]),
                 ("show", "--raw", self.thread[1]), ("thread", self.thread[1])]
        return [*self.WORDS, *shown]

    def test_the_same_bytes_whoever_does_it(self):
        self.start()
        statuses = set()
        for words in self.words():
            with self.subTest(words=words):
                done = self.asked(*words)
                self.assertEqual(done, self.direct(*words))
                statuses.add(done[0])
        self.assertLessEqual({0, 1, 64, 66}, statuses)
        # The command line's mistakes, help and other commands are the full program's, by whatever name it was called.
        for words in (("search",), ("search", "--limt=3", "x"), ("show", "a", "b"), ("serach", "x"), ("search", "--help"), ("--version",), ("help", "show"), ()):
            with self.subTest(words=words):
                self.assertEqual(self.run_with(program("archctl"), *words), self.run_with(program("archctl-full"), *words))
                self.assertEqual(self.run_with(self.lone, *words)[0], 69)

    def test_the_same_on_terminals_and_in_other_places(self):
        self.start()

        def on_terminal(command, words, columns, **more):
            master, slave = pty.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            process = subprocess.Popen([command, "--archive", self.archive, *words], stdin=slave, stdout=slave, stderr=slave,
                                       env={**self.environment, "TERM": "xterm", **more})
            os.close(slave)
            out = b""
            with contextlib.suppress(OSError):  # its end
                while piece := os.read(master, 65536):
                    out += piece
            os.close(master)
            return process.wait(60), out

        for words in (("search", "commande"), ("show", self.thread[0]), ("thread", "<d1@x>"), ("count",), ("search", "colour:red")):
            for columns in (40, 80, 200):
                for more in ({}, {"NO_COLOR": "1"}, {"COLUMNS": "60"}, {"TERM": "dumb"}):
                    with self.subTest(words=words, columns=columns, more=more):
                        self.assertEqual(on_terminal(self.lone, words, columns, **more),
                                         on_terminal(program("archctl"), ("--direct", *words), columns, **more))
        self.assertIn(b"\x1b[", on_terminal(self.lone, ("search", "commande"), 80)[1])
        self.assertNotEqual(on_terminal(self.lone, ("search", "commande"), 40), on_terminal(self.lone, ("search", "commande"), 80))
        for more in ({"LANG": "fr_FR.UTF-8", "LC_ALL": "fr_FR.UTF-8"}, {"LC_ALL": "C"}, {"TZ": "America/New_York"}):
            environment = {**self.environment, **more}
            for words in (("search", "devis"), ("show", self.thread[1]), ("search", "date:2025-06-02"), ("search", "colour:red")):
                with self.subTest(words=words, more=more):
                    self.assertEqual(self.asked(*words, env=environment), self.direct(*words, env=environment))
        # Zone files of another place are for the program that stands there.
        self.assertIn("TZDIR", self.explained("--archive", self.archive, "search", "x", env={**self.environment, "TZDIR": "/usr/share/zoneinfo"}))

    def test_what_stdout_does_not_take_is_told(self):
        self.start()
        for words in (("search", "commande"), ("search", "--json", "--limit=10000", "commande")):
            for command in (self.lone, program("archctl")):
                with open("/dev/full", "wb") as full:
                    done = subprocess.run([command, "--archive", self.archive, *words], stdout=full, stderr=subprocess.PIPE, env=self.environment)
                self.assertEqual((done.returncode, done.stderr), (74, b"archctl: stdout: No space left on device\n"))
        done = subprocess.run(["sh", "-c", f'{self.lone} --archive {self.archive} search --json --limit=10000 commande | head -c 5'],
                              capture_output=True, env=self.environment)
        self.assertEqual((done.stdout, done.stderr), (b'{"sch', b""))

    def test_which_archive_is_meant(self):
        self.start()
        here = self.asked("search", "commande")
        relative = {"cwd": self.root}
        self.assertEqual(self.run_with(self.lone, "--archive", "archive", "search", "commande", **relative), here)
        self.assertEqual(self.run_with(self.lone, "--archive=./archive/", "search", "commande", **relative), here)
        self.assertEqual(self.run_with(self.lone, "search", "--archive", self.archive, "commande"), here)
        self.assertEqual(self.run_with(self.lone, "search", "commande", env={**self.environment, "ARCHIVE": self.archive}), here)
        linked = os.path.join(self.root, "link")
        os.symlink(self.archive, linked)
        self.assertEqual(self.run_with(self.lone, "--archive", linked, "search", "commande"), here)
        # Another archive, without an archd.
        other = os.path.join(self.root, "other")
        self.run_ctl("init", other)
        self.assertEqual(self.run_ctl("search", "commande", archive=other, status=1).returncode, 1)
        self.assertIn("no archd", self.explained("--archive", other, "search", "x", env={**self.environment, "ARCHIVE": self.archive}))
        self.assertIn("done here", self.explained("--archive", os.path.join(self.root, "none"), "search", "x"))
        self.assertIn("done here", self.explained("--archive=", "search", "x"))

    def test_another_configuration_is_not_archds(self):
        with open(self.environment["ARCHD_CONFIG"], "ab") as file:
            file.write(f'data_dir = "{self.archive}" # here\n'.encode())
        self.fill()
        daemon = subprocess.Popen([program("archd"), "run", "--lmtp=inet:127.0.0.1:0", "--http=none"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  env=self.environment)
        self.addCleanup(lambda: (daemon.terminate(), daemon.wait(60), daemon.stdout.close()))
        daemon.stdout.readline()
        self.assertEqual(self.run_with(self.lone, "search", "commande"), self.direct("search", "commande"))
        # None at all: the defaults. Another zone: the full program, by which the day begins at another time.
        zone = self.put("zone.toml", b'[archive]\ntimezone = "Asia/Tokyo"\n')
        self.assertEqual(self.asked("--config=/dev/null", "search", "commande"), self.direct("--config=/dev/null", "search", "commande"))
        self.assertIn("another configuration", self.explained("--config", zone, "--archive", self.archive, "search", "x"))
        self.assertEqual(self.run_with(program("archctl"), "--config", zone, "--archive", self.archive, "search", "date:2025-06-02"),
                         self.direct("--config", zone, "search", "date:2025-06-02"))
        # A mistake in it, a pipe, a large one, one that is not written plainly.
        bad = self.put("bad.toml", b"[\n")
        self.assertEqual(self.run_with(program("archctl"), "--config", bad, "--archive", self.archive, "search", "commande")[0], 78)
        large = self.put("large.toml", b"#" * 70_000 + b"\n")
        self.assertIn("not plain", self.explained("--config", large, "--archive", self.archive, "search", "x"))
        odd = self.put("odd.toml", b'archive.data_dir = "x"\n')
        self.assertIn("not plain", self.explained("--config", odd, "search", "x"))
        done = subprocess.run(["bash", "-c", f'{program("archctl")} --config <(cat {self.environment["ARCHD_CONFIG"]}) search commande'],
                              capture_output=True, env=self.environment)
        self.assertEqual((done.returncode, done.stdout), self.direct("search", "commande")[:2])
        self.assertIn("not plain", self.explained("--config", "/dev/stdin", "search", "x", stdin=subprocess.DEVNULL))

    def test_new_mail_is_as_new_as_without(self):
        daemon = self.start()
        content = mail(900, "tardive", "\r\n")
        self.run_ctl("lmtp-send", daemon.address, self.put("fresh.eml", content))
        self.assertTrue(wait_for(lambda: self.asked("search", "tardive")[0] == 0, 20))
        self.assertEqual(self.asked("search", "tardive"), self.direct("search", "tardive"))
        self.assertEqual(self.asked("show", "--raw", digest(content))[1], content)
        self.run_ctl("pack", "-q")
        self.assertEqual(self.asked("show", "--raw", digest(content))[1], content)
        self.run_ctl("reindex", "-q")
        self.assertEqual(self.asked("search", "commande"), self.direct("search", "commande"))
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(self.socket_path()))
        self.assertIn("done here", self.explained("--archive", self.archive, "search", "x"))
        self.run_ctl("verify")

    def test_a_long_way_to_the_archive(self):
        self.archive = os.path.join(self.root, "a" * 120, "archive")
        os.makedirs(os.path.dirname(self.archive))
        self.init()
        self.start()
        self.assertEqual(self.asked("search", "commande"), self.direct("search", "commande"))
        self.assertEqual(self.run_with(self.lone, "--archive", "archive", "search", "commande", cwd=os.path.dirname(self.archive))[0], 0)

    def test_an_archd_that_was_killed_or_sleeps(self):
        daemon = self.start()
        wanted = self.direct("search", "commande")
        self.assertEqual(self.asked("search", "commande"), wanted)
        engine = engines(self)[0]
        os.kill(engine, signal.SIGSTOP)
        try:
            self.assertEqual(self.run_with(program("archctl"), "--archive", self.archive, "search", "commande"), wanted)
            self.assertIn("busy", self.explained("--archive", self.archive, "search", "x"))
        finally:
            os.kill(engine, signal.SIGCONT)
        self.assertTrue(wait_for(lambda: self.asked("search", "commande") == wanted))
        daemon.process.kill()
        os.kill(engine, signal.SIGKILL)
        daemon.stop()
        self.assertTrue(wait_for(lambda: not engines(self)))
        self.assertTrue(os.path.exists(self.socket_path()))  # nobody's
        self.assertEqual(self.run_with(program("archctl"), "--archive", self.archive, "search", "commande"), wanted)
        self.assertIn("no archd", self.explained("--archive", self.archive, "search", "x"))
        self.start(fill=False)
        self.assertEqual(self.asked("search", "commande"), wanted)

    @contextlib.contextmanager
    def pretender(self, *packets, file=None, uid=None):
        """In archd's place: to whoever asks it says these packets and hangs up."""
        os.makedirs(os.path.dirname(self.socket_path()), exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.path.exists(self.socket_path()):
            os.unlink(self.socket_path())
        listener.bind(self.socket_path())
        os.chmod(self.socket_path(), 0o666)
        if uid is not None:
            os.seteuid(uid)
        listener.listen(5)  # by whom, is what the asker sees
        if uid is not None:
            os.seteuid(0)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    asker, _ = listener.accept()
                    with asker, contextlib.suppress(OSError):
                        asker.recv(1 << 18)
                        for packet in packets:
                            if file is not None and packet[:1] == b"\x03":
                                socket.send_fds(asker, [packet], [file])
                            else:
                                asker.send(packet)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(30)

    def answer(self, out, err=b"", status=0, in_file=0):
        return b"\x03" + struct.pack("<BIIB", status, len(out), len(err), in_file) + (b"" if in_file else out + err)

    def test_an_answer_comes_whole_or_not_at_all(self):
        self.fill()
        wanted = self.direct("search", "commande")
        ask = lambda: self.run_with(program("archctl"), "--archive", self.archive, "search", "commande")
        with self.pretender(b"\x01", self.answer(b"out\n", b"err\n", 7)):
            self.assertEqual(ask(), (7, b"out\n", b"err\n"))
        handle = os.memfd_create("answer")
        self.addCleanup(os.close, handle)
        os.write(handle, b"out\nerr\n")
        with self.pretender(b"\x01", self.answer(b"out\n", b"err\n", 1, in_file=1), file=handle):
            self.assertEqual(ask(), (1, b"out\n", b"err\n"))
        bad = [(), (b"\x01",), (b"\x02no",), (b"\x01", b"\x02no"), (b"\x01", b"\x01"), (b"\x09",), (b"\x01", b"\x03"), (b"\x01", self.answer(b"out\n")[:-1]),
               (b"\x01", self.answer(b"out\n") + b"x"), (b"\x01", self.answer(b"out", in_file=1)), (b"\x01", b"\x03" + b"x" * 100_000)]
        for packets in bad:
            with self.subTest(packets=[packet[:20] for packet in packets]), self.pretender(*packets):
                self.assertEqual(ask(), wanted)
        with self.pretender(b"\x01", self.answer(b"longer than the file", in_file=1), file=handle):
            self.assertEqual(ask(), wanted)

    @unittest.skipUnless(ROOT, "becomes other users")
    def test_who_may_ask_and_who_may_answer(self):
        daemon = self.start()
        for folder, folders, files in os.walk(self.archive):
            for name in [folder, *(os.path.join(folder, n) for n in folders + files)]:
                os.chmod(name, 0o755 if os.path.isdir(name) else 0o644 if not name.endswith(".sock") else 0o666)
        os.chmod(self.root, 0o755)
        os.chmod(os.path.dirname(self.lone), 0o755)
        # Everybody may connect now: archd looks who it is.
        script = ("import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]);\n"
                  "try: s.send(b'x'); print(s.recv(100))\nexcept (BrokenPipeError, ConnectionResetError): print(b'')")
        done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "python3", "-c", script, self.socket_path()], capture_output=True)
        self.assertEqual(done.stdout, b"b''\n", done.stderr)
        self.assertEqual(subprocess.run(["python3", "-c", script, self.socket_path()], capture_output=True).stdout[:6], b"b'\\x02")
        done = self.run_with("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", self.lone, "--archive", self.archive, "search", "commande")
        self.assertEqual(done[0], 69)  # the full program, which is not there
        self.assertEqual(self.asked("search", "commande")[0], 0)
        daemon.stop()
        with self.pretender(b"\x01", self.answer(b"\x1b[31mmine\n"), uid=OTHER):
            nobody = {**self.environment, "ARCHCTL_EXPLAIN": "1"}
            done = self.run_with("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", self.lone, "--archive", self.archive, "search", "commande",
                                 env=nobody)
            self.assertEqual((done[0], done[1]), (69, b""))
            self.assertIn(b"another user", done[2])

    @unittest.skipUnless(ROOT, "becomes other users")
    def test_root_asks_the_archd_of_the_archives_user(self):
        self.fill()
        bin = os.path.join(self.root, "bin")
        os.mkdir(bin)
        for name in ("archd", "arch-capture"):
            shutil.copy(program(name), bin)
        for folder, folders, files in os.walk(self.root):
            for name in [folder, *(os.path.join(folder, n) for n in folders + files)]:
                os.chown(name, NOBODY, NOBODY, follow_symlinks=False)
        process = subprocess.Popen(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", os.path.join(bin, "archd"), "--archive", self.archive,
                                    "--lmtp=inet:127.0.0.1:0", "--http=none", "run"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment)
        self.addCleanup(lambda: (process.terminate(), process.wait(60), process.stdout.close()))
        self.assertIn(b"ready", process.stdout.readline())
        self.assertEqual(os.stat(self.socket_path()).st_mode & 0o777, 0o600)
        self.assertEqual(self.asked("search", "commande"), self.direct("search", "commande"))

    def test_a_hundred_ask_at_once(self):
        daemon = self.start()
        wanted = self.direct("search", "--json", "commande")
        results, lock = [], threading.Lock()

        def ask():
            done = self.run_with(program("archctl"), "--archive", self.archive, "search", "--json", "commande")
            with lock:
                results.append(done)

        threads = [threading.Thread(target=ask) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual(len(results), 100)
        for done in results:
            self.assertEqual(done, wanted)
        self.assertEqual(daemon.stop(), 0)

    def test_who_does_not_read_keeps_nobody_waiting(self):
        daemon = self.start(fill=False)
        self.run_ctl("import", self.put_mails("mail", 400), "--wait")
        words = ("search", "--json", "--limit=10000", "commande")
        wanted = self.direct(*words)
        self.assertGreater(len(wanted[1]), 128 << 10)  # more than a pipe and an answer in one packet hold
        self.assertEqual(self.asked(*words), wanted)
        engine = engines(self)
        slow = [subprocess.Popen([program("archctl"), "--archive", self.archive, *words], stdout=subprocess.PIPE, env=self.environment) for _ in range(30)]
        idle = []
        for _ in range(20):
            asker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            asker.connect(self.socket_path())
            idle.append(asker)
        self.assertTrue(wait_for(lambda: self.asked("search", "--limit=1", "commande")[0] == 0))
        self.assertEqual(self.run_with(program("archctl"), "--archive", self.archive, *words), wanted)
        for process in slow:
            out, _ = process.communicate(timeout=60)
            self.assertEqual((process.returncode, out), (0, wanted[1]))
        for asker in idle:
            asker.close()
        self.assertTrue(wait_for(lambda: self.asked(*words) == wanted))  # the files are given back
        self.assertEqual(engines(self), engine)
        self.assertEqual(daemon.stop(), 0)

    def test_packets_of_all_kinds_do_no_harm(self):
        daemon = self.start()
        engine = engines(self)

        def sized(text):
            out, left = b"", len(text)
            while left >= 128:
                out, left = out + bytes([left & 127 | 128]), left >> 7
            return out + bytes([left]) + text

        def request(words, version=None, config=b"", configured=0, directory=b"", protocol=1):
            count = len(words)
            return (b"archctl?" + struct.pack("<I", protocol) + sized(self.version if version is None else version) +
                    (bytes([count]) if count < 128 else bytes([count & 127 | 128, count >> 7])) + b"".join(map(sized, words)) + sized(config) +
                    bytes([configured]) + sized(directory) + struct.pack("<BIBI", 0, 80, 0, 80))

        def say(packet):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asker:
                asker.settimeout(30)
                asker.connect(self.socket_path())
                asker.send(packet)
                replies = []
                while reply := asker.recv(1 << 18):
                    replies.append(reply)
            return replies

        self.version = re.search(r"archctl (\S+)", self.run_ctl("version").stdout.decode()).group(1).encode()
        good = say(request([b"search", b"commande"]))
        self.assertEqual((good[0], good[1][:2]), (b"\x01", b"\x03\x00"))
        for packet, why in ((b"x", b"begin"), (b"\0" * 100_000, b"begin"), (request([b"search", b"x"])[:-1], b"length"), (request([b"search", b"x"]) + b"x", b"length"),
                            (request([b"search", b"x"], protocol=2), b"protocol"), (request([b"x"] * 1001), b"too many"),
                            (request([b"search", b"x" * 40_000]), b"too long"), (request([b"search"] + [b"x"] * 10 + [b"y" * 120_000]), b"large")):
            with self.subTest(packet=packet[:30]):
                replies = say(packet)
                self.assertEqual(replies[0][:1], b"\x02")
                self.assertIn(why, replies[0])
        for packet in (request([b"search", b"x"], version=b"9.9"), request([b"import", b"/etc"]), request([b"search"]), request([b"search", b"--help"]), request([]),
                       request([b"export", b"--all", b"-o", b"/tmp/x"]), request([b"search", b"x"], config=b"[archive]\n"),
                       request([b"search", b"x"], configured=1, directory=b"/elsewhere"), request([b"--direkt", b"search", b"x"])):
            with self.subTest(packet=packet[:60]):
                replies = say(packet)
                self.assertEqual((replies[0], replies[1][:1]), (b"\x01", b"\x02"))
        self.assertEqual(say(request([b"search", b"\xff\xfe\x00" * 50]))[1][:1], b"\x03")
        self.assertEqual(say(request([b"search", b"(" * 5000]))[1][:2], b"\x03\x40")
        self.assertEqual(say(request([b"search", b"commande"])), good)
        self.assertEqual(engines(self), engine)
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
