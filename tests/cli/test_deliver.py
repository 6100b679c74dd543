"""archctl deliver, as pipe(8) and .forward start it.

Claim   Status 0 means that the message is durable in the journal, byte for byte, with its envelope; anything else than a
        command line that can never work is 75, and leaves nothing behind.
Method  Runs the built program with messages on standard input, with and without an engine beside it; strace-free: what is
        durable is what `archctl show` and `verify` read back.
Teeth   Bytes, envelopes and exit statuses are compared exactly; the full disk is a limit on the size of a file.
"""

import os
import resource
import signal
import subprocess
import unittest

from support import ArchiveTest, Daemon, digest, mail, program, wait_for


class Deliver(ArchiveTest):
    def deliver(self, content, *words, status=0, **more):
        return self.run_ctl("deliver", *words, input=content, status=status, **more)

    def delivery_of(self, content):
        shown = self.json_of("show", digest(content))
        self.assertEqual(len(shown["deliveries"]), 1)
        return shown["deliveries"][0]

    def test_the_message_and_its_envelope_are_kept_as_they_came(self):
        self.init()
        contents = [mail(1), b"", b"no header", b"a\r\n.\r\nb\0\xff\n.\n", os.urandom(3_000_000)]
        for content in contents:
            self.deliver(content, "-f", "paul@ex.fr", "achats@ex.fr", "<cachée@ex.fr>")
        self.run_ctl("pack")
        for content in contents:
            self.assertEqual(self.run_ctl("show", "--raw", digest(content)).stdout, content)
        got = self.delivery_of(contents[0])
        self.assertEqual(got["channel"], "pipe")
        self.assertEqual(got["mail_from"], "paul@ex.fr")
        self.assertEqual(got["rcpt"], ["achats@ex.fr", "cachée@ex.fr"])
        self.run_ctl("verify")

    def test_a_bounce_has_an_empty_sender_and_no_sender_is_unknown(self):
        self.init()
        self.deliver(mail(1), "--from", "", "paul@ex.fr", "--queue-id", "4ABC", "--mta", "mx.ex.fr")
        self.deliver(mail(2), "paul@ex.fr")
        self.run_ctl("pack")
        self.assertEqual(self.delivery_of(mail(1))["mail_from"], "")
        self.assertEqual(self.delivery_of(mail(1))["queue_id"], "4ABC")
        self.assertIsNone(self.delivery_of(mail(2))["mail_from"])

    def test_a_running_daemon_finds_what_was_delivered(self):
        self.init()
        daemon = Daemon(self)
        for number in range(20):
            self.deliver(mail(number, "tuyau"))
        self.assertTrue(wait_for(lambda: self.json_of("status")["messages"] == 20))
        self.assertTrue(wait_for(lambda: self.json_of("search", "subject:tuyau")["total"] == 20))
        self.assertEqual(daemon.stop(), 0)
        self.run_ctl("verify")

    def test_what_cannot_be_stored_now_is_75_and_leaves_nothing(self):
        self.complaint("deliver", status=75, input=mail(1))  # no archive yet
        self.init()
        config = self.put("tiny.toml", b'[limits]\nmessage_bytes = "64K"\n[archive]\nreserve_bytes = "1M"\n')
        self.environment["ARCHD_CONFIG"] = config
        self.assertIn("limit", self.complaint("deliver", status=75, input=b"x" * 65537))
        self.deliver(b"x" * 65536)
        self.environment["ARCHD_CONFIG"] = self.put("full.toml", b'[archive]\nreserve_bytes = "900T"\n')
        self.complaint("deliver", status=75, input=mail(1))

        def no_large_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        self.environment["ARCHD_CONFIG"] = self.put("plain.toml", b'[archive]\nreserve_bytes = "1M"\n')
        self.complaint("deliver", status=75, input=b"y" * 1_000_000, preexec_fn=no_large_files)
        self.run_ctl("pack")
        self.assertEqual(self.json_of("status")["messages"], 1)

    def test_a_command_line_that_can_never_work_is_64_and_a_bad_configuration_78(self):
        self.init()
        self.complaint("deliver", "--form", "x@y", status=64, input=mail(1))
        self.complaint("deliver", "", status=64, input=mail(1))
        self.environment["ARCHD_CONFIG"] = self.put("bad.toml", b"[archive]\nsize = 1\n")
        self.complaint("deliver", status=78, input=mail(1))

    def test_killed_at_any_moment_it_stores_all_or_nothing(self):
        self.init()
        content = os.urandom(8_000_000)
        acknowledged = []
        for delay in range(40):
            process = subprocess.Popen([program("archctl"), "--archive", self.archive, "deliver", f"n{delay}@ex.fr"],
                                       stdin=subprocess.PIPE, env=self.environment)
            try:
                process.stdin.write(content + str(delay).encode())
                process.stdin.close()
            except BrokenPipeError:
                pass
            try:
                process.wait(timeout=delay * 0.001)
            except subprocess.TimeoutExpired:
                process.kill()
            if process.wait() == 0:
                acknowledged.append(digest(content + str(delay).encode()))
        self.run_ctl("pack")
        for each in acknowledged:
            self.assertEqual(digest(self.run_ctl("show", "--raw", each).stdout), each)
        status = self.json_of("status")
        self.assertGreaterEqual(status["messages"], len(acknowledged))
        self.assertEqual(status["alarms"], [])
        self.run_ctl("verify")


if __name__ == "__main__":
    unittest.main()
