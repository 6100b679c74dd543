"""archctl reconcile and archd's daily proof, with Debian's Postfix and its own log.

Claim   Every mail that Postfix took on is archived, waiting or missing, and said to be so: while the archive is away, after it
        is back, when Postfix copied nothing, when an older archive was put back, when the journal has not been applied. The
        daemon finds it by itself, keeps it for `status`, and mails it. The canary fails at the step that fails.
Method  A Postfix of our own with always_bcc over LMTP; its log is read as it wrote it, and once through gzip; mail that tells of
        alerts goes to a script in place of sendmail.
Teeth   Whole last lines are compared, and the queue ids of what is missing, known from Postfix's log by the sender.
"""

import gzip
import json
import os
import re
import shutil
import sys
import time
import unittest

import harness
from harness import Client, Daemon, Postfix, Scratch, Sink, program, wait_until
from test_postfix import Archd


def message(token):
    return ("From: <zoe@maison.example>\r\nTo: <client@ailleurs.example>\r\nSubject: %s\r\nDate: Wed, 25 Nov 2026 10:00:00 +0000\r\n"
            "Message-ID: <%s@maison.example>\r\n\r\nBonjour.\r\n" % (token, token)).encode()


class Reconcile(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.__exit__)
        self.archd = Archd(self.scratch)
        self.mails = self.scratch.join("alerts")
        os.mkdir(self.mails)
        sendmail = self.scratch.join("sendmail")
        with open(sendmail, "w") as file:
            file.write('#!/bin/sh\ncat >"%s/$$.tmp" && mv "%s/$$.tmp" "%s/$$.eml"\n' % (self.mails, self.mails, self.mails))
        os.chmod(sendmail, 0o755)
        self.sink = Sink(refuse=("inconnu@ailleurs.example",))
        self.addCleanup(self.sink.close)
        self.postfix = Postfix(self.scratch.join("postfix"), "inet:127.0.0.1:%d" % self.archd.port, self.sink.port)
        self.addCleanup(self.postfix.stop)
        with open(self.archd.config, "a") as file:
            file.write('[mta]\nlog = "%s"\n[report]\nto = "chef@maison.example"\nfrom = "archive@maison.example"\nsendmail = "%s"\n'
                       % (self.postfix.log_path, sendmail))
        self.addCleanup(lambda: hasattr(self.archd, "daemon") and self.archd.daemon.kill_all())

        def answers():
            try:
                Client(self.postfix.smtpd_port).close()
                return True
            except OSError:
                return False

        wait_until(answers, 20, "Postfix answers")

    def send(self, first, count, recipient=b"client@ailleurs.example"):
        """One connection each; the sender says which."""
        for number in range(first, first + count):
            client = Client(self.postfix.smtpd_port)
            answer = client.send(b"s%04d@maison.example" % number, [recipient], message("jeton%04d" % number))
            self.assertTrue(answer.startswith(b"250"), answer)
            client.close()

    def ids_of(self, first, count):
        by_sender = {sender: queue_id for queue_id, sender in self.postfix.senders().items()}
        return [by_sender["s%04d@maison.example" % number] for number in range(first, first + count)]

    def reconcile(self, *arguments, status=0):
        """(exceptions as (queue id, rest of the line), last line)"""
        lines = self.archd.archctl("reconcile", "--quiet", *(arguments or (self.postfix.log_path,)), statuses=(status,)).decode().splitlines()
        return [tuple(line.split("  ", 1)) for line in lines[:-1]], lines[-1]

    def wait_empty(self):
        self.postfix.flush()
        wait_until(lambda: not self.postfix.queue_ids(), 60, "Postfix's queue is empty")

    def alert(self, key):
        """Text of the mail about an alert, once it was sent."""
        def found():
            for name in os.listdir(self.mails):
                if name.endswith(".eml"):
                    with open(os.path.join(self.mails, name), encoding="utf-8") as file:
                        text = file.read()
                    if "X-Archd-Alert: %s" % key in text:
                        return text
            return None
        return wait_until(found, 60, "the mail about %s" % key)

    def restart_with_jobs_due(self):
        self.assertEqual(self.archd.stop(), 0)
        try:
            os.remove(os.path.join(self.archd.archive, "state", "schedule.json"))
        except FileNotFoundError:
            pass
        self.archd.start()

    def test_from_all_there_to_an_older_archive(self):
        self.archd.start()
        self.send(0, 20)
        self.wait_empty()
        time.sleep(1.1)  # Postfix's log tells seconds: what comes now stands in another one
        self.send(20, 1, b"inconnu@ailleurs.example")  # bounces
        client = Client(self.postfix.smtpd_port)  # no mail: given up, refused
        client.say(b"MAIL FROM:<x@maison.example>")
        client.say(b"RCPT TO:<client@ailleurs.example>")
        client.close()
        self.wait_empty()
        wait_until(lambda: any(sender == "" for sender, _ in self.sink.all()), 60, "the bounce is delivered")
        self.assertEqual(self.reconcile(), ([], "21 accepted, 21 archived, 0 missing"))
        shown = json.loads(self.archd.archctl("reconcile", "--json", self.postfix.log_path))
        self.assertEqual((shown["notices_not_captured"], shown["given_up"], shown["exceptions"]), (1, 1, []))
        self.assertEqual(len(self.archd.archctl("reconcile", "--all", self.postfix.log_path).decode().splitlines()), 21 + 3)

        # The same through gzip, split as a rotation would, given in the wrong order, and on standard input.
        old, new = self.scratch.join("old.gz"), self.scratch.join("new")
        lines = self.postfix.log().splitlines(keepends=True)
        # Between two seconds: within one, nothing tells which of two files is the older.
        at = next(i for i in range(len(lines) - 1, 0, -1) if lines[i - 1][:15] != lines[-1][:15])
        with gzip.open(old, "wt") as file:
            file.writelines(lines[:at])
        with open(new, "w") as file:
            file.writelines(lines[at:])
        self.assertEqual(self.reconcile(new, old)[1], "21 accepted, 21 archived, 0 missing")

        # The archive is away: copies wait, nothing is missing.
        self.assertEqual(self.archd.stop(), 0)
        self.send(30, 3)
        wait_until(lambda: len(re.findall("status=deferred", self.postfix.log())) >= 3, 30, "the copies are deferred")
        exceptions, last = self.reconcile()
        self.assertEqual(last, "24 accepted, 21 archived, 0 missing")
        self.assertEqual([queue_id for queue_id, _ in exceptions], self.ids_of(30, 3))
        for _, rest in exceptions:
            self.assertRegex(rest, r"<s003[012]@maison\.example>  always_bcc copy deferred \(deferred \(connect to 127")
        older = self.scratch.join("older")
        shutil.copytree(self.archd.archive, older)

        # Capture alone is back: what it took is held though no engine has applied it.
        capture = Daemon([program("arch-capture"), "--archive", self.archd.archive, "--reserve=1M", "--lmtp=inet:127.0.0.1:%d" % self.archd.port],
                         self.scratch.join("capture.log"))
        self.addCleanup(capture.kill_all)
        self.wait_empty()
        self.assertEqual(self.reconcile(), ([], "24 accepted, 24 archived, 0 missing"))
        self.assertEqual(capture.stop(), 0)
        self.restart_with_jobs_due()
        self.assertEqual(self.reconcile(), ([], "24 accepted, 24 archived, 0 missing"))

        # The daemon's own proof, kept.
        def proof():
            shown = json.loads(self.archd.archctl("status", "--json"))["reconcile"]
            return shown if shown and shown.get("accepted") == 24 else None
        self.assertEqual(wait_until(proof, 30, "archd has compared by itself")["missing"], 0)
        self.assertIn("24 accepted, 24 archived, 0 missing", self.archd.archctl("status").decode())

        # Postfix forgot the copy.
        main = os.path.join(self.postfix.config, "main.cf")
        with open(main) as file:
            text = file.read()
        with open(main, "w") as file:
            file.write(text.replace("always_bcc = archive@archive.invalid", "always_bcc ="))
        self.postfix.run("postfix", "reload")
        self.send(40, 2)
        self.wait_empty()
        exceptions, last = self.reconcile(status=1)
        self.assertEqual(last, "26 accepted, 24 archived, 2 missing")
        self.assertEqual([queue_id for queue_id, _ in exceptions], self.ids_of(40, 2))
        self.assertIn("<s0040@maison.example>  missing (message-id=<jeton0040@maison.example>)", exceptions[0][1])
        self.restart_with_jobs_due()
        mail = self.alert("reconcile-missing")
        for wanted in ("To: chef@maison.example", "From: archive@maison.example", "Auto-Submitted: auto-generated"):
            self.assertIn(wanted, mail)
        self.assertIn("26 accepted, 24 archived, 2 missing", mail)
        for queue_id in self.ids_of(40, 2):
            self.assertIn(queue_id, mail)
        alerts = json.loads(self.archd.archctl("status", "--json"))["alerts"]
        self.assertEqual([each["key"] for each in alerts], ["reconcile-missing"])
        self.assertIsNotNone(wait_until(lambda: json.loads(self.archd.archctl("status", "--json"))["alerts"][0]["mailed"], 20, "noted as mailed"))
        self.restart_with_jobs_due()  # told once
        self.assertEqual(len([name for name in os.listdir(self.mails) if name.endswith(".eml")]), 1)

        # An older archive is put back: what it had acknowledged since is lost, and said so.
        self.assertEqual(self.archd.stop(), 0)
        shutil.rmtree(self.archd.archive)
        shutil.copytree(older, self.archd.archive)
        exceptions, last = self.reconcile(status=1)
        self.assertEqual(last, "26 accepted, 21 archived, 5 missing")
        lost = [queue_id for queue_id, rest in exceptions if "missing: acknowledged, and not held (arch:" in rest]
        self.assertEqual(lost, self.ids_of(30, 3))

    def test_a_log_that_is_not_there_is_told(self):
        with open(self.archd.config) as file:
            text = file.read()
        with open(self.archd.config, "w") as file:
            file.write(text.replace(self.postfix.log_path, "/nonexistent/mail.log"))
        self.archd.start()
        self.assertIn("/nonexistent", self.alert("reconcile-failed"))
        self.assertIn("/nonexistent", json.loads(self.archd.archctl("status", "--json"))["reconcile"]["error"])
        self.archd.archctl("reconcile", statuses=(66,))
        self.archd.archctl("reconcile", "/etc/hostname", statuses=(65,))

    def test_a_mail_that_cannot_be_sent_is_shown(self):
        with open(self.archd.config) as file:
            text = file.read()
        with open(self.archd.config, "w") as file:
            file.write(re.sub(r'log = ".*"', 'log = "/nonexistent"', re.sub(r'sendmail = ".*"', 'sendmail = "/nonexistent/sendmail"', text)))
        self.archd.start()
        def failure():
            alerts = json.loads(self.archd.archctl("status", "--json"))["alerts"]
            return alerts and alerts[0]["mail_failure"]
        self.assertIn("/nonexistent/sendmail", wait_until(failure, 60, "the failure is shown"))
        self.assertIn("could not be sent", self.archd.archctl("status").decode())

    def test_the_canary(self):
        self.archd.start()
        smtp = "--smtp=inet:127.0.0.1:%d" % self.postfix.smtpd_port
        text = self.archd.archctl("canary", smtp, "--to=client@ailleurs.example").decode()
        self.assertRegex(text, r"sent +\d.*\ncaptured +\d.*\nfound +\d.*\nverified +\d.*\nBcc +not known.*\nthe canary came through: arch:[0-9a-f]{16}\n")
        # Nobody listens; the archive is away; Postfix copies nothing.
        def fails(step, *arguments):
            done = json.loads(self.archd.archctl("canary", "--json", "--to=client@ailleurs.example", "--wait=2", *arguments, statuses=(1,)))
            self.assertEqual((done["good"], done["failed_step"]), (False, step), done)
            self.assertFalse(json.loads(self.archd.archctl("status", "--json"))["canary"]["good"])
        fails("sent", "--smtp=inet:127.0.0.1:1")
        fails("sent", "--sendmail=/nonexistent/sendmail")
        self.assertEqual(self.archd.stop(), 0)
        fails("captured", smtp)
        self.archd.start()
        self.wait_empty()
        self.archd.archctl("canary", smtp, "--to=client@ailleurs.example", "--quiet")
        self.assertTrue(json.loads(self.archd.archctl("status", "--json"))["canary"]["good"])


if __name__ == "__main__":
    reason = Postfix.missing()
    if reason:
        print("SKIPPED: Postfix " + reason)
        sys.exit(harness.SKIPPED)
    unittest.main(verbosity=2, warnings="ignore")
