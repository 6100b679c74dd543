"""Debian's Postfix copies its mail to the archive with always_bcc over LMTP, as docs/postfix.md says.

Claim   What Postfix logs as sent to the archive is in the archive, byte for byte what it handed over and what the real
        destination got; it can be searched for within 5 seconds; restarts and kill -9 in the middle lose nothing; a message
        over the archive's limit stays in Postfix's queue.
Method  A Postfix of our own (configuration, queue and log in a scratch directory, loopback ports). Between it and the archive
        a recorder writes down the content of each transfer; the destination is a sink that keeps what it gets. Mail comes from
        a corpus when there is one, and invented mail with awkward content; some is submitted with sendmail.
Teeth   The counts are exact; what is compared was taken apart by the recorder and the sink, not by the archive.

    test_postfix.py capture    arch-capture alone, the journal read by a reader of our own: taking mail needs no engine
    test_postfix.py archd      archd run, looked at with archctl
"""

import hashlib
import json
import subprocess
import sys
import threading
import time
import unittest

import harness
from harness import Client, Daemon, Postfix, Recorder, Scratch, Sink, program, wait_until

MESSAGES = 200  # in the first run
KILL_MESSAGES = 100  # at least, in the second
MOST_KILL_MESSAGES = 9999  # five minutes of them: the sender outlasts the kills on a slow machine too
KILLS = 3
KILL_EVERY = 25  # messages answered between a start and the next kill


def values_of(node, key):
    """All values under `key`, at any depth."""
    if isinstance(node, dict):
        return [value for name, value in node.items() if name == key] + values_of(list(node.values()), key)
    if isinstance(node, list):
        return [value for child in node for value in values_of(child, key)]
    return []


class CaptureAlone:
    """arch-capture without an engine; what is stored is read from the journal."""

    searches = False

    def __init__(self, scratch, *arguments):
        self.scratch = scratch
        self.archive = scratch.join("archive")
        self.port = harness.free_port()
        self.arguments = arguments
        harness.make_archive(self.archive)

    def start(self):
        self.daemon = Daemon(
            [program("arch-capture"), "--archive", self.archive, "--reserve=1M", "--lmtp=inet:127.0.0.1:%d" % self.port, *self.arguments],
            self.scratch.join("capture.log"),
        )

    def stop(self):
        return self.daemon.stop()

    def kill(self):
        self.daemon.kill_all()

    def deliveries(self, marks):
        """digest -> (message, list of the queue ids it came with), of the messages whose digests begin so"""
        out = {}
        for record in harness.read_journal(self.archive)[0]:
            out.setdefault(record.digest, (record.message, []))[1].append(record.queue_id)
        return out


class Archd:
    """archd run with everything; what is stored is asked of archctl."""

    searches = True

    def __init__(self, scratch):
        self.scratch = scratch
        self.archive = scratch.join("archive")
        self.port = harness.free_port()
        # No file of the machine may decide what is tested.
        self.config = scratch.join("archd.toml")
        with open(self.config, "w") as file:
            file.write("[archive]\nreserve_bytes = \"1M\"\ncap_bytes = \"1G\"\n")
        self.environment = {"ARCHD_CONFIG": self.config}
        self.archctl("init", self.archive)

    def archctl(self, *arguments, statuses=(0,)):
        result = subprocess.run(
            [program("archctl"), "--archive", self.archive, *arguments],
            capture_output=True, env={**harness.os.environ, **self.environment}, timeout=120,
        )
        if result.returncode not in statuses:
            raise AssertionError("archctl %s: exit %d\n%s" % (" ".join(arguments), result.returncode, result.stdout.decode() + result.stderr.decode()))
        return result.stdout

    def start(self):
        self.daemon = Daemon(
            [program("archd"), "--archive", self.archive, "run", "--lmtp", "inet:127.0.0.1:%d" % self.port],
            self.scratch.join("archd.log"), self.environment,
        )

    def stop(self):
        return self.daemon.stop()

    def kill(self):
        self.daemon.kill()  # archd alone: what it started is its own business

    def deliveries(self, marks):
        out = {}
        for mark in marks:
            message = self.archctl("show", "--raw", mark)
            shown = json.loads(self.archctl("show", "--json", mark))
            out[hashlib.sha256(message).hexdigest()] = (message, values_of(shown, "queue_id"))
        return out

    def search(self, query):
        return json.loads(self.archctl("search", "--json", "--limit", "20", "--", query, statuses=(0, 1)))


class ThroughPostfix(unittest.TestCase):
    backend_type = CaptureAlone

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.__exit__)

    def bring_up(self, backend, **settings):
        self.backend = backend
        backend.start()
        self.addCleanup(lambda: backend.daemon.kill_all())
        self.sink = Sink()
        self.addCleanup(self.sink.close)
        self.recorder = Recorder(0, backend.port)
        self.addCleanup(self.recorder.close)
        self.postfix = Postfix(self.scratch.join("postfix"), "inet:127.0.0.1:%d" % self.recorder.port, self.sink.port, settings)
        self.addCleanup(self.postfix.stop)
        backend.postfix = self.postfix
        wait_until(lambda: self.smtp_answers(), 20, "Postfix answers")

    def smtp_answers(self):
        try:
            Client(self.postfix.smtpd_port).close()
            return True
        except OSError:
            return False

    def send(self, messages, prefix, local_share, pause=0.0):
        """Sends until all are accepted; gives sender -> sent message. Every local_share-th goes through sendmail."""
        sent = {}
        client = None
        for number, (name, message) in enumerate(messages):
            sender = "%s%04d@envoi.example" % (prefix, number)
            time.sleep(pause)
            if local_share and number % local_share == local_share - 1:
                self.postfix.sendmail(sender, "client@ailleurs.example", message.replace(b"\r\n", b"\n"))
                sent[sender] = message
                continue
            parameters = b""
            if number % 20 == 5:
                parameters = b" BODY=8BITMIME RET=HDRS ENVID=QQ+2B%d" % number
            if number % 20 == 6:
                sender = "\u00e9" + sender
                parameters = b" SMTPUTF8 BODY=8BITMIME"
            if client is None:
                client = Client(self.postfix.smtpd_port)
            answer = client.send(sender.encode(), [b"client@ailleurs.example"], message, parameters)
            if answer.startswith(b"250"):
                sent[sender] = message
            else:
                print("Postfix does not take %s: %s" % (name, answer.decode().strip()))
                client.close()
                client = None
        if client is not None:
            client.close()
        return sent

    def mail_for_first_run(self):
        corpus = harness.corpus_messages()
        # Postfix refuses a few of a corpus (too many hops), so there is a reserve of invented ones behind it.
        return corpus[: MESSAGES * 3 // 5] + harness.invented_messages(MESSAGES, "jeton")

    def check_everything_logged_is_there(self, least, every=1):
        """Every queue id logged as sent is in the archive, with the very bytes that were handed over; gives the log's pairs.
        With `every`, each n-th of them is looked at."""
        logged = self.postfix.archived()
        self.assertEqual(self.postfix.sent_count(), len(logged), "an answer in the log does not name its message")
        self.assertEqual(len(set(logged)), len(logged))
        self.assertGreaterEqual(len(logged), least)
        looked_at = logged[::every]
        stored = self.backend.deliveries(sorted({mark for _, mark in looked_at}))
        by_mark = {digest[:16]: (message, queue_ids) for digest, (message, queue_ids) in stored.items()}
        senders = self.postfix.senders()
        handed = {}
        for transfer in self.recorder.answered():
            handed.setdefault(transfer.sender, []).append(transfer.message())
        local = 0
        for queue_id, mark in looked_at:
            self.assertIn(mark, by_mark, "queue id %s" % queue_id)
            message, queue_ids = by_mark[mark]
            self.assertEqual(hashlib.sha256(message).hexdigest()[:16], mark)
            self.assertIn(message, handed[senders[queue_id]], "queue id %s" % queue_id)
            if queue_id not in queue_ids:  # submitted with sendmail: Postfix forwards no IDENT, the message names its id
                self.assertIn(b"Received: by mx.maison.example (Postfix, from userid", message)
                self.assertRegex(message[:1000], rb"\sid %s;" % queue_id.encode())
                local += 1
        print("%d queue ids logged as sent are in the archive, %d of them known by the message's own Received line"
              % (len(looked_at), local))
        return logged

    def check_destination_got_the_same(self, sent):
        """The copy of the real destination is the archive's copy, byte for byte: neither transport adds anything here."""
        archived = {transfer.sender: transfer.message() for transfer in self.recorder.answered()}
        wait_until(lambda: set(sent) <= set(self.sink.messages()), 60, "the destination has everything")
        delivered = self.sink.messages()
        for sender in sent:
            self.assertEqual(delivered[sender], archived[sender], sender)

    def wait_for_archived(self, sent, seconds):
        def all_there():
            senders = self.postfix.senders()
            done = {senders.get(queue_id) for queue_id, _ in self.postfix.archived()}
            return set(sent) <= done

        try:
            wait_until(all_there, seconds, "Postfix has handed every message to the archive")
        except AssertionError:
            print(self.postfix.log()[-3000:])
            raise

    def test_two_hundred_messages_a_restart_and_kills(self):
        self.bring_up(self.backend_type(self.scratch))
        sent = self.send(self.mail_for_first_run()[:MESSAGES], "s", local_share=10)
        rest = self.mail_for_first_run()[MESSAGES:]
        if len(sent) < MESSAGES:
            sent.update(self.send(rest[: MESSAGES - len(sent)], "t", local_share=0))
        self.assertEqual(len(sent), MESSAGES)
        self.wait_for_archived(sent, 120)
        arrived = time.monotonic()
        self.check_searchable(arrived)
        self.assertEqual(len(self.check_everything_logged_is_there(MESSAGES)), MESSAGES)
        self.check_destination_got_the_same(sent)

        self.assertEqual(self.backend.stop(), 0)
        self.backend.start()
        self.check_everything_logged_is_there(MESSAGES, every=5)

        second, killed = {}, threading.Event()

        def more():  # the sender stops after the last kill, so that each of them falls into the middle of the load
            for number, pair in enumerate(harness.invented_messages(MOST_KILL_MESSAGES, "choc")):
                if killed.is_set() and number >= KILL_MESSAGES:
                    return
                yield pair

        sender = threading.Thread(target=lambda: second.update(self.send(more(), "k", local_share=15, pause=0.03)))
        sender.start()
        try:
            for _ in range(KILLS):
                goal = len(self.recorder.answered()) + KILL_EVERY
                wait_until(lambda: len(self.recorder.answered()) >= goal, 60, "the archive takes mail")
                self.assertTrue(sender.is_alive(), "the kill came after the load")
                self.backend.kill()
                time.sleep(0.3)  # Postfix meets a closed door
                self.backend.start()
        finally:
            killed.set()
            sender.join()
        self.assertGreaterEqual(len(second), KILL_MESSAGES)
        self.postfix.flush()
        self.wait_for_archived(second, 120)
        wait_until(lambda: not self.postfix.queue_ids(), 60, "Postfix's queue is empty")
        self.assertRegex(self.postfix.log(), r"to=<archive@archive\.invalid>.*status=deferred", "no kill was noticed")
        self.check_searchable(time.monotonic(), word="choc")
        logged = self.check_everything_logged_is_there(MESSAGES + len(second))
        self.assertEqual(len({queue_id for queue_id, _ in logged}), MESSAGES + len(second))
        self.assertEqual(self.backend.stop(), 0)

    def check_searchable(self, arrived, word="jeton"):
        """Everything that arrived until now is found within 5 seconds."""
        if not self.backend.searches:
            return
        marks = {mark for _, mark in self.postfix.archived()}
        tokens = {}
        for transfer in self.recorder.answered():
            message = transfer.message()
            at = message.find(b"Subject: Commande " + word.encode())
            if at >= 0:
                token = message[at + 18 :].split(b"\r\n")[0].decode()
                tokens[token] = hashlib.sha256(message).hexdigest()
        self.assertGreater(len(tokens), 50)
        self.assertTrue({digest[:16] for digest in tokens.values()} <= marks)
        # The last to arrive is found in time; the others are older.
        newest = list(tokens)[-1]
        wait_until(lambda: self.backend.search(newest)["total"] > 0, 5 - (time.monotonic() - arrived), "%s is found" % newest)
        for token, digest in tokens.items():
            answer = self.backend.search(token)
            self.assertIn(digest, [hit["id"] for hit in answer["hits"]], token)

    def test_a_message_over_the_limit_stays_in_the_queue(self):
        if self.backend_type is not CaptureAlone:
            return  # the limit is capture's; said once
        self.bring_up(CaptureAlone(self.scratch, "--message-limit=100K"))
        big = dict(harness.invented_messages(14, "grand"))["grand0013"]
        self.assertGreater(len(big), 100 << 10)
        self.send([("small", b"Subject: small\r\n\r\n")], "p", 0)
        sent = self.send([("big", big)], "g", 0)
        self.assertEqual(len(sent), 1)
        pattern = "status=deferred (host 127.0.0.1[127.0.0.1] said: 452 4.3.4 message over archive limit"
        wait_until(lambda: pattern in self.postfix.log(), 30, "Postfix defers the copy")
        self.wait_for_archived({"p0000@envoi.example"}, 30)
        wait_until(lambda: len(set(self.postfix.queue_ids())) == 1, 30, "the large one alone is left in the queue")
        self.assertNotIn("status=bounced", self.postfix.log())
        # With a larger limit it gets there by itself.
        self.assertEqual(self.backend.stop(), 0)
        self.backend.arguments = ()
        self.backend.start()
        self.wait_for_archived(sent, 60)
        self.check_everything_logged_is_there(2)


if __name__ == "__main__":
    which = sys.argv.pop(1) if len(sys.argv) > 1 else "capture"
    reason = Postfix.missing()
    if reason:
        print("SKIPPED: Postfix " + reason)
        sys.exit(harness.SKIPPED)
    ThroughPostfix.backend_type = {"capture": CaptureAlone, "archd": Archd}[which]
    unittest.main(verbosity=2, warnings="ignore")
