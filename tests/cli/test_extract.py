"""archctl extract: what a search sees of a file.

Claim   It says of any file what would be indexed, what read it and why something was not read, by exit status, too; it needs no archive
        and a hostile file costs nothing but that file.
Method  Runs the built program on our own documents (tests/data/make_documents.py) and on files made here.
Teeth   Words, statuses and exit statuses are compared; terminal sequences in a document must not reach the terminal.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from support import SOURCE, program


def extract(*words, status=0, **more):
    done = subprocess.run([program("archctl"), "extract", *words], capture_output=True, timeout=60, **more)
    assert done.returncode == status, (done.returncode, done.stdout[-500:], done.stderr[-500:])
    return done


class Extract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="arch_extract.")
        cls.root = cls.directory.name
        subprocess.run([sys.executable, os.path.join(SOURCE, "tests/data/make_documents.py"), "--out", cls.root], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def path(self, name):
        return os.path.join(self.root, name)

    def test_text_members_and_reader_are_shown(self):
        shown = extract(self.path("simple.docx")).stdout.decode()
        for wanted in ("renoncule", "feuille.xlsx", "freesia", "wordprocessingml", "read;", "by arch 1"):
            self.assertIn(wanted, shown)
        self.assertIn("by poppler", extract(self.path("simple.pdf")).stdout.decode())

    def test_every_document_as_json(self):
        names = sorted(entry.name for entry in os.scandir(self.root) if entry.is_file())
        names.remove("MANIFEST.tsv")
        names.remove("OCR.tsv")
        names.remove("flate-bomb.pdf")
        done = extract("--json", *map(self.path, names), status=65)
        rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.assertEqual(len(rows), len(names))
        self.assertEqual(done.stderr, b"")
        by_name = {os.path.basename(row["file"]): row for row in rows}
        self.assertEqual(by_name["password.pdf"]["status"], "encrypted")
        self.assertEqual(by_name["bomb.gz"]["status"], "over_limit")
        self.assertEqual(by_name["noise.dat"]["status"], "unknown_format")
        self.assertEqual(by_name["password.zip"]["members"][0]["status"], "encrypted")
        self.assertNotIn("crashed", {row["status"] for row in rows})

    def test_the_exit_status_says_whether_all_was_read(self):
        extract(self.path("simple.odt"))
        extract(self.path("picture.png"))
        extract(self.path("password.pdf"), status=65)
        self.assertIn("encrypted: a password opens it", extract(self.path("password.pdf"), status=65).stdout.decode())
        done = extract("/no/such/file", self.path("simple.odt"), status=66)
        self.assertIn("coquelicot", done.stdout.decode(), "the others are read all the same")
        extract(status=64)

    def test_declarations_help_where_the_content_says_nothing(self):
        text = "Счёт".encode("koi8-r")
        self.assertIn("Счёт", extract("--charset=koi8-r", "-", input=text).stdout.decode())
        self.assertIn("text/csv", extract("--name=a.csv", "-", input=b"a;b").stdout.decode())
        self.assertIn("text/html", extract("--type=text/html", "-", input=b"a<b>c").stdout.decode())

    def test_a_document_does_not_command_the_terminal(self):
        shown = extract("-", input=b"before \x1b]0;owned\x07\x1b[2J after\n").stdout
        self.assertNotIn(b"\x1b", shown)
        self.assertIn(b"after", shown)

    def test_limits_are_those_of_the_configuration(self):
        self.assertNotIn("immortelle", extract(self.path("nested.zip"), status=65).stdout.decode())
        configuration = self.path("deep.toml")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write("[documents]\ndepth = 8\n")
        shown = extract(f"--config={configuration}", self.path("nested.zip")).stdout.decode()
        os.remove(configuration)
        self.assertIn("immortelle", shown)

    def test_no_archive_is_needed_and_none_is_made(self):
        empty = tempfile.mkdtemp(dir=self.root)
        extract(self.path("simple.odt"), cwd=empty)
        self.assertEqual(os.listdir(empty), [])


if __name__ == "__main__":
    unittest.main()
