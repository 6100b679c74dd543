#!/usr/bin/env python3
"""Real mail in, the same bytes out, compared outside the engine.

Claim   Of every file read, each message is stored, known already, or refused with a reason; every message comes back byte for byte;
        an mbox file can be put together again from its separators and messages; importing twice stores nothing; a
        rebuild from segments and journal gives the same canonical dump and the same answers.
Method  Imports the standard benchmark set and the hard and report mails of the corpus (ARCH_CORPUS, else ../shared/corpus
        beside the source) when they are there, and our own test mail always. Single messages are compared by SHA-256 of the
        source file, mbox files by joining what the archive holds of them.
Teeth   The expected counts come from walking the files here, without any code of the project.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["ARCH_SOURCE_DIR"])
ARCHCTL = str(pathlib.Path(os.environ["ARCH_BIN"]) / "archctl")
CORPUS = pathlib.Path(os.environ.get("ARCH_CORPUS", SOURCE / "../shared/corpus"))
QUERIES = ["invoice", "\"new york\"", "from:linux", "subject:help OR subject:question", "has:attachment pdf",
           "date:2002-08", "usrp -windows", "licen*", "réunion", ""]


def archctl(archive, *arguments, codes=(0,)):
    done = subprocess.run([ARCHCTL, "--archive", str(archive), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode not in codes:
        sys.exit(f"archctl {arguments}: exit {done.returncode}\n{done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def is_mbox(path, data):
    return path.suffix != ".eml" and path.parent.name not in ("cur", "new") and data.startswith(b"From ")


def check(name, work, folders):
    archive = work / name
    archctl(archive, "init", archive)
    totals = json.loads(archctl(archive, "import", "--json", *folders))
    assert totals["read"] == totals["stored"] + totals["already_known"] + totals["refused"], totals
    assert all(refusal["reason"] for refusal in totals["refusals"])
    archctl(archive, "pack")

    out = work / (name + "-out")
    archctl(archive, "export", "--all", "--quiet", "--output", out)
    exported = {}
    for path in out.rglob("*.eml"):
        data = path.read_bytes()
        exported[sha256(data)] = data if len(data) < 1 << 16 else path
    digests = archctl(archive, "dump").decode(errors="replace")
    stored = set(re.findall(r"^message ([0-9a-f]{64}) ", digests, re.M))
    assert stored == set(exported), (len(stored), len(exported))

    refused = {refusal["origin"] for refusal in totals["refusals"]}
    singles, boxes = 0, []
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if not path.is_file() or str(path) in refused:
                continue
            data = path.read_bytes()
            if is_mbox(path, data):
                boxes.append((path, data))
                continue
            singles += 1
            assert sha256(data) in exported, f"{path} is not in the archive"

    # Each mbox file again: "From " line, its line end, the message, for each of its messages by their place in the file.
    pieces = {}
    for digest, origin, separator in deliveries(digests):
        path, _, offset = origin.rpartition("#")
        if path:
            pieces.setdefault(path, []).append((int(offset), separator, digest))
    for path, data in boxes:
        joined, at = b"", 0
        for offset, separator, digest in sorted(pieces.get(str(path), [])):
            assert offset == len(joined), f"{path}: a message at {offset}, the ones before end at {len(joined)}"
            body = exported[digest]
            body = body if isinstance(body, bytes) else body.read_bytes()
            line_end = b"\r\n" if data[offset:].split(b"\n", 1)[0].endswith(b"\r") else b"\n"
            joined += separator.encode("utf-8", "surrogateescape") + line_end + body
        assert joined == data, f"{path} cannot be put together again"

    again = json.loads(archctl(archive, "import", "--json", *folders))
    assert again["stored"] == 0 and again["read"] == totals["read"], again
    assert again["already_known"] == totals["stored"] + totals["already_known"], (totals, again)

    answers = [archctl(archive, "search", "--json", "--limit", "50", "--", query, codes=(0, 1)) for query in QUERIES]
    before = archctl(archive, "dump")
    shutil.rmtree(archive / "catalog")
    shutil.rmtree(archive / "index")
    archctl(archive, "rebuild", "--quiet")
    assert archctl(archive, "dump") == before, "the rebuilt catalog differs"
    for query, answer in zip(QUERIES, answers):
        rebuilt = json.loads(archctl(archive, "search", "--json", "--limit", "50", "--", query, codes=(0, 1)))
        known = json.loads(answer)
        assert rebuilt["total"] == known["total"], (query, known["total"], rebuilt["total"])
        assert {hit["id"] for hit in rebuilt["hits"]} == {hit["id"] for hit in known["hits"]}, query
    report = json.loads(archctl(archive, "verify", "--json").splitlines()[-1])
    usage = json.loads(archctl(archive, "capacity", "--json"))
    print(f"{name}: {totals['read']} read, {totals['stored']} stored, {totals['already_known']} known, {totals['refused']} refused; "
          f"{singles} single files and {len(boxes)} mbox files compared; {usage['segments_bytes'] if 'segments_bytes' in usage else '?'} bytes of segments")
    return report


def deliveries(dump):
    """Message digest, origin and separator of each delivery that `archctl dump` prints."""
    digest = None
    for line in dump.splitlines():
        if line.startswith("message "):
            digest = line.split()[1]
        elif line.startswith("  delivery "):
            fields = dict(re.findall(r'(origin|separator)="((?:[^"\\]|\\.)*)"', line))
            unescape = lambda text: re.sub(r"\\x([0-9a-f]{2})", lambda hit: chr(int(hit.group(1), 16)), text)
            yield digest, unescape(fields.get("origin", "")), unescape(fields.get("separator", ""))


with tempfile.TemporaryDirectory() as directory:
    work = pathlib.Path(directory)
    check("own", work, [SOURCE / "tests/data/mail"])
    if (CORPUS / "hard").is_dir():
        check("hard", work, [(CORPUS / "hard").resolve(), (CORPUS / "reports").resolve()])
    else:
        print("SKIPPED hard, reports: no corpus here")
    archive_file = CORPUS / "real/bench-28k.tar.zst"
    if archive_file.is_file():
        (work / "mail").mkdir()
        subprocess.run(f"zstd -dq --long=27 -c '{archive_file}' | tar -x -C '{work}/mail'", shell=True, check=True)
        check("real", work, [work / "mail"])
    else:
        print("SKIPPED real: no benchmark set here")
