#!/usr/bin/env python3
"""Judged queries: invented business mail whose generator knows the exact answer to 60 queries.

usage: run_judged.py [--messages N] [--seed S]... [--archctl PATH]

Imports each corpus with archctl, asks every query without widening, in UTC, and compares the sets of messages: recall and precision have to be
1.0, in PDF, Word, Excel and CSV attachments too. Beside them, sizes and kinds of attachments, whose answers Python's email and zipfile
know. Every hit's snippet is held against the mail (snippets.py). Prints a line a query that is not exact, then `N of 60 exact` and `N of M conditions exact` a seed.
Exit status: 0 nothing wrong, 1 something is, 77 the generator is not there (make_business_mail.py in $ARCH_CORPUS, else ../shared/corpus).
"""
import argparse
import email
import email.header
import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import snippets

SOURCE = pathlib.Path(__file__).resolve().parents[2]
GENERATOR = pathlib.Path(os.environ.get("ARCH_CORPUS", SOURCE / "../shared/corpus")) / "make_business_mail.py"


def attached(message, types, endings):
    """Whether an attachment, or a file inside a ZIP, has one of these media types (by their beginning) or endings of its name."""
    for part in message.walk():
        if part.get_content_disposition() != "attachment":
            continue
        name = str(email.header.make_header(email.header.decode_header(part.get_filename() or ""))).lower()
        if part.get_content_type().startswith(types) or name.endswith(endings):
            return True
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(part.get_payload(decode=True))) as inside:
                if any(each.lower().endswith(endings) for each in inside.namelist()):
                    return True
    return False


CONDITIONS = {
    "larger:20K": lambda data, message: len(data) >= 20480,
    "smaller:2Ko": lambda data, message: len(data) < 2048,
    "taille:1000..3000": lambda data, message: 1000 <= len(data) <= 3000,
    "-size:..1,5k": lambda data, message: len(data) > 1536,
    "has:pdf": lambda data, message: attached(message, ("application/pdf",), (".pdf",)),
    "has:image": lambda data, message: attached(message, ("image/",), (".png", ".jpg", ".jpeg", ".gif")),
    "type:docx": lambda data, message: attached(message, ("\0",), (".docx",)),
    "type:docx larger:20K": lambda data, message: len(data) >= 20480 and attached(message, ("\0",), (".docx",)),
    "has:pdf OR type:docx": lambda data, message: attached(message, ("application/pdf",), (".pdf", ".docx")),
}

parser = argparse.ArgumentParser()
parser.add_argument("--messages", type=int, default=3000)
parser.add_argument("--seed", type=int, action="append")
parser.add_argument("--archctl", default=str(pathlib.Path(os.environ.get("ARCH_BIN", SOURCE / "build/release/bin")) / "archctl"))
options = parser.parse_args()
if not GENERATOR.is_file():
    print("SKIPPED judged queries: no generator here")
    sys.exit(77)


def judge(seed, work):
    corpus = work / f"mail{seed}"
    subprocess.run([sys.executable, GENERATOR, "--messages", str(options.messages), "--seed", str(seed), "--out", corpus], check=True,
                   stdout=subprocess.DEVNULL)
    archive = work / f"archive{seed}"
    config = work / "utc.toml"
    config.write_text('[archive]\ntimezone = "UTC"\n')  # the generator's days are those of UTC

    def archctl(*words, codes=(0,)):
        done = subprocess.run([options.archctl, "--archive", archive, "--config", config, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode not in codes:
            sys.exit(f"archctl {words}: exit {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    archctl("init", archive)
    archctl("import", "--quiet", corpus / "Maildir")
    mails = {}
    for line in (corpus / "manifest.tsv").read_text().splitlines()[1:]:
        fields = line.split("\t")
        mails[int(fields[0])] = (fields[5], corpus / fields[1])

    sources, untrue, shown = {}, [], {"marked": 0, "not marked": 0}

    by_digest = {digest: path for digest, path in mails.values()}

    def found(query):
        answer = json.loads(archctl("search", "--json", "--no-widen", "--limit", "10000", "--", query, codes=(0, 1)))
        for hit in answer["hits"]:
            if hit["id"] not in sources:
                sources[hit["id"]] = snippets.Source(by_digest[hit["id"]].read_bytes())
            shown["marked" if hit["snippet_marks"] else "not marked"] += 1
            untrue.extend(f"{query}, hit {hit['id'][:12]}: {fault}" for fault in snippets.faults(query, hit, sources[hit["id"]]))
            if hit["snippet_marks"]:
                untrue.extend(f"{query}, hit {hit['id'][:12]}: the judge lets pass {each}" for each in snippets.unnoticed(query, hit, sources[hit["id"]]))
        return {digest for hit in answer["hits"] for digest in [hit["id"], *hit.get("variants", [])]}

    exact = wrong = 0
    for line in (corpus / "queries.jsonl").read_text().splitlines():
        query = json.loads(line)
        got = found(query["q"])
        want = {mails[number][0] for number in query["seq"]}
        if got == want:
            exact += 1
            continue
        wrong += 1
        print(f"  WRONG: {query['kind']} {query['q']} wants {len(want)}, missed {len(want - got)}, too many {len(got - want)}")
    print(f"seed {seed}: {exact} of {exact + wrong} exact")
    known = {}
    for path in (corpus / "Maildir").rglob("*"):
        if path.is_file() and path.parent.name in ("cur", "new"):
            data = path.read_bytes()
            known[hashlib.sha256(data).hexdigest()] = (data, email.message_from_bytes(data))
    conditions_wrong = 0
    for query, holds in CONDITIONS.items():
        want = {digest for digest, mail in known.items() if holds(*mail)}
        got = found(query)
        if got != want:
            conditions_wrong += 1
            print(f"  WRONG: {query} wants {len(want)}, missed {len(want - got)}, too many {len(got - want)}")
    print(f"seed {seed}: {len(CONDITIONS) - conditions_wrong} of {len(CONDITIONS)} conditions exact")
    for fault in untrue[:20]:
        print("  WRONG snippet: " + fault)
    print(f"seed {seed}: snippets of {shown['marked']} hits with marks, {shown['not marked']} without, {len(untrue)} faults")
    return wrong + conditions_wrong + len(untrue)


with tempfile.TemporaryDirectory() as directory:
    sys.exit(1 if sum([judge(seed, pathlib.Path(directory)) for seed in options.seed or [1, 2, 3]]) else 0)
