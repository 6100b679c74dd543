"""archctl search, count, thread and export, as scripts use them.

Claim   Orders, pages, counts and threads are what the mails say; an export of any size holds every message exactly, proves itself
        by its own checksums, comes out the same again, and is never half a file under its name.
Method  Runs the built program on mails made here; Python's zipfile, hashlib and mailbox read what it wrote.
Teeth   Bytes and whole lists are compared; the second export has to be equal to the first, bit by bit.
"""

import json
import mailbox
import os
import signal
import subprocess
import time
import unittest
import zipfile

from support import ArchiveTest, digest, mail, program


def conversation():
    def one(number, who, to, subject, more="", body="Bonjour."):
        return (f"From: {who}@vignes.example\nTo: {to}@dupont.example\nSubject: {subject}\nDate: Mon, {number} Jun 2026 10:00:00 +0000\n"
                f"Message-ID: <{number}@vignes.example>\n{more}\n{body}\n").encode()
    return [
        one(1, "paul", "claire", "Devis"),
        one(2, "claire", "paul", "Re: Devis", "In-Reply-To: <1@vignes.example>\n"),
        one(3, "paul", "claire", "Re: Devis", "References: <1@vignes.example> <2@vignes.example>\n"),
        one(4, "luc", "paul", "Re: Devis", "In-Reply-To: <1@vignes.example>\n"),
        one(5, "eva", "paul", "Autre chose", "References: <absent@x>\n", body="devis devis devis"),
    ]


class Find(ArchiveTest):
    def store(self, contents):
        self.init()
        for number, content in enumerate(contents):
            self.put(f"mail/{number:04}.eml", content)
        self.run_ctl("import", os.path.join(self.root, "mail"))

    def test_a_thread_is_a_tree(self):
        contents = conversation()
        self.store(contents)
        view = self.json_of("thread", digest(contents[2])[:12])
        self.assertEqual([(each["id"], each["depth"]) for each in view["messages"]],
                         [(digest(contents[at]), depth) for at, depth in ((0, 0), (1, 1), (2, 2), (3, 1))])
        self.assertEqual((view["total"], view["missing_refs"]), (4, 0))
        self.assertEqual(self.json_of("thread", "<4@vignes.example>")["total"], 4)
        self.assertEqual(self.json_of("thread", "5@vignes.example")["missing_refs"], 1)
        text = self.run_ctl("thread", digest(contents[0])).stdout.decode()
        self.assertIn("\n2026-06-03 10:00      paul@vignes.example\n", text)
        self.assertTrue(text.endswith("4 mails\n"), text)
        self.run_ctl("thread", "ffffffff", status=66)
        self.run_ctl("thread", "nobody@x", status=66)

    def test_counts(self):
        self.store(conversation())
        answer = self.json_of("count", "--by", "from")
        self.assertEqual(answer["buckets"], [{"key": "paul@vignes.example", "count": 2}] +
                         [{"key": f"{who}@vignes.example", "count": 1} for who in ("claire", "eva", "luc")])
        self.assertEqual((answer["total"], answer["missing"], answer["other"]), (5, 0, 0))
        self.assertEqual(self.run_ctl("count", "--by", "month", "--csv").stdout, b"month,count\r\n2026-06,5\r\n")
        self.assertEqual(self.json_of("count", "--by", "day", "--limit", "1")["other"], 4)
        self.assertIn(b"2 mails", self.run_ctl("count", "--by", "from", "from:paul").stdout)
        self.run_ctl("count", "zzz", status=1)
        self.run_ctl("count", "--by", "colour", status=64)

    def test_orders_and_pages(self):
        contents = conversation()
        self.store(contents)
        def ids(*words):
            return [hit["id"] for hit in self.json_of("search", *words)["hits"]]
        newest = ids("devis")
        self.assertEqual(newest, [digest(each) for each in reversed(contents)])
        self.assertEqual(ids("--sort", "oldest", "devis"), newest[::-1])
        self.assertEqual(ids("--oldest-first", "devis"), newest[::-1])
        self.run_ctl("search", "--sort", "size", "devis", status=64)
        as_of = self.json_of("search", "devis")["as_of"]
        self.run_ctl("import", self.put("late.eml", mail(77, "devis")))
        self.assertEqual(len(ids("devis")), 6)
        self.assertEqual(ids("--as-of", str(as_of), "devis"), newest)

    def test_a_zip_proves_itself_and_comes_out_the_same(self):
        contents = conversation() + [b"From: a@b\nSubject: octets\n\n" + bytes(range(256)) * 50]
        self.store(contents)
        out = os.path.join(self.root, "dossier.zip")
        self.run_ctl("export", "--all", "--format=zip", "-o", out, "--reason", "litige")
        with zipfile.ZipFile(out) as archive:
            self.assertIsNone(archive.testzip())
            names = archive.namelist()
            self.assertEqual(names[:2] + names[-2:], ["manifest.jsonl", "SHA256SUMS", "LISEZMOI.txt", "README.txt"])
            sums = dict(reversed(line.split("  ")) for line in archive.read("SHA256SUMS").decode().splitlines())
            self.assertEqual(set(sums), set(names[2:-2]))
            for name, expected in sums.items():
                self.assertEqual(digest(archive.read(name)), expected)
            self.assertEqual(set(sums.values()), {digest(each) for each in contents})
            head, *lines = [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]
            self.assertEqual((head["count"], head["bytes"]), (6, sum(map(len, contents))))
            for line in lines:
                self.assertEqual(list(line), sorted(line))
                self.assertEqual(sums[line["file"]], line["id"])
            for info in archive.infolist():
                self.assertEqual((info.extra, info.date_time, info.external_attr >> 16), (b"", (1980, 1, 1, 0, 0, 0), 0o100644))
        with open(out + ".receipt.json") as file:
            receipt = json.load(file)
        with open(out, "rb") as file:
            self.assertEqual(receipt["sha256"], digest(file.read()))
        self.assertEqual((receipt["reason"], receipt["messages"]), ("litige", 6))
        as_of = self.json_of("search", "devis")["as_of"]
        self.run_ctl("export", "devis", "--format=zip", "-o", out, "--as-of", str(as_of))
        self.run_ctl("import", self.put("late.eml", mail(77, "devis")))
        again = os.path.join(self.root, "again.zip")
        self.run_ctl("export", "devis", "--format=zip", "-o", again, "--as-of", str(as_of))
        with open(out, "rb") as one, open(again, "rb") as other:
            self.assertEqual(one.read(), other.read())

    def test_lines_for_programs(self):
        contents = conversation()
        self.store(contents)
        lines = [json.loads(line) for line in self.run_ctl("export", "--format=jsonl", "--with-text", "devis").stdout.splitlines()]
        self.assertEqual((lines[0]["query"], lines[0]["count"]), ("devis", 5))
        self.assertEqual([line["id"] for line in lines[1:]], [digest(each) for each in contents])
        self.assertEqual(lines[5]["text"].strip(), "devis devis devis")
        self.assertEqual(lines[2]["parts"], [{"n": "1", "name": "", "size": 9, "type": "text/plain", "sha256": digest(b"Bonjour.\n")}])

    def test_who_was_hidden_stays_so_on_request(self):
        self.init()
        self.run_ctl("deliver", "-f", "paul@vignes.example", "claire@dupont.example", "secret@dupont.example", input=conversation()[0])
        self.run_ctl("import", self.put("other.eml", mail(1)))  # applies
        def recipients(*words):
            lines = self.run_ctl("export", "--format=jsonl", "--all", *words).stdout.splitlines()[1:]
            return {each["addr"] for line in lines for each in json.loads(line)["rcpt"]}
        self.assertIn("secret@dupont.example", recipients())
        self.assertEqual(recipients("--without-envelope"), {"claire@dupont.example", "paul@vignes.example"})

    def test_thousands_and_what_is_stopped(self):
        self.init()
        box = b"".join(b"From a@b Thu Jan  1 00:00:00 1970\n" + mail(number, "commande") + b"\n" for number in range(2500))
        self.run_ctl("import", self.put("box", box))
        out = os.path.join(self.root, "all.mbox")
        self.run_ctl("export", "commande", "--format=mbox", "-o", out)
        box = mailbox.mbox(out)
        self.addCleanup(box.close)
        self.assertEqual(len(box), 2500)
        target = os.path.join(self.root, "cut.zip")
        process = subprocess.Popen([program("archctl"), "--archive", self.archive, "export", "--all", "--format=zip", "-o", target],
                                   env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not os.path.exists(target + ".part") and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(signal.SIGTERM)
        if process.wait(60) != 0:  # else it was faster than the signal
            self.assertFalse(os.path.exists(target))
            self.assertTrue(os.path.exists(target + ".part"))
        self.run_ctl("export", "--all", "--format=zip", "-o", os.path.join(self.root, "none", "x.zip"), status=73)

    def test_wrong_words(self):
        self.store(conversation())
        for words in (["--format=zip", "--all"], ["--format=eml", "--with-text", "--all", "-o", "x"], ["--format=mbox"], ["--as-of=x", "devis", "-o", "x"]):
            self.run_ctl("export", *words, status=64)


if __name__ == "__main__":
    unittest.main(verbosity=2)
