"""arch-capture before peers that are not ours, that speak at random, and that die.

Claim   miltertest's idea of the protocol is ours. Whatever peers send, in whatever order, and wherever they die, arch-capture
        neither hangs nor ends, keeps no descriptor and no growing memory, and its journal holds whole messages only: all that were
        acknowledged, and none that was not sent to its end.
Method  Lua scripts of miltertest; for each prefix of a good conversation a peer that dies there; random conversations over real
        sockets, 24 at a time, over milter, LMTP and SMTP: good commands in good and in wrong order, pieces, garbage, sudden ends.
        The journal is read by a reader of our own.
Teeth   Each message has bytes of its own. What was acknowledged is known from the wire, what may be there from what was sent.

    test_peers.py [--sequences N] [--seed N]       default: 3,400 of each protocol
"""

import argparse
import collections
import hashlib
import os
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

import harness
from harness import Client, Daemon, Scratch, program, read_journal, wait_until

SEQUENCES, SEED = 3400, 1
HERE = os.path.dirname(os.path.abspath(__file__))
NEGOTIATE = bytes.fromhex("0000000d4f00000006000001ff001fffff")


def packet(code, data=b""):
    return struct.pack(">I", len(data) + 1) + code + data


def z(*words):
    return b"".join(word + b"\0" for word in words)


GREETING = NEGOTIATE + packet(b"C", z(b"client") + b"4" + b"\x04\x01" + z(b"192.0.2.7")) + packet(b"H", z(b"client"))


def milter_mail(token, body):
    """The packets of one mail, and the message that they are."""
    header = [(b"Subject", b" " + token), (b"X-Token", b" " + token)]
    packets = [packet(b"D", b"M" + z(b"i", b"4" + token)), packet(b"M", z(b"<a@maison.example>", b"SIZE=100")),
               packet(b"D", b"R"), packet(b"R", z(b"<b@maison.example>")), packet(b"T")]
    packets += [packet(b"L", z(*field)) for field in header]
    packets += [packet(b"N")]
    packets += [packet(b"B", body[at : at + 60000]) for at in range(0, len(body), 60000)]
    packets += [packet(b"D", b"E" + z(b"i", b"4" + token)), packet(b"E")]
    message = b"".join(name + b":" + value + b"\r\n" for name, value in header) + b"\r\n" + body
    return packets, message


def smtp_mail(token, body):
    """The commands of one mail (DATA's content last), and the message."""
    message = b"Subject: %s\r\n\r\n%s" % (token, body)
    commands = [b"MAIL FROM:<a@maison.example> SIZE=100\r\n", b"RCPT TO:<b@maison.example>\r\n", b"DATA\r\n", harness.stuff(message)]
    return commands, message


class Peer:
    """A socket with what came back; replies are read by a bounded wait, never for ever."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent = b""
        self.dead = False

    def send(self, data):
        self.sent += data
        try:
            self.socket.sendall(data)
        except OSError:
            self.dead = True

    def read(self, seconds, until=None):
        """Reads what comes; up to `seconds` until `until` stands in it."""
        deadline = time.monotonic() + seconds
        while not self.dead:
            if until is not None and until(self.received):
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except (TimeoutError, socket.timeout):
                continue
            except OSError:
                data = b""
            if not data:
                self.dead = True
            self.received += data
        return until is not None and until(self.received)

    def die(self, rudely):
        """With an RST, or in good order."""
        if rudely:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Told:
    """What peers know: messages sent to their end, and the digests that were acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent, self.acknowledged = {}, set()

    def end_sent(self, message):
        with self.lock:
            self.sent[hashlib.sha256(message).hexdigest()] = message

    def smtp_sent(self, stream):
        """Every message that a conversation of SMTP or LMTP can have been: what stands behind a DATA, up to its end."""
        for data in re.finditer(rb"(?i)(?:\A|\n)DATA\r\n", stream):
            content = b"\r\n" + stream[data.end() :]
            end = content.find(b"\r\n.\r\n")
            if end >= 0:
                self.end_sent(harness.unstuff(content[2 : end + 5]))

    def accepted(self, message):
        with self.lock:
            self.acknowledged.add(hashlib.sha256(message).hexdigest()[:16])

    def replies(self, received):
        marks = re.findall(rb"250 2\.0\.0 [^\r\n]*archived arch:([0-9a-f]{16})", received)
        with self.lock:
            self.acknowledged.update(mark.decode() for mark in marks)


class Peers(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.__exit__)
        self.archive = self.scratch.join("archive")
        harness.make_archive(self.archive)
        self.daemon = Daemon([program("arch-capture"), "--archive", self.archive, "--reserve=1M", "--lmtp=inet:127.0.0.1:0", "--smtp=inet:127.0.0.1:0",
                              "--milter=inet:127.0.0.1:0"], self.scratch.join("capture.log"))
        self.addCleanup(self.daemon.kill_all)
        self.told = Told()

    def baseline(self):
        """Descriptors of a process that has served each protocol once and is idle."""
        self.check_it_lives(1000)
        time.sleep(0.5)
        return self.descriptors()

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.daemon.process.pid))

    def check_it_lives(self, quiet):
        """Each protocol takes a mail; nothing was leaked."""
        for protocol, hello in (("lmtp", b"LHLO x"), ("smtp", b"EHLO x")):
            client = Client(self.daemon.port(protocol), hello=hello)
            message = b"Subject: alive %s\r\n\r\n" % protocol.encode()
            self.told.end_sent(message)
            answer = client.send(b"a@b", [b"c@d"], message)
            self.assertTrue(answer.startswith(b"250"), answer)
            self.told.replies(answer)
            client.close()
        packets, message = milter_mail(b"alive", b"x\r\n")
        self.told.end_sent(message)
        peer = Peer(self.daemon.port("milter"))
        peer.send(GREETING + b"".join(packets))
        self.assertTrue(peer.read(20, lambda data: data.endswith(packet(b"a"))), peer.received)
        self.told.accepted(message)
        peer.die(False)
        wait_until(lambda: self.descriptors() <= quiet, 20, "all descriptors are closed: %d of %d" % (self.descriptors(), quiet))
        if "sanitizers" not in self.daemon.log_text():
            self.assertLess(self.daemon.peak_kib(), 64 << 10)

    def check_journal(self):
        """Whole messages only, all that were acknowledged among them."""
        self.assertEqual(self.daemon.stop(), 0)
        records, open_files = read_journal(self.archive)
        self.assertEqual(open_files, [])
        found = collections.Counter(record.digest for record in records)
        unknown = set(found) - set(self.told.sent)
        self.assertFalse(unknown, [record.message[:200] for record in records if record.digest in unknown][:3])
        missing = self.told.acknowledged - {digest[:16] for digest in found}
        self.assertFalse(missing, "%d acknowledged messages are not there" % len(missing))
        return records

    def test_miltertest_is_of_one_mind_with_us(self):
        for script in ("flow", "abort", "plain"):
            done = subprocess.run(["miltertest", "-s", os.path.join(HERE, "milter", script + ".lua"),
                                   "-D", "socket=inet:%d@127.0.0.1" % self.daemon.port("milter")], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, (script, done.stdout, done.stderr))
        self.assertEqual(self.daemon.stop(), 0)
        records, _ = read_journal(self.archive)
        subjects = [re.search(rb"Subject: ?([^\r]*)", record.message).group(1).strip().decode() for record in records]
        self.assertEqual(subjects, ["lua 1", "lua 2"] + ["entier %d" % state for state in range(7)] + ["simple"])
        first = records[0]
        self.assertEqual(first.message.count(b"ligne\r\n"), 16 * 9000)
        self.assertTrue(first.message.endswith(b"ligne\r\nfin 1\r\n"))
        self.assertTrue(re.search(rb"X-Long: word" + b" word" * 149 + rb"\r\nX-Empty: ?\r\n\r\nligne", first.message), first.message[:1200])
        self.assertEqual((first.mail_from, first.rcpt, first.queue_id, first.client_addr, first.mta_host),
                         ("paul@ailleurs.example", ["achats@maison.example", "secret@maison.example"], "4LUA1", "192.0.2.7", "mx.maison.example"))

    def test_a_peer_that_dies_leaves_no_trace(self):
        quiet = self.baseline()
        whole = 0
        for rudely in (False, True):
            packets, message = milter_mail(b"mort%d" % rudely, b"texte\r\n" * 30)
            wire = GREETING + b"".join(packets)
            for cut in range(0, len(wire), 3):
                peer = Peer(self.daemon.port("milter"))
                peer.send(wire[:cut])
                peer.die(rudely)
            for protocol, hello in (("lmtp", b"LHLO x\r\n"), ("smtp", b"EHLO x\r\n")):
                commands, message = smtp_mail(b"mort%d%s" % (rudely, protocol.encode()), b"ligne\r\n.\r\n..\r\n" * 10)
                # Step by step up to each command, then a part of the content.
                for stop in range(len(commands)):
                    peer = Peer(self.daemon.port(protocol))
                    peer.send(hello)
                    for command in commands[:stop]:
                        peer.read(10, lambda data: data.endswith(b"\r\n"))
                        peer.received = b""
                        peer.send(command)
                    peer.die(rudely)
                for cut in range(0, len(commands[-1]) - 1, 7):
                    peer = Peer(self.daemon.port(protocol))
                    peer.send(hello + b"".join(commands[:3]))
                    self.assertTrue(peer.read(10, lambda data: b"\r\n354" in data), peer.received)
                    peer.send(commands[-1][:cut])
                    peer.die(rudely)
                # At the very end: stored, though nobody is told.
                self.told.end_sent(message)
                peer = Peer(self.daemon.port(protocol))
                peer.send(hello + b"".join(commands[:3]))
                self.assertTrue(peer.read(10, lambda data: b"\r\n354" in data), peer.received)
                peer.send(commands[-1])
                peer.die(False)
                whole += 1
        self.check_it_lives(quiet)
        records = self.check_journal()
        self.assertEqual(len(records), whole + 2 * 3)

    # ── at random ──

    def random_smtp(self, rng, protocol, number):
        peer = Peer(self.daemon.port(protocol))
        good = b"LHLO" if protocol == "lmtp" else b"EHLO"
        others = [good + b" x\r\n", b"HELO x\r\n", b"EHLO\r\n", b"RSET\r\n", b"NOOP\r\n", b"VRFY a\r\n", b"BDAT 10 LAST\r\n", b"STARTTLS\r\n",
                  b"XFORWARD NAME=a ADDR=1.2.3.4 IDENT=4XY\r\n", b"MAIL FROM:<>\r\n", b"MAIL FROM:<a@b> BODY=8BITMIME RET=HDRS\r\n", b"RCPT TO:<c@d>\r\n",
                  b"MAIL\r\n", b"RCPT TO:\r\n", b"DATA x\r\n", b"\r\n", b"a\rb\r\n", b"\x00\r\n", b"x" * 5000 + b"\r\n", os.urandom(20), b"QUIT\r\n"]
        peer.send(good + b" client\r\n")
        for step in range(rng.randrange(1, 7)):
            if peer.dead:
                break
            if rng.random() < 0.5:  # a mail, in good order or nearly
                token = b"%s-%d-%d" % (protocol.encode(), number, step)
                commands, _ = smtp_mail(token, b"ligne\r\n" * rng.randrange(0, 50) + b".\r\n" * rng.randrange(2))
                head, content = commands[:3], commands[3]
                if rng.random() < 0.3:
                    rng.shuffle(head)
                if rng.random() < 0.5:  # in a group
                    before = peer.received.count(b"354 ")
                    peer.send(b"".join(head))
                    peer.read(0.2, lambda data: data.count(b"354 ") > before)
                    taking = peer.received.count(b"354 ") > before
                else:
                    taking = False
                    for command in head:
                        before = len(peer.received)
                        peer.send(command)
                        peer.read(5, lambda data: data.endswith(b"\r\n") and len(data) > before)
                        taking = taking or (command.startswith(b"DATA") and b"354 " in peer.received[before:])
                if not taking:
                    if rng.random() < 0.5:
                        peer.send(content)  # as commands
                    continue
                if rng.random() < 0.2:
                    peer.send(content[: rng.randrange(len(content) - 1)])
                    break
                before = len(peer.received)
                size = 37 if rng.random() < 0.2 else len(content)
                for at in range(0, len(content), size):
                    peer.send(content[at : at + size])
                if rng.random() < 0.8:
                    peer.read(10, lambda data: data.endswith(b"\r\n") and len(data) > before)
            else:
                data = rng.choice(others)
                before = len(peer.received)
                peer.send(data if rng.random() < 0.9 else data[: rng.randrange(len(data) + 1)])
                if rng.random() < 0.3:
                    peer.read(0.02, lambda got: len(got) > before)
        peer.read(0.01)
        self.told.replies(peer.received)
        self.told.smtp_sent(peer.sent)
        peer.die(rng.random() < 0.5)

    def random_milter(self, rng, number):
        peer = Peer(self.daemon.port("milter"))
        others = [packet(b"D", b"M" + z(b"i", b"4X")), packet(b"C", z(b"x") + b"U"), packet(b"C", z(b"x") + b"4"), packet(b"H", z(b"x")), packet(b"A"),
                  packet(b"Q"), packet(b"K"), packet(b"T"), packet(b"N"), packet(b"B", b"stray\r\n"), packet(b"L", z(b"X", b"y")), packet(b"E"),
                  packet(b"M", z(b"<x@y>")), packet(b"R", z(b"<x@y>")), packet(b"L", b"no end"), packet(b"Z"), b"\0\0\0\0", b"\xff\xff\xff\xff",
                  packet(b"O", b"\0\0\0\2\0\0\0\0\0\0\0\0"), os.urandom(12), packet(b"U", z(b"VRFY"))]
        if rng.random() < 0.95:
            peer.send(GREETING if rng.random() < 0.95 else NEGOTIATE)
        whole = []
        odd = False  # something was sent that is not of a mail: what becomes of it is not known here
        for step in range(rng.randrange(1, 5)):
            if peer.dead:
                break
            token = b"milter-%d-%d" % (number, step)
            packets, message = milter_mail(token, b"ligne\r\n" * rng.randrange(0, 50))
            if rng.random() < 0.35:
                odd = True
                for _ in range(rng.randrange(1, 4)):
                    packets.insert(rng.randrange(len(packets) + 1), rng.choice(others))
            elif rng.random() < 0.2:
                odd = True
                del packets[rng.randrange(len(packets))]
            if odd:
                # Any run of its own packets up to an end may be a message; it is told by its token, and by nothing being torn.
                with self.told.lock:
                    self.odd_tokens.add(token)
            wire = b"".join(packets)
            if rng.random() < 0.2:
                peer.send(wire[: rng.randrange(len(wire))])
                break
            if not odd:
                self.told.end_sent(message)
            peer.send(wire)
            whole.append(message)
            if rng.random() < 0.8:  # an answer may be that to a mail before it: all of them, or none is known
                if peer.read(0.05 if odd else 10, lambda data: data.count(packet(b"a")) >= len(whole)) and not odd:
                    for each in whole:
                        self.told.accepted(each)
        peer.die(rng.random() < 0.5)

    def test_random_conversations(self):
        self.odd_tokens = set()
        quiet = self.baseline()
        failures = []
        numbers = iter(range(SEQUENCES * 3))
        lock = threading.Lock()

        def work():
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                rng = random.Random(SEED * 1_000_003 + number)
                try:
                    protocol = ("milter", "lmtp", "smtp")[number % 3]
                    if protocol == "milter":
                        self.random_milter(rng, number)
                    else:
                        self.random_smtp(rng, protocol, number)
                except Exception as error:  # the conversation's number repeats it
                    failures.append((number, repr(error)))

        threads = [threading.Thread(target=work) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600)
            self.assertFalse(thread.is_alive(), "a conversation hangs")
        self.assertEqual(failures, [])
        self.assertIsNone(self.daemon.process.poll(), self.daemon.log_text()[-2000:])
        self.check_it_lives(quiet)
        # A milter peer out of order may have ended a mail of fewer packets: those are whole in their own way.
        for record in read_journal(self.archive)[0]:
            token = re.search(rb"milter-\d+-\d+", record.message)
            if record.digest not in self.told.sent and (token is None or token.group() in self.odd_tokens):
                self.told.sent[record.digest] = record.message
                self.assertRegex(record.message, rb"\A(X: ?y\r\n|(Subject|X-Token): milter-\d+-\d+\r\n|\r\n|ligne\r\n|stray\r\n)*\Z")
        records = self.check_journal()
        print("%d conversations of each protocol, %d messages sent to their end, %d acknowledged, %d records" % (SEQUENCES, len(self.told.sent),
              len(self.told.acknowledged), len(records)))
        self.assertGreater(len(self.told.acknowledged), SEQUENCES // 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequences", type=int, default=SEQUENCES)
    parser.add_argument("--seed", type=int, default=SEED)
    options, rest = parser.parse_known_args()
    SEQUENCES, SEED = options.sequences, options.seed
    unittest.main(argv=[sys.argv[0]] + rest, verbosity=2, warnings="ignore")
