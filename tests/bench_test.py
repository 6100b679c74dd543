#!/usr/bin/env python3
"""bench/compare and bench/scale, on a handful of mails and without peers.

Claim   They run from a build alone, give JSON with every figure of ours, write a page's measured part and nothing beside it, and
        bench/scale goes on where it was.
Method  Mail made by bench-make-mail; the commands as a person runs them. What comes out of the clock is not judged, only that it is
        there; the bytes and counts are.
"""

import json
import mailbox
import os
import subprocess
import sys
import tempfile
import unittest

SOURCE_DIR = os.environ.get("ARCH_SOURCE_DIR") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN_DIR = os.environ.get("ARCH_BIN", "")
MAILS = 120


def run(*command):
    result = subprocess.run(command, capture_output=True, timeout=500)
    if result.returncode != 0:
        raise AssertionError("%s: exit %d\n%s" % (" ".join(command), result.returncode, result.stderr.decode()))
    return result


def mails_of(path):
    box = mailbox.mbox(path)
    try:
        return list(box)
    finally:
        box.close()


class Commands(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="arch-bench-")
        self.addCleanup(self.scratch.cleanup)

    def join(self, *names):
        return os.path.join(self.scratch.name, *names)

    def test_generated_mail_is_what_was_asked_for_and_repeats(self):
        for name in ("one", "two"):
            run(os.path.join(BIN_DIR, "bench-make-mail"), "--messages=%d" % (MAILS * 10), "--out=" + self.join(name))
        texts = []
        for name in ("one", "two"):
            with open(self.join(name, "000000.mbox"), "rb") as file:
                texts.append(file.read())
        self.assertEqual(texts[0], texts[1])
        mails = mails_of(self.join("one", "000000.mbox"))
        self.assertEqual(len(mails), MAILS * 10)
        self.assertEqual(len({mail["Message-ID"] for mail in mails}), MAILS * 10)
        self.assertEqual(len({mail.as_bytes() for mail in mails}), MAILS * 10)
        self.assertTrue(all(mail["Date"] and mail["From"] for mail in mails))
        known = {mail["Message-ID"] for mail in mails}
        self.assertTrue(all(mail["In-Reply-To"] in known for mail in mails if mail["In-Reply-To"]))

    def test_compare(self):
        run(os.path.join(BIN_DIR, "bench-make-mail"), "--messages=%d" % MAILS, "--out=" + self.join("made"))
        os.mkdir(self.join("corpus"))
        for number, mail in enumerate(mails_of(self.join("made", "000000.mbox"))):
            with open(self.join("corpus", "%06d.eml" % number), "wb") as file:
                file.write(mail.as_bytes())
        page = self.join("page.md")
        with open(page, "w") as file:
            file.write("before\n<!-- measured other -->\nuntouched\n<!-- end -->\n<!-- measured mine -->\nold\n<!-- end -->\nafter\n")
        run(os.path.join(SOURCE_DIR, "bench", "compare"), self.join("corpus"), "--peers=", "--rounds=1", "--name=mine", "--json=" + self.join("out.json"),
            "--markdown=" + page)
        with open(self.join("out.json")) as file:
            result = json.load(file)
        self.assertEqual(result["corpus"]["mails"], MAILS)
        self.assertEqual(result["corpus"]["distinct_messages"], MAILS)
        for name in ("ours import s", "ours, attachments not read import s", "ours import peak bytes", "ours segments bytes", "ours catalog bytes", "ours index bytes", "ours search warm ms",
                     "ours search cold ms", "ours show ms", "ours alone search warm ms", "ours alone search cold ms", "ours alone show ms", "ours found ms", "ours rebuild s", "acknowledged ms", "50 connections 1/s",
                     "acknowledged ms, syncs 5 ms slower", "in process phrase p95 ms"):
            self.assertGreater(result["series"][name][0], 0, name)
        self.assertGreater(result["series"]["bare append ms, syncs 5 ms slower"][0], 5)
        # A query of words that were drawn from the archive finds at least the mail they are from.
        self.assertTrue(all(query["ours"] >= 1 for query in result["corpus"]["queries"]))
        with open(page) as file:
            text = file.read()
        self.assertTrue(text.startswith("before\n<!-- measured other -->\nuntouched\n<!-- end -->\n<!-- measured mine -->\n"))
        self.assertTrue(text.endswith("<!-- end -->\nafter\n"))
        self.assertNotIn("\nold\n", text)
        self.assertNotIn(self.scratch.name, text)

    def test_compare_asks_what_lies_there(self):
        run(os.path.join(BIN_DIR, "bench-make-mail"), "--messages=%d" % MAILS, "--out=" + self.join("made"), "--maildirs")
        command = [os.path.join(SOURCE_DIR, "bench", "compare"), self.join("made"), "--questions", "--work=" + self.join("kept"), "--peers=", "--rounds=1",
                   "--json=" + self.join("out.json")]
        self.assertIn(" cpu ", run(*command).stderr.decode())
        again = run(*command)
        self.assertNotIn(" cpu ", again.stderr.decode(), "what was imported is not imported again")
        with open(self.join("out.json")) as file:
            result = json.load(file)
        self.assertEqual(result["corpus"]["distinct_messages"], MAILS)
        for name in ("ours search warm ms", "ours alone show ms", "in process word ms", "ours index bytes"):
            self.assertGreater(result["series"][name][0], 0, name)
        self.assertNotIn("ours import s", result["series"])

    def test_scale_goes_on(self):
        command = [os.path.join(SOURCE_DIR, "bench", "scale"), "--work=" + self.join("work"), "--draw=3", "--json=" + self.join("out.json"), str(MAILS)]
        run(*command)
        again = run(*command, str(MAILS * 2))
        self.assertIn("%d messages: measured before" % MAILS, again.stderr.decode())
        with open(self.join("out.json")) as file:
            results = json.load(file)["results"]
        self.assertEqual([result["queries"]["messages"] for result in results], [MAILS, MAILS * 2])
        for result in results:
            self.assertEqual(set(result["queries"]["kinds"]), {"word", "two words", "field", "date", "phrase", "show"})


if __name__ == "__main__":
    if not os.access(os.path.join(BIN_DIR, "bench-queries"), os.X_OK):
        print("SKIPPED: the benchmarks are not built")
        sys.exit(77)
    unittest.main(verbosity=2)
