"""Words inside attachments: found, once read for all mails that have them, and never in the way of the mail itself.

Claim   A mail is found by its own text at once and by its attachments' soon after; a document that came before is not read again; what
        cannot be read is counted, listed and explained; kills, restarts, rebuilds and a reader that dies lose nothing; types inside
        containers count.
Method  archd and archctl with documents that tests/data/make_documents.py writes; SIGKILL; a worker program that never comes.
Teeth   Words of the documents and words that must not be found; counts before and after.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import time
import unittest

from support import BIN, ArchiveTest, Daemon, digest, program, wait_for
from test_archd import children

DOCUMENTS = os.environ.get("ARCH_DOCUMENTS", os.path.join(os.path.dirname(BIN), "documents"))
TYPES = {"pdf": "application/pdf", "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "zip": "application/zip",
         "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


def content_of(name):
    with open(os.path.join(DOCUMENTS, name), "rb") as file:
        return file.read()


def with_document(number, *names, subject=None):
    """`names` of documents of ours, or pairs of a name and bytes."""
    parts = ["From: claire@dupont.example", "To: paul@vignes.example", f"Subject: {subject or 'Courrier ' + str(number)}", f"Message-ID: <doc{number}@dupont.example>",
             "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b", "Content-Type: text/plain", "", f"corps numero{number}", ""]
    for name in names:
        name, content = (name, content_of(name)) if isinstance(name, str) else name
        content = base64.encodebytes(content).decode().replace("\n", "\r\n")
        kind = TYPES.get(name.rsplit(".", 1)[-1], "application/octet-stream")
        parts += ["--b", f"Content-Type: {kind}; name={name}", "Content-Transfer-Encoding: base64", f"Content-Disposition: attachment; filename={name}", "", content]
    return "\r\n".join([*parts, "--b--", ""]).encode()


class Documents(ArchiveTest):
    def setUp(self):
        super().setUp()
        self.init()

    def total(self, *query):
        return self.json_of("search", *query, status=self.statuses)["total"]

    def send(self, daemon, content):
        self.run_ctl("lmtp-send", "--from", "claire@dupont.example", daemon.address, self.put("fresh.eml", content))

    def counts(self):
        """(read, waiting, not read)"""
        documents = self.json_of("status")["documents"]
        read = sum(row["count"] for row in documents["by_type"] if row["status"] in ("read", "no_text"))
        return read, documents["waiting"], sum(row["count"] for row in documents["by_type"]) - read

    def test_a_single_mail_is_found_by_its_attachment_soon_and_the_same_file_is_read_once(self):
        daemon = Daemon(self)
        first = with_document(1, "simple.pdf")
        self.send(daemon, first)
        self.assertTrue(wait_for(lambda: self.total("numero1") == 1, 5))
        self.assertTrue(wait_for(lambda: self.total("pervenche") == 1, 10))
        self.assertEqual(self.counts(), (1, 0, 0))
        self.assertEqual(self.total("is:unread"), 0)
        self.assertEqual(self.json_of("status")["index"]["unread"], 0)
        hit = self.json_of("search", "pervenche")["hits"][0]
        self.assertEqual(hit["id"], digest(first))
        self.assertIn("pervenche", hit["snippet"])
        self.assertEqual(hit["snippet_part"], "2")
        self.assertEqual(self.total("attachment:pervenche"), 1)
        self.assertEqual(self.total("body:pervenche"), 0)
        self.assertEqual(self.total('"Avenant n° 7"'), 1)
        # The same file in another mail: nothing is read again, and it is found at once.
        self.send(daemon, with_document(2, "simple.pdf"))
        self.assertTrue(wait_for(lambda: self.total("pervenche") == 2, 5))
        self.assertEqual(self.counts(), (1, 0, 0))
        self.assertEqual(daemon.stop(), 0)

    def test_bulk_is_read_with_the_index_and_what_cannot_be_is_explained(self):
        names = ["simple.pdf", "simple.docx", "simple.xlsx", "password.pdf", "protected.docx", "truncated.docx", "simple.zip", "bomb.zip", "noise.dat", "simple.doc", "winmail.dat"]
        for number in range(110):
            self.put(f"mail/{number:03}.eml", with_document(number, names[number % len(names)]))
        self.run_ctl("import", os.path.join(self.root, "mail"))
        for word in ("pervenche", "renoncule", "bleuet", "seringa", "immortelle"):
            self.assertGreaterEqual(self.total(word), 10, word)
        self.assertEqual(self.total("pervenche", "has:pdf"), 10)
        unread = self.json_of("search", "--limit=1000", "is:unread")
        kinds = {hit["subject"] for hit in unread["hits"]}
        self.assertEqual(self.json_of("status")["index"]["unread"], unread["total"])
        expected = {f"Courrier {n}" for n in range(110) if names[n % len(names)] in ("password.pdf", "protected.docx", "truncated.docx", "bomb.zip", "noise.dat")}
        self.assertEqual(kinds, expected)
        status = self.run_ctl("status").stdout.decode()
        self.assertRegex(status, r"Attachments: \d+ read, .*encrypted application/pdf")
        shown = self.run_ctl("show", digest(with_document(3, "password.pdf"))).stdout.decode()
        self.assertRegex(shown, r"Attachment: +password\.pdf .*\(encrypted")
        part = [each for each in self.json_of("show", digest(with_document(3, "password.pdf")))["parts"] if each["filename"] == "password.pdf"][0]
        self.assertEqual(part["document"]["status"], "encrypted")
        read, waiting, others = self.counts()
        self.assertEqual((read + others, waiting), (len(names), 0))
        # A type inside a container counts as one of the mail.
        zipped = self.total("has:archive")
        self.assertGreaterEqual(zipped, 20)
        self.assertGreater(self.total("has:archive", "type:txt"), 0)

        answers = [self.json_of("search", *query)["total"] for query in (["pervenche"], ["is:unread"], ["has:pdf"])]
        for verb in (["reindex"], ["rebuild"]):
            self.run_ctl(*verb)
            self.assertEqual([self.json_of("search", *query)["total"] for query in (["pervenche"], ["is:unread"], ["has:pdf"])], answers, verb)

    def test_the_language_of_a_document_is_kept(self):
        texts = {"fr": "Veuillez trouver ci-joint la facture du mois de janvier, que nous vous prions de bien vouloir regler avant la fin du trimestre.",
                 "en": "Please find enclosed the invoice for the month of January, which we kindly ask you to settle before the end of this quarter."}
        for language, text in texts.items():
            mail = with_document(1, (f"note-{language}.rtf", b"{\\rtf1\\ansi " + text.encode() + b"}"), subject=language)
            self.run_ctl("import", self.put(f"{language}.eml", mail))
            part = [each for each in self.json_of("show", digest(mail))["parts"] if each["filename"] == f"note-{language}.rtf"][0]
            self.assertEqual((part["document"]["status"], part["document"]["language"]), ("read", language))

    def test_killed_at_any_moment_it_goes_on_where_it_was(self):
        daemon = Daemon(self)
        names = [name for name in sorted(os.listdir(DOCUMENTS)) if name.endswith((".pdf", ".docx", ".xlsx", ".zip", ".doc", ".xls", ".odt"))
                 and not re.search("bomb|circle|laughs|amplified|many|loop", name)]  # how far those are read depends on the machine
        for number, name in enumerate(names):
            self.send(daemon, with_document(number, name))
            if number % 9 == 4:
                processes = [pid for pid, _ in children(daemon.process.pid)]
                daemon.process.kill()
                daemon.process.wait()
                self.assertTrue(wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in processes), 90))
                daemon = Daemon(self)
        self.assertTrue(wait_for(lambda: self.total("courrier") == len(names), 20))
        self.assertTrue(wait_for(lambda: self.counts()[1] == 0, 60), self.counts())
        read, _, others = self.counts()
        self.assertEqual(read + others, len({content_of(name) for name in names} - {b""}))
        words = ("pervenche", "renoncule", "myrtille", "seringa", "ficaire", "coquelicot", "jonquille", "immortelle")
        expected = [self.total(word) for word in words]
        self.assertNotIn(0, expected)
        self.assertEqual(daemon.stop(), 0)
        self.run_ctl("rebuild")
        self.assertEqual([self.total(word) for word in words], expected)
        self.assertEqual(self.counts(), (read, 0, others))

    def test_a_reader_that_is_killed_blames_nobody_for_good(self):
        daemon = Daemon(self)
        for number in range(5):
            self.send(daemon, with_document(number, "simple.pdf" if number % 2 else "simple.docx"))
        engines = ",".join(str(pid) for pid, name in children(daemon.process.pid) if name == "archd")
        self.assertTrue(engines)
        killed = 0
        for _ in range(20):
            killed += subprocess.run(["pkill", "-9", "-x", "-P", engines, "arch-extract"], check=False).returncode == 0
            time.sleep(0.05)
        self.assertGreater(killed, 0)
        self.send(daemon, with_document(9, "simple.odt"))
        self.assertTrue(wait_for(lambda: self.counts()[1] == 0 and self.total("numero9") == 1, 60))
        self.assertEqual(daemon.stop(), 0)
        self.run_ctl("reextract", "--unread")
        self.assertEqual(self.counts(), (3, 0, 0))
        self.assertEqual([self.total(word) for word in ("pervenche", "renoncule", "coquelicot")], [2, 3, 1])

    def test_reextract_takes_other_limits(self):
        self.put("mail/a.eml", with_document(1, "nested.zip"))
        self.run_ctl("import", os.path.join(self.root, "mail"))
        shallow = self.total("attachment:immortelle")
        self.assertEqual(self.total("is:unread"), 1)
        self.put("archd.toml", b'[archive]\nreserve_bytes = "1M"\ntimezone = "UTC"\n[documents]\ndepth = 8\n')
        self.run_ctl("reextract", "--type=pdf")
        self.assertEqual(self.total("is:unread"), 1, "it is no PDF")
        self.run_ctl("reextract", "--type=zip")
        self.assertEqual((shallow, self.total("attachment:immortelle"), self.total("is:unread")), (0, 1, 0))
        self.complaint("reextract", "--sideways", status=64)

    def test_without_its_reader_everything_else_works(self):
        bare = os.path.join(self.root, "bin")
        os.mkdir(bare)
        for name in ("archctl", "archctl-full", "archd", "arch-capture"):
            shutil.copy(program(name), bare)
        environment = {**self.environment, "PATH": "/usr/bin:/bin"}

        def imported():
            done = subprocess.run([os.path.join(bare, "archctl"), "--archive", self.archive, "import", os.path.join(self.root, "mail")], capture_output=True, env=environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stderr

        self.put("mail/plain.eml", with_document(2))
        self.assertNotIn(b"is not read", imported(), "a reader is started when there is something to read")
        self.put("mail/a.eml", with_document(1, "simple.pdf"))
        self.assertIn(b"is not read", imported())
        self.assertEqual((self.total("numero1"), self.total("pervenche"), self.total("is:unread")), (1, 0, 1))
        self.assertEqual(self.counts(), (0, 1, 0))
        daemon = Daemon(self)  # with it: what waited is read
        self.assertTrue(wait_for(lambda: self.total("pervenche") == 1, 20))
        self.assertTrue(wait_for(lambda: self.total("is:unread") == 0, 5))
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
