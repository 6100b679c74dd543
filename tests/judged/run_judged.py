#!/usr/bin/env python3
"""Judged queries: invented business mail whose generator knows the exact answer to 60 queries.

usage: run_judged.py [--messages N] [--seed S]... [--archctl PATH] [--all]

Imports each corpus with archctl, asks every query without widening, in UTC, and compares the sets of messages. Queries whose answer lies in a
document format that nothing here reads yet (is:unread counts those attachments) are told apart: a mail that is missed and has such an
attachment is "not readable", anything else is wrong. Prints a line a query that is not exact, then `N of 60 exact` a seed.
Exit status: 0 nothing wrong, 1 something is, 77 the generator is not there (make_business_mail.py in $ARCH_CORPUS, else ../shared/corpus).
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
GENERATOR = pathlib.Path(os.environ.get("ARCH_CORPUS", SOURCE / "../shared/corpus")) / "make_business_mail.py"
DOCUMENTS = (b"application/pdf", b"officedocument", b"application/octet-stream", b"application/zip")

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
    by_digest = {digest: path for digest, path in mails.values()}
    exact = unreadable = wrong = 0
    for line in (corpus / "queries.jsonl").read_text().splitlines():
        query = json.loads(line)
        answer = json.loads(archctl("search", "--json", "--no-widen", "--limit", "10000", "--", query["q"], codes=(0, 1)))
        got = {hit["id"] for hit in answer["hits"]}
        for hit in answer["hits"]:
            got.update(hit.get("variants", []))
        want = {mails[number][0] for number in query["seq"]}
        if got == want:
            exact += 1
            continue
        missed_words = [digest for digest in want - got if not any(end in by_digest[digest].read_bytes().lower() for end in DOCUMENTS)]
        if missed_words or got - want:
            wrong += 1
            kind = "WRONG"
        else:
            unreadable += 1
            kind = "not readable"
        print(f"  {kind}: {query['kind']} {query['q']} wants {len(want)}, missed {len(want - got)}, too many {len(got - want)}")
    print(f"seed {seed}: {exact} of {exact + unreadable + wrong} exact, {unreadable} in documents not read, {wrong} wrong")
    return wrong


with tempfile.TemporaryDirectory() as directory:
    sys.exit(1 if sum([judge(seed, pathlib.Path(directory)) for seed in options.seed or [1, 2, 3]]) else 0)
