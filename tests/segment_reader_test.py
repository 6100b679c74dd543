#!/usr/bin/env python3
"""The second reader of segments, in another language, against the engine.

Claim   What docs/segment-format.md says is enough to rebuild every message.
Method  Imports our own test mail (and, when there, the corpus of hard mail) with archctl, packs it, extracts it with
        tools/segment-reader, and compares with the files and with `archctl show --raw`; the golden segment's fields are compared
        with their description.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["ARCH_SOURCE_DIR"])
ARCHCTL = pathlib.Path(os.environ["ARCH_BIN"]) / "archctl"
READER = SOURCE / "tools/segment-reader/segment_reader.py"


def run(*command, check=True):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if check and done.returncode != 0:
        sys.exit(f"{command}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done


golden = run(SOURCE / "tools/dev/dump-segment", SOURCE / "tests/golden/segment-v1.seg").stdout.decode()
if golden != (SOURCE / "tests/golden/segment-v1.txt").read_text():
    sys.exit("tests/golden/segment-v1.txt does not describe segment-v1.seg")

folders = [SOURCE / "tests/data/mail"]
corpus = pathlib.Path(os.environ.get("ARCH_CORPUS", SOURCE / "../shared/corpus"))
if (corpus / "hard").is_dir():
    folders.append(corpus / "hard")
else:
    print("no corpus of hard mail here: only our own was read")

with tempfile.TemporaryDirectory() as work:
    archive = os.path.join(work, "archive")
    run(ARCHCTL, "--archive", archive, "init", archive)
    for folder in folders:  # one segment each, so that the second names parts of the first
        run(ARCHCTL, "--archive", archive, "import", folder)
        run(ARCHCTL, "--archive", archive, "pack")
    out = pathlib.Path(work) / "out"
    run(sys.executable, READER, os.path.join(archive, "segments"), "--extract", out)
    extracted = {path.stem: path.read_bytes() for path in out.iterdir()}
    for digest, data in extracted.items():
        assert hashlib.sha256(data).hexdigest() == digest
    files = [path for folder in folders for path in folder.rglob("*.eml")]
    missing = [path for path in files if hashlib.sha256(path.read_bytes()).hexdigest() not in extracted]
    assert not missing, f"not in the segments: {missing[:3]}"
    for digest in sorted(extracted)[::10]:
        assert run(ARCHCTL, "--archive", archive, "show", "--raw", digest).stdout == extracted[digest]
    listed = run(sys.executable, READER, os.path.join(archive, "segments"), "--list").stdout.split(b"\n")
    status = json.loads(run(ARCHCTL, "--archive", archive, "status", "--json").stdout)
    assert len(listed) - 1 == len(extracted)
    assert status["messages"] == len(extracted), (status, len(extracted))
    segment = pathlib.Path(archive) / "segments/00000001.seg"
    bad = pathlib.Path(work) / "bad"
    bad.mkdir()
    data = bytearray(segment.read_bytes())
    data[len(data) // 3] ^= 1
    (bad / segment.name).write_bytes(data)
    assert run(sys.executable, READER, bad, "--list", check=False).returncode == 65
    print(f"{len(extracted)} messages of {len(files)} files: both readers agree")
