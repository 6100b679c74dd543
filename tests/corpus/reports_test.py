#!/usr/bin/env python3
"""What people complained about elsewhere works here.

Claim   Two hand-overs of one mail are one result that either envelope recipient finds; words, forms, dates, names, entities and ids of
        the report mails are found, what lies in scripts and comments is not.
Method  Our own mail always, handed over twice by LMTP; the reports of the corpus (ARCH_CORPUS, else ../shared/corpus beside the source)
        when they are there, imported and searched by archctl.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ["ARCH_SOURCE_DIR"])
BIN = pathlib.Path(os.environ["ARCH_BIN"])
REPORTS = pathlib.Path(os.environ.get("ARCH_CORPUS", SOURCE / "../shared/corpus")).resolve() / "reports"

FOUND = {
    "01-date-header-lies/mail.eml": ["carafes", "soufflees", "borealis", '"devis 7741"', "carafes date:2025-10-14"],
    "03-no-message-id/a.eml": ["tournesol"],
    "03-no-message-id/b.eml": ["mimosa"],
    "04-nul-bytes/mail.eml": ["registre", "palissandre", "violette"],
    "05-long-message-id-empty-name/empty-name.eml": ["ambre", "cobalt", "fuchsia", "evasion", "filename:evasion"],
    "05-long-message-id-empty-name/long-id.eml": ["fontaine", "turquoise"],
    "06-empty-body-empty-attachment/no-body.eml": ["zinnia", "cron@serveur.example.fr", "from:cron@serveur.example.fr"],
    "06-empty-body-empty-attachment/empty-attachment.eml": ["glycine", "temoin-glycine.dat", "filename:temoin-glycine.dat"],
    "08-rfc2231-name/mail.eml": ["hortensia", "lavandin", "recu", "detaillee", "reçu", 'from:"Müller-Étienne"', "from:(muller etienne)", "muller etienne"],
    "09-html-entities/mail.eml": ["réunion", "reunion", "comité", "reportée", "reportee", "cœur", "coeur", "métier", "coquelicot", "suite"],
    "10-french-word-forms/mail.eml": ["esquisse", "esquisses", "prête", "prete", "équipements", "équipement", "equipement", "évènement", "evenement",
                                       "événement", "décembre", "DECEMBRE", "élan", "créatif", '"équipements pour"'],
    "12-smime-opaque-signed/signed.eml": ["amarante", "jacinthe", "annexe-perenne.txt"],
    "12-smime-opaque-signed/encrypted.eml": ["chiffre"],
}
NOT_FOUND = ["safran", "cinabre", "indigo", "eacute"]


def archctl(archive, *words, codes=(0,)):
    done = subprocess.run([str(BIN / "archctl"), "--archive", str(archive), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode in codes, (words, done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout


def search(archive, query):
    return json.loads(archctl(archive, "search", "--json", "--", query, codes=(0, 1)))


def digest(archive, path):
    data = pathlib.Path(path).read_bytes()
    import hashlib
    name = hashlib.sha256(data).hexdigest()
    assert archctl(archive, "show", "--raw", name) == data
    return name


class Daemon:
    def __init__(self, archive):
        self.process = subprocess.Popen([str(BIN / "archd"), "--archive", str(archive), "--lmtp", "inet:127.0.0.1:0", "run"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        line = self.process.stdout.readline().decode()
        self.address = re.search(r"lmtp=(\S+)", line).group(1)

    def send(self, archive, path, sender, recipient):
        archctl(archive, "lmtp-send", "--from", sender, "--to", recipient, self.address, path)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0


def twice(work, name, copies, sender, recipients, word):
    """Each copy is handed over for one recipient whom neither To nor Cc names."""
    archive = work / name
    archctl(archive, "init", archive)
    daemon = Daemon(archive)
    try:
        for path, recipient in zip(copies, recipients):
            daemon.send(archive, path, sender, recipient)
        deadline = time.monotonic() + 30
        while search(archive, word)["index"]["indexed"] < len(copies):
            assert time.monotonic() < deadline, "not searchable in time"
            time.sleep(0.05)
        assert search(archive, word)["total"] == 1
        for recipient in recipients:
            for field in ("to", "rcpt", "bcc"):
                assert search(archive, f"{field}:{recipient}")["total"] == 1, (field, recipient)
            assert search(archive, f"cc:{recipient}")["total"] == 0
        assert search(archive, "to:nobody@maison.example")["total"] == 0
        for path in copies:
            digest(archive, path)
    finally:
        daemon.stop()


with tempfile.TemporaryDirectory() as directory:
    work = pathlib.Path(directory)
    mail = SOURCE / "tests/data/mail/affaire-03-commande.eml"
    copies = []
    for name in ("un", "deux"):
        path = work / (name + ".eml")
        path.write_bytes(f"Received: by {name}.maison.example; Tue, 14 Oct 2025 09:12:31 +0200\r\n".encode() + mail.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        copies.append(path)
    twice(work, "own", copies, "zoe@maison.example", ["caviste@maison.example", "compta@maison.example"], "commande")
    print("own mail, two hand-overs: one result, found by either recipient")
    if not REPORTS.is_dir():
        print("SKIPPED reports: no corpus here")
        sys.exit(0)
    second = REPORTS / "02-one-mail-two-envelopes"
    twice(work, "envelopes", [second / "copy1.eml", second / "copy2.eml"], "n.ollivier@example.fr",
          ["p.lambert@example.fr", "s.haddad@example.fr"], "girouette")
    archive = work / "reports"
    archctl(archive, "init", archive)
    totals = json.loads(archctl(archive, "import", "--json", REPORTS))
    assert totals["already_known"] == 1, "c is the same bytes as a"
    asked = 0
    for name, queries in FOUND.items():
        wanted = digest(archive, REPORTS / name)
        for query in queries:
            hits = [hit["id"] for hit in search(archive, query)["hits"]]
            assert wanted in hits, (name, query, hits)
            asked += 1
    for query in NOT_FOUND:
        assert search(archive, query)["total"] == 0, query
    assert search(archive, "Alarme chaudiere")["total"] == 2
    assert search(archive, "abricot OR bergamote OR cardamome OR dragonnier OR eglantine")["total"] == 5
    assert search(archive, "")["hits"][0]["date"] >= "2025-10-14", "a lying date does not hide a mail in 2002"
    identity = re.search(rb"^message-id:\s*<([^>]*)>", (REPORTS / "05-long-message-id-empty-name/long-id.eml").read_bytes(), re.I | re.M).group(1)
    assert search(archive, "id:" + re.sub(rb"\s", b"", identity).decode())["total"] == 1
    print(f"reports: {asked + 7} searches as expected")
