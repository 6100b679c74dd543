#!/usr/bin/env python3
"""Text of attachments: our sealed workers beside one helper program for each document, as Piler and others do it.

CORPUS is a folder of mail (a Maildir, files). Its unique attachments in PDF, OOXML, ODF, doc, xls, ppt, RTF and ZIP are written to a folder; then, in
turn, ROUNDS times: `archctl extract --json` over all of them (one process, its workers), and for each of them the command-line tool
that reads its format (pdftotext, unzip -p with tags taken out, catdoc, xls2csv, catppt, unrtf), one process a document, two at a time as
ours are two. Told are documents a second, medians and their ratio, and how many of the files gave any text.

    bench/documents.py CORPUS [--rounds 3] [--json FILE]

Tools that are missing are installed when this is run as root: poppler-utils, unzip, catdoc, unrtf.
"""

import argparse
import concurrent.futures
import email
import email.policy
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ARCHCTL = os.path.join(ROOT, "build", "release", "bin", "archctl")
PACKAGES = {"pdftotext": "poppler-utils", "unzip": "unzip", "catdoc": "catdoc", "unrtf": "unrtf"}
XML = {"docx": "word/document.xml", "xlsx": "xl/sharedStrings.xml", "pptx": "ppt/slides/slide*.xml", "odt": "content.xml", "ods": "content.xml", "odp": "content.xml"}


def command_for(path):
    ending = path.rsplit(".", 1)[-1]
    if ending == "pdf":
        return ["pdftotext", "-enc", "UTF-8", path, "-"]
    if ending in XML:
        return ["unzip", "-p", path, XML[ending]]
    return {"doc": ["catdoc", "-d", "utf-8", path], "xls": ["xls2csv", "-d", "utf-8", path], "ppt": ["catppt", "-d", "utf-8", path],
            "rtf": ["unrtf", "--text", path], "zip": ["unzip", "-l", path]}.get(ending)


def by_helper(path):
    done = subprocess.run(command_for(path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text = done.stdout
    if path.rsplit(".", 1)[-1] in XML:
        text = re.sub(rb"<[^>]*>", b" ", text)
    return bool(text.strip())


def unique_attachments(corpus, folder):
    seen = set()
    for top, _, names in os.walk(corpus):
        for name in names:
            with open(os.path.join(top, name), "rb") as file:
                message = email.message_from_binary_file(file, policy=email.policy.compat32)
            for part in message.walk():
                filename = part.get_filename()
                if part.is_multipart() or not filename:
                    continue
                content = part.get_payload(decode=True) or b""
                digest = hashlib.sha256(content).hexdigest()
                ending = str(email.header.make_header(email.header.decode_header(filename))).lower().rsplit(".", 1)[-1]
                path = os.path.join(folder, "%s.%s" % (digest[:16], ending))
                if not content or digest in seen or not re.fullmatch("[a-z]+", ending) or command_for(path) is None:
                    continue
                seen.add(digest)
                with open(path, "wb") as file:
                    file.write(content)
    return sorted(os.path.join(folder, name) for name in os.listdir(folder))


def ours(files):
    """In one process, as the engine has it; documents go to its workers one after the other for each of two callers."""
    shares = [files[0::2], files[1::2]]
    found = 0

    def one(share):
        done = subprocess.run([ARCHCTL, "extract", "--json", "--", *share], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return sum(bool(row["text"].strip()) or any(m["text"].strip() or m["name"] for m in row["members"]) for row in rows)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = sum(pool.map(one, shares))
    return found


def helpers(files):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return sum(pool.map(by_helper, files))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    missing = [package for tool, package in PACKAGES.items() if not shutil.which(tool)]
    if missing and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], check=True, stdout=subprocess.DEVNULL)
    elif missing:
        sys.exit("documents: missing: %s — apt-get install %s" % (" ".join(missing), " ".join(missing)))

    with tempfile.TemporaryDirectory(prefix="documents-") as folder:
        files = unique_attachments(options.corpus, folder)
        if not files:
            sys.exit("documents: no attachments of these formats in %s" % options.corpus)
        total = sum(os.path.getsize(path) for path in files)
        rates = {"ours": [], "helpers": []}
        found = {}
        for _ in range(options.rounds):
            for name, reader in (("ours", ours), ("helpers", helpers)):
                begun = time.monotonic()
                found[name] = reader(files)
                rates[name].append(len(files) / (time.monotonic() - begun))
    ratio = statistics.median(rates["ours"]) / statistics.median(rates["helpers"])
    print("%d unique documents, %.1f MB; medians of %d" % (len(files), total / 1e6, options.rounds))
    print("%-28s %10s %10s %14s" % ("", "docs/s", "spread", "with text"))
    for name, label in (("ours", "sealed workers"), ("helpers", "a program a document")):
        values = rates[name]
        print("%-28s %10.1f %9.0f%% %14d" % (label, statistics.median(values), (max(values) - min(values)) / statistics.median(values) * 100, found[name]))
    print("ratio %.1f" % ratio)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"documents": len(files), "bytes": total, "rates": rates, "with_text": found, "ratio": ratio}, file, indent=1)


if __name__ == "__main__":
    main()
