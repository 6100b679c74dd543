"""arch-capture as a program: what it links, says, refuses and leaves behind.

Claim   It takes mail with nothing of the engine present; a 250 survives kill -9; SIGTERM closes the journal; it is confined
        once it listens; every wrong start has its exit status and one line that says what to do.
Method  The built program, a client that sends bytes as they are, a journal reader of our own.
Teeth   The ledger of what was acknowledged is kept by the client; the kill falls while it is sending.
"""

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import harness
from harness import Client, Daemon, Scratch, make_archive, program, read_journal, wait_until

LHLO = b"LHLO mx.maison.example"


def sha(message):
    return hashlib.sha256(message).hexdigest()


class Capture(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.__exit__)
        self.archive = self.scratch.join("archive")
        make_archive(self.archive)
        self.daemons = []
        self.addCleanup(lambda: [daemon.kill_all() for daemon in self.daemons])

    def start(self, *arguments, env=None, archive=None, wrapper=(), pass_fds=()):
        daemon = Daemon(
            [*wrapper, program("arch-capture"), "--archive", archive or self.archive, "--reserve=1M", *arguments],
            self.scratch.join("capture.log"),
            env,
        )
        self.daemons.append(daemon)
        return daemon

    def refused(self, *arguments):
        """Exit status and message of a start that must fail."""
        result = subprocess.run([program("arch-capture"), *arguments], capture_output=True, timeout=30)
        text = result.stderr.decode()
        self.assertTrue(text.strip(), arguments)
        self.assertEqual(result.stdout, b"")
        return result.returncode, text

    def test_links_neither_the_catalog_nor_the_index_nor_mime(self):
        output = subprocess.run(["readelf", "-d", program("arch-capture")], capture_output=True, check=True).stdout.decode()
        needed = re.findall(r"NEEDED.*\[(.*?)\]", output)
        allowed = re.compile(r"lib(c|m|gcc_s|stdc\+\+|crypto|xxhash|seccomp|asan|ubsan|tsan)\.so|ld-linux")
        self.assertTrue(needed)
        self.assertEqual([name for name in needed if not allowed.match(name)], [])
        everything = subprocess.run(["ldd", program("arch-capture")], capture_output=True, check=True).stdout.decode().lower()
        for library in ("rocksdb", "xapian", "gmime", "glib", "zstd"):
            self.assertNotIn(library, everything)

    def test_takes_mail_and_says_what_it_did(self):
        daemon = self.start("--lmtp=inet:127.0.0.1:0", "--smtp=unix:" + self.scratch.join("smtp.sock"))
        self.assertRegex(daemon.ready, r"^ready lmtp=inet:127\.0\.0\.1:\d+ smtp=unix:/")
        client = Client(daemon.port(), hello=LHLO)
        client.say(b"XFORWARD NAME=client.example ADDR=192.0.2.7 IDENT=4ABC7zQ")
        message = b"Subject: un\r\n\r\n.point\r\n"
        answer = client.send(b"a@b.example", [b"archive@archive.invalid"], message)
        self.assertEqual(answer, b"250 2.0.0 <archive@archive.invalid> archived arch:%s\r\n" % sha(message)[:16].encode())
        client.close()
        line = wait_until(lambda: re.search(r".* info stored .*", daemon.log_text()), 5, "the log line").group(0)
        for part in ("queue_id=4ABC7zQ", "size=%d" % len(message), "digest=" + sha(message)[:16], "answered=yes"):
            self.assertIn(part, line)
        self.assertNotIn("@", line)
        self.assertEqual(daemon.stop(), 0)
        records, open_files = read_journal(self.archive)
        self.assertEqual([record.message for record in records], [message])
        self.assertEqual(records[0].queue_id, "4ABC7zQ")
        self.assertEqual(open_files, [])

    def test_logs_json_when_asked(self):
        import json

        daemon = self.start("--lmtp=inet:127.0.0.1:0", "--log-json")
        client = Client(daemon.port(), hello=LHLO)
        client.say(b'XFORWARD IDENT=quo"te+5Cback')
        client.send(b"a@b", [b"c@d"], b"x\r\n")
        client.close()
        self.assertEqual(daemon.stop(), 0)
        events = [json.loads(line) for line in daemon.log_text().splitlines()]
        stored = [event for event in events if event["event"] == "stored"]
        self.assertEqual(len(stored), 1)
        self.assertEqual(stored[0]["queue_id"], 'quo"te\\back')

    def test_tells_the_service_manager(self):
        path = self.scratch.join("notify.sock")
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(path)
        manager.settimeout(20)
        daemon = self.start("--lmtp=inet:127.0.0.1:0", env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        said = manager.recv(4096)
        self.assertTrue(said.startswith(b"READY=1\nSTATUS=ready lmtp="))
        self.assertEqual(manager.recv(4096), b"WATCHDOG=1")
        self.assertEqual(daemon.stop(), 0)
        while said != b"STOPPING=1":
            said = manager.recv(4096)

    def test_writes_the_ready_line_to_a_descriptor(self):
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [program("arch-capture"), "--archive", self.archive, "--reserve=1M", "--lmtp=inet:127.0.0.1:0",
             "--ready-fd=%d" % writing],
            pass_fds=[writing], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as pipe:
            line = pipe.read()  # to its end: the descriptor is closed after the line
        self.assertEqual(line, process.stdout.readline().decode())
        process.terminate()
        self.assertEqual(process.wait(30), 0)
        process.stdout.close()

    def test_is_confined_once_it_listens(self):
        daemon = self.start("--lmtp=inet:127.0.0.1:0")
        if "sandbox missing=" in daemon.log_text():
            print("the kernel or the build offers less, so this was not looked at: " + daemon.log_text().splitlines()[0])
            return
        for thread in os.listdir("/proc/%d/task" % daemon.process.pid):
            with open("/proc/%d/task/%s/status" % (daemon.process.pid, thread)) as file:
                status = file.read()
            self.assertRegex(status, r"NoNewPrivs:\s+1")
            self.assertRegex(status, r"Seccomp:\s+2")

    def test_an_acknowledged_message_survives_kill_9(self):
        acknowledged, lock = {}, threading.Lock()
        port = harness.free_port()

        def sender(number, stop):
            serial = 0
            while not stop.is_set():
                try:
                    client = Client(port, hello=LHLO, timeout=10)
                    while not stop.is_set():
                        serial += 1
                        message = b"Subject: %d-%d\r\n\r\n" % (number, serial) + b"x" * (serial * 997 % 40000) + b"\r\n"
                        answer = client.send(b"a@b", [b"c@d"], message)
                        if answer.startswith(b"250 2.0.0"):
                            with lock:
                                acknowledged[sha(message)] = message
                except (OSError, ConnectionError):
                    time.sleep(0.01)

        stop = threading.Event()
        threads = [threading.Thread(target=sender, args=(i, stop)) for i in range(4)]
        for thread in threads:
            thread.start()
        kills = 0
        try:
            for kills in range(1, 9):
                daemon = self.start("--lmtp=inet:127.0.0.1:%d" % port)
                before = len(acknowledged)
                wait_until(lambda: len(acknowledged) > before + 10, 20, "messages are taken")
                daemon.kill()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(kills, 8)
        records, open_files = read_journal(self.archive)
        stored = {record.digest: record.message for record in records}
        self.assertGreater(len(acknowledged), 80)
        self.assertEqual([digest for digest in acknowledged if stored.get(digest) != acknowledged[digest]], [])
        self.assertEqual(len(open_files), 8)
        # And it goes on in a new file beside those that were left.
        daemon = self.start("--lmtp=inet:127.0.0.1:%d" % port)
        client = Client(port, hello=LHLO)
        self.assertTrue(client.send(b"a@b", [b"c@d"], b"after\r\n").startswith(b"250"))
        client.close()
        self.assertEqual(daemon.stop(), 0)

    def test_sigterm_lets_a_message_under_way_finish(self):
        daemon = self.start("--lmtp=inet:127.0.0.1:0")
        client = Client(daemon.port(), hello=LHLO)
        client.say(b"MAIL FROM:<a@b>")
        client.say(b"RCPT TO:<c@d>")
        self.assertTrue(client.say(b"DATA").startswith(b"354"))
        client.socket.sendall(b"Subject: half")
        daemon.process.send_signal(signal.SIGTERM)

        def new_ones_are_refused():
            late = Client(daemon.port(), hello=None)
            late.socket.close()
            return late.greeting.startswith(b"421 4.3.2")

        wait_until(new_ones_are_refused, 10, "new connections are answered 421")
        client.socket.sendall(b" and half\r\n.\r\n")
        self.assertTrue(client.reply().startswith(b"250 2.0.0"))
        self.assertTrue(client.reply().startswith(b"421 4.3.2"))
        client.socket.close()
        self.assertEqual(daemon.process.wait(30), 0)
        records, open_files = read_journal(self.archive)
        self.assertEqual([record.message for record in records], [b"Subject: half and half\r\n"])
        self.assertEqual(open_files, [])

    def test_a_full_disk_is_452_and_ends_when_there_is_room(self):
        mount = self.scratch.join("small")
        os.mkdir(mount)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", mount], stderr=subprocess.DEVNULL).returncode:
            print("a small file system cannot be mounted here, so the full disk was not tried")
            return
        self.addCleanup(subprocess.run, ["umount", mount], check=True)
        archive = os.path.join(mount, "archive")
        make_archive(archive)
        daemon = self.start("--lmtp=inet:127.0.0.1:0", "--reserve=2M", archive=archive)
        self.addCleanup(daemon.kill_all)  # before the umount: clean-ups run last in, first out
        client = Client(daemon.port(), hello=LHLO)
        message = b"z" * (9 << 20) + b"\r\n"
        taken, answer = 0, b""
        for taken in range(30):
            answer = client.send(b"a@b", [b"c@d"], b"Subject: %d\r\n\r\n" % taken + message)
            if not answer.startswith(b"250"):
                break
        self.assertTrue(answer.startswith(b"452 4.3.1"), answer)
        self.assertGreaterEqual(taken, 3)
        self.assertTrue(client.say(b"MAIL FROM:<a@b>").startswith(b"452 4.3.1"))
        closed = os.path.join(archive, "journal", sorted(n for n in os.listdir(os.path.join(archive, "journal")) if n.endswith(".jnl"))[0])
        with open(closed, "r+b") as file:  # somebody makes room
            file.truncate(72)

        def goes_on():
            return client.send(b"a@b", [b"c@d"], b"there is room\r\n").startswith(b"250")
        wait_until(goes_on, 20, "mail is taken again without a restart")
        client.close()
        self.assertEqual(daemon.stop(), 0)

    def test_out_of_descriptors_means_waiting_not_failing(self):
        daemon = self.start("--lmtp=inet:127.0.0.1:0", wrapper=("prlimit", "--nofile=40:40"))
        clients = [socket.create_connection(("127.0.0.1", daemon.port()), 20) for _ in range(60)]
        wait_until(lambda: "out of descriptors" in daemon.log_text(), 10, "the log says so")
        with open("/proc/%d/stat" % daemon.process.pid) as file:
            before = sum(map(int, file.read().split()[13:15]))
        time.sleep(1)
        with open("/proc/%d/stat" % daemon.process.pid) as file:
            ticks = sum(map(int, file.read().split()[13:15])) - before
        self.assertLess(ticks, os.sysconf("SC_CLK_TCK") // 20)  # it waits, it does not spin
        for client in clients[:50]:
            client.close()
        late = Client(daemon.port(), hello=LHLO)
        self.assertTrue(late.send(b"a@b", [b"c@d"], b"x\r\n").startswith(b"250"))
        for client in clients[50:]:
            self.assertTrue(client.recv(100).startswith(b"220"))
            client.close()
        late.close()
        self.assertEqual(daemon.stop(), 0)

    def test_memory_is_bounded_beside_the_messages(self):
        daemon = self.start("--lmtp=inet:127.0.0.1:0")
        clients = [Client(daemon.port(), hello=LHLO) for _ in range(150)]
        for client in clients:
            self.assertTrue(client.send(b"a@b", [b"c@d"], b"Subject: x\r\n\r\n" + b"x" * 20000 + b"\r\n").startswith(b"250"))
        if "sanitizers" not in daemon.log_text():
            self.assertLess(daemon.peak_kib(), 64 << 10)
        for client in clients:
            client.close()
        self.assertEqual(daemon.stop(), 0)

    def test_a_large_message_is_in_memory_once(self):
        daemon = self.start("--lmtp=inet:127.0.0.1:0", "--message-limit=256M")
        client = Client(daemon.port(), hello=LHLO, timeout=120)
        size = 200 << 20
        answer = client.send(b"a@b", [b"c@d"], b"Subject: large\r\n\r\n" + (b"x" * 998 + b"\r\n") * (size // 1000))
        self.assertTrue(answer.startswith(b"250"), answer)
        if "sanitizers" not in daemon.log_text():
            self.assertLess(daemon.peak_kib(), (64 << 10) + (size >> 10))
        client.close()
        self.assertEqual(daemon.stop(), 0)

    def test_help_and_version(self):
        text = subprocess.run([program("arch-capture"), "--help"], capture_output=True, check=True).stdout.decode()
        for flag in ("--archive", "--lmtp", "--smtp", "--peer", "--message-limit", "--reserve", "--max-connections", "--ready-fd",
                     "--log-json", "Exit status"):
            self.assertIn(flag, text)
        self.assertRegex(subprocess.run([program("arch-capture"), "--version"], capture_output=True, check=True).stdout.decode(),
                         r"^arch-capture \d+\.\d+\.\d+\n$")

    def test_wrong_starts_have_their_status_and_say_what_to_do(self):
        at = "--archive=" + self.archive
        lmtp = "--lmtp=inet:127.0.0.1:0"
        for arguments in ([], [at], [lmtp], [at, "--lmtp=nowhere"], [at, "--lmtp=inet:127.0.0.1:25"], [at, lmtp, "--what"],
                          [at, lmtp, "--message-limit=257M"], [at, lmtp, "--message-limit=x"], [at, lmtp, "extra"],
                          [at, lmtp, "--max-connections=0"], [at, lmtp, "--peer=x"], [at, "--lmtp=inet:0.0.0.0:0"]):
            self.assertEqual(self.refused(*arguments)[0], 64, arguments)
        status, text = self.refused("--archive=" + self.scratch.join("nothing"), lmtp)
        self.assertEqual(status, 66)
        self.assertIn("archctl init", text)
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        status, text = self.refused(at, "--lmtp=inet:127.0.0.1:%d" % taken.getsockname()[1])
        self.assertEqual(status, 73)
        toml = os.path.join(self.archive, "archive.toml")
        with open(toml) as file:
            good = file.read()
        for text in ("format = 1\nnonsense\n", good.replace("format = 1", "format = 999")):
            with open(toml, "w") as file:
                file.write(text)
            status, message = self.refused(at, lmtp)
            self.assertEqual(status, 78)
            self.assertRegex(message, r"archive\.toml|format|version")


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
