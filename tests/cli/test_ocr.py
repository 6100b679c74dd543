"""Words inside pictures and scans, when OCR is on.

Claim   Off, a picture is listed with the reason why it has no text, and costs its mail nothing. On, the mail is found at once by the rest and
        later by the words in the picture, with the part they are in; until then every count says that something is missing. The queue
        goes on after kills, restarts and a change of mind; an attacker costs itself. What is missing to read with is said.
Method  archd and archctl with pictures that tests/data/make_documents.py draws; SIGKILL; a configuration that changes.
Teeth   The words are in no other form in the mails; French with accents and English; counts before and after.
"""

import base64
import json
import os
import unittest

from support import BIN, ArchiveTest, Daemon, digest, wait_for
from test_archd import children

DOCUMENTS = os.environ.get("ARCH_DOCUMENTS", os.path.join(os.path.dirname(BIN), "documents"))
PATIENCE = 600  # seconds at most: OCR gets what nobody else wants of the processor
TYPES = {"png": "image/png", "bmp": "image/bmp", "tif": "image/tiff", "pdf": "application/pdf"}


def content_of(name):
    with open(os.path.join(DOCUMENTS, name), "rb") as file:
        return file.read()


def with_pictures(number, *names, shown=()):
    """A mail with `names` attached and `shown` in its text."""
    parts = ["From: claire@dupont.example", "To: paul@vignes.example", f"Subject: Courrier {number}", f"Message-ID: <picture{number}@dupont.example>",
             "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b", "Content-Type: text/plain", "", f"corps numero{number}", ""]
    for name in (*names, *shown):
        content = base64.encodebytes(content_of(name)).decode().replace("\n", "\r\n")
        how = "inline" if name in shown else f"attachment; filename={name}"
        parts += ["--b", f"Content-Type: {TYPES[name.rsplit('.', 1)[-1]]}", "Content-Transfer-Encoding: base64", f"Content-Disposition: {how}", "", content]
    return "\r\n".join([*parts, "--b--", ""]).encode()


class Ocr(ArchiveTest):
    def setUp(self):
        super().setUp()
        self.configure(True)
        self.init()

    def configure(self, on, more=""):
        self.put("archd.toml", ('[archive]\nreserve_bytes = "1M"\ntimezone = "UTC"\n[documents]\nocr = %s\n%s\n' % (str(on).lower(), more)).encode())

    def total(self, *query):
        return self.json_of("search", *query, status=self.statuses)["total"]

    def send(self, daemon, content):
        self.run_ctl("lmtp-send", "--from", "claire@dupont.example", daemon.address, self.put("fresh.eml", content))

    def counts(self):
        """(read, without text, waiting for OCR, others)"""
        documents = self.json_of("status")["documents"]
        rows = {}
        for row in documents["by_type"]:
            rows[row["status"]] = rows.get(row["status"], 0) + row["count"]
        rows.pop("waits_for_ocr", None)
        return rows.pop("read", 0), rows.pop("no_text", 0), documents["waiting_for_ocr"] + documents["waiting"], sum(rows.values())

    def document(self, content, part="2"):
        return [each for each in self.json_of("show", digest(content))["parts"] if each["part"] == part][0]["document"]

    def import_mails(self, *mails):
        for number, content in enumerate(mails):
            self.put(f"mail/{number}.eml", content)
        self.run_ctl("import", os.path.join(self.root, "mail"))

    def test_off_a_picture_has_no_text_and_a_reason(self):
        self.configure(False)
        one, two = with_pictures(1, "letter.png"), with_pictures(2, "scanned.pdf")
        self.import_mails(one, two)
        self.assertEqual((self.total("courrier"), self.total("marguerite"), self.total("is:unread")), (2, 0, 0))
        self.assertEqual(self.counts(), (0, 2, 0, 0))
        self.assertEqual(self.document(one)["status"], "no_text")
        self.assertRegex(self.document(one)["why"], r"a picture of \d+ x \d+ pixels; OCR is off")
        self.assertIn("OCR is off", self.document(two)["why"])
        self.assertEqual(self.total("numerise"), 1, "the scan's title is there without OCR")
        self.assertIn("no text: a picture of", self.run_ctl("show", digest(one)).stdout.decode())

        # Turned on later: what is known of is read.
        self.configure(True)
        self.run_ctl("reextract", "--type=image", timeout=PATIENCE)
        self.assertEqual((self.total("marguerite"), self.total("primevere")), (1, 0))
        self.run_ctl("reextract", "--type=pdf", timeout=PATIENCE)
        self.assertEqual((self.total("marguerite"), self.total("primevere"), self.total("numerise")), (2, 1, 1))
        self.assertEqual(self.counts(), (2, 0, 0, 0))
        # Off again, and read again by those that see nothing in it: what was read stays.
        self.configure(False)
        self.run_ctl("reextract", timeout=PATIENCE)
        self.assertEqual((self.total("marguerite"), self.total("primevere"), self.counts()), (2, 1, (2, 0, 0, 0)))

    def test_a_picture_is_found_by_its_words_and_says_where_they_are(self):
        daemon = Daemon(self)
        mail = with_pictures(1, "logo.png", "letter.png", shown=("fax.tif",))
        self.send(daemon, mail)
        self.assertTrue(wait_for(lambda: self.total("numero1") == 1, 10))
        self.assertTrue(wait_for(lambda: self.total("sunflower") == 1 and self.total("primevère") == 1, PATIENCE))
        self.assertTrue(wait_for(lambda: self.counts()[2] == 0 and self.total("is:unread") == 0, PATIENCE))
        hit = self.json_of("search", "sunflower")["hits"][0]
        self.assertEqual(hit["id"], digest(mail))
        self.assertIn(hit["snippet_part"], ("3", "4"))
        self.assertEqual(self.json_of("search", "daffodils")["hits"][0]["snippet_part"], "4")
        self.assertEqual((self.total("attachment:meadow"), self.total("body:meadow"), self.total('"préparée à la mairie"')), (1, 0, 1))
        read = self.document(mail, "3")
        self.assertEqual((read["status"], read["tool"]), ("read", "tesseract"))
        # A picture that the text shows is read, and is no attachment for that.
        self.assertEqual(self.total("type:tiff"), 0)
        # The same picture in another mail is not read again.
        before = self.counts()
        self.send(daemon, with_pictures(2, "letter.png"))
        self.assertTrue(wait_for(lambda: self.total("sunflower") == 2, 10))
        self.assertEqual(self.counts(), before)
        self.assertEqual(daemon.stop(), 0)

    def test_what_waits_is_counted_everywhere_and_the_queue_survives(self):
        # An import leaves OCR to archd.
        mails = [with_pictures(number, name) for number, name in enumerate(("letter.png", "scanned.pdf", "fax.tif", "blank.png", "screen.png"))]
        self.import_mails(*mails)
        self.assertEqual((self.total("courrier"), self.total("marguerite"), self.total("is:unread")), (5, 0, 5))
        self.assertEqual(self.counts(), (0, 0, 5, 0))
        self.assertEqual(self.json_of("status")["index"]["unread"], 5)
        self.assertIn("5 waiting for OCR", self.run_ctl("status").stdout.decode())
        self.assertEqual(self.document(mails[0])["status"], "waits_for_ocr")
        self.assertIn("waits for ocr", self.run_ctl("show", digest(mails[0])).stdout.decode())
        # Killed whenever it reads one, and its worker with it: nothing is lost, nothing is blamed.
        for _ in range(3):
            daemon = Daemon(self)
            self.assertTrue(wait_for(lambda daemon=daemon: self.workers_of(daemon) or self.counts()[2] == 0, 20))
            processes = [pid for pid, _ in children(daemon.process.pid)]
            daemon.process.kill()
            daemon.process.wait()
            # The engine waits for its threads in the background, which a busy machine leaves little; 60 s at most.
            self.assertTrue(wait_for(lambda processes=processes: not any(os.path.exists(f"/proc/{pid}") for pid in processes), 90))
        daemon = Daemon(self)
        self.assertTrue(wait_for(lambda: self.counts()[2] == 0, PATIENCE), self.counts())
        self.assertEqual(self.counts(), (4, 1, 0, 0))
        self.assertTrue(wait_for(lambda: self.total("is:unread") == 0, 10))
        self.assertEqual([self.total(word) for word in ("marguerite", "primevère", "pommier")], [4, 2, 1])
        self.assertEqual(daemon.stop(), 0)
        # Made anew it waits anew, and is read anew.
        self.run_ctl("rebuild")
        self.run_ctl("reextract", "--unread", timeout=PATIENCE)
        self.assertEqual(([self.total(word) for word in ("marguerite", "primevère", "pommier")], self.counts()), ([4, 2, 1], (4, 1, 0, 0)))

    @staticmethod
    def workers_of(daemon):
        found = []
        for pid, name in children(daemon.process.pid):
            found += [child for child, its in children(pid) if its == "arch-ocr"] + ([pid] if name == "arch-ocr" else [])
        return found

    def test_turned_off_nothing_waits(self):
        mail = with_pictures(1, "letter.png")
        self.import_mails(mail)
        self.assertEqual(self.counts(), (0, 0, 1, 0))
        self.configure(False)
        daemon = Daemon(self)
        self.assertTrue(wait_for(lambda: self.counts() == (0, 1, 0, 0), 20), self.counts())
        self.assertTrue(wait_for(lambda: self.total("is:unread") == 0, 10))
        self.assertEqual(daemon.stop(), 0)

    def test_attackers_cost_themselves(self):
        names = ("giant.png", "bomb.png", "flat.png", "pages.tif", "huge-page.pdf", "truncated.png")
        mails = [with_pictures(number, name) for number, name in enumerate(names)]
        self.put("mail/behind.eml", with_pictures(9, "letter.png"))
        self.import_mails(*mails)
        self.run_ctl("reextract", "--type=none", timeout=PATIENCE)  # waits for OCR
        states = {name: self.document(mail)["status"] for name, mail in zip(names, mails) if name not in ("giant.png",)}
        self.assertEqual(states, {"bomb.png": "over_limit", "flat.png": "no_text", "pages.tif": "over_limit", "huge-page.pdf": "over_limit", "truncated.png": "broken"})
        self.assertNotIn("document", [each for each in self.json_of("show", digest(mails[0]))["parts"] if each["part"] == "2"][0],
                         "a picture of 67 bytes is not looked at")
        self.assertEqual(self.total("marguerite"), 1)
        self.assertEqual(self.total("is:unread"), 4)

    def test_languages_that_are_missing_are_named(self):
        self.configure(True, 'ocr_languages = ["fra", "xyz"]')
        self.assertIn("tesseract-ocr-xyz", self.complaint("config", "check", "--quiet", status=78))
        self.import_mails(with_pictures(1, "letter.png"))
        self.run_ctl("reextract", "--type=image", timeout=PATIENCE)
        self.assertEqual(self.total("marguerite"), 1, "the others read")
        self.configure(True, 'ocr_languages = ["../x"]')
        self.assertIn("no language", self.complaint("config", "check", status=78))
        # None: it waits until there is one, and everything else works.
        self.configure(True, 'ocr_languages = ["xyz"]')
        self.put("mail/other.eml", with_pictures(2, "fax.tif"))
        self.run_ctl("import", os.path.join(self.root, "mail"))
        daemon = Daemon(self)
        self.assertTrue(wait_for(lambda: self.log_says("OCR: "), 60))
        self.assertTrue(self.log_says("apt-get install tesseract-ocr-xyz"))
        self.assertEqual((self.total("numero2"), self.counts()[2]), (1, 1))
        self.assertEqual(daemon.stop(), 0)

    def log_says(self, text):
        with open(os.path.join(self.root, "archd.log"), encoding="utf-8") as file:
            return text in file.read()

    def test_extract_reads_pictures_when_it_is_asked_to(self):
        self.configure(False)
        path = os.path.join(DOCUMENTS, "letter.png")
        plain = self.run_ctl("extract", path).stdout.decode()
        self.assertIn("no text: a picture of", plain)
        shown = self.run_ctl("extract", "--ocr", path, os.path.join(DOCUMENTS, "scanned.pdf"), os.path.join(DOCUMENTS, "simple.pdf"), timeout=PATIENCE).stdout.decode()
        for wanted in ("une lettre préparée à la mairie", "by tesseract 5", "fra+eng", "la primevère et la pensée", "by poppler", "pervenche"):
            self.assertIn(wanted, shown)
        self.run_ctl("extract", "--ocr", os.path.join(DOCUMENTS, "bomb.png"), status=65, timeout=PATIENCE)
        row = json.loads(self.run_ctl("extract", "--ocr", "--json", path, timeout=PATIENCE).stdout)
        self.assertEqual((row["status"], row["tool"], row["media_type"]), ("read", "tesseract", "image/png"))

    def test_it_goes_last_and_alone(self):
        self.import_mails(*[with_pictures(number, name) for number, name in enumerate(("letter.png", "scanned.pdf", "fax.tif", "letter.bmp", "flat.png", "screen.png"))])
        daemon = Daemon(self)
        seen = set()

        def look():
            workers = self.workers_of(daemon)
            self.assertLessEqual(len(workers), 1)
            for pid in workers:
                try:
                    seen.add((os.sched_getscheduler(pid), os.getpriority(os.PRIO_PROCESS, pid)))
                except OSError:
                    pass
            return self.counts()[2] == 0

        self.assertTrue(wait_for(look, PATIENCE))
        self.assertIn((os.SCHED_IDLE, 19), seen)
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
