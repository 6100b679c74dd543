#!/usr/bin/env python3
"""How soon the archive works again after a power cut, and whether that grows with what it holds.

For each of SIZES (default 10000 100000) an archive of that many small mails, packed; then ROUNDS times: archd runs and takes mail over
LMTP, everything is killed with SIGKILL in the middle of it, and archd is started again. Told are the times from the start to the first
250 (capture is ready), to the page (the engine is ready, /readyz says so) and to the moment a search finds the last mail that was
acknowledged before the kill. Cold: the page cache is dropped before the start (as root).

    bench/start_ready.py [SIZES…] [--rounds 5] [--cold] [--keep DIR] [--json FILE]
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "e2e"))
from harness import Client, free_port  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(ROOT, "build", "release", "bin")
WORDS = "commande facture livraison bonjour merci contrat reunion stock camion palette vin huile conserve client fournisseur tarif devis".split()


def write_mbox(path, count):
    """Small mails, each different, over five years."""
    with open(path, "w") as file:
        for n in range(count):
            words = " ".join(WORDS[(n * k + k * k) % len(WORDS)] for k in range(1, 60))
            when = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(1_600_000_000 + n * 1500))
            file.write("From a@b.example Thu Jan  1 00:00:00 1970\nFrom: P%d <p%d@dupont.example>\nTo: q%d@vignes.example\nSubject: %s %d\n"
                       "Date: %s\nMessage-ID: <%d@dupont.example>\n\n%s %d\n\n" % (n % 40, n % 40, n % 33, WORDS[n % len(WORDS)], n, when, n, words, n))


def take(port, word, client=None):
    """One mail over LMTP; true when its 250 is there."""
    client = client or Client(port, hello=b"LHLO bench", timeout=5)
    return client.send(b"a@b.example", [b"archive@archive.invalid"], b"Subject: %s\r\n\r\n%s\r\n" % (word.encode(), word.encode())).startswith(b"250")


class Archd:
    def __init__(self, archive, lmtp, http):
        self.process = subprocess.Popen([os.path.join(BIN, "archd"), "--archive", archive, "--lmtp", "inet:127.0.0.1:%d" % lmtp,
                                         "--http", "inet:127.0.0.1:%d" % http, "run"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def kill(self):
        """All of it at once, as a power cut does."""
        mine = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        for pid in [self.process.pid, *map(int, mine)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


def until(condition, limit=120):
    begun = time.monotonic()
    while time.monotonic() - begun < limit:
        try:
            if condition():
                return
        except (OSError, ValueError):
            pass
        time.sleep(0.005)
    sys.exit("start_ready: not within %d s" % limit)


def one(archive, round_, cold):
    lmtp, http = free_port(), free_port()
    get = lambda path: urllib.request.urlopen("http://127.0.0.1:%d%s" % (http, path), timeout=30).read()
    first = Archd(archive, lmtp, http)
    until(lambda: take(lmtp, "warm"))
    client = Client(lmtp, hello=b"LHLO bench", timeout=5)
    end, number = time.monotonic() + 1.5, 0
    while time.monotonic() < end:
        number += 1
        last = "avant%dx%d" % (round_, number)
        take(lmtp, last, client)
    first.kill()
    if cold:
        subprocess.run(["sync"])
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("3")
    begun = time.monotonic()
    again = Archd(archive, lmtp, http)
    until(lambda: take(lmtp, "apres%d" % round_))
    took = time.monotonic() - begun
    until(lambda: json.loads(get("/readyz")).get("store") == "ok")
    engine = time.monotonic() - begun
    until(lambda: json.loads(get("/api/v1/search?q=" + last))["total"] == 1)
    found = time.monotonic() - begun
    again.kill()
    return took, engine, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--keep", metavar="DIR", help="keep the archives there, and use those that are there")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    scratch = options.keep or tempfile.mkdtemp(prefix="start-ready-")
    os.makedirs(scratch, exist_ok=True)
    results = {}
    try:
        print("%10s %12s %12s %12s   seconds from the start, median of %d (largest)%s" % (
            "messages", "first 250", "page", "last found", options.rounds, ", cold" if options.cold else ""))
        for size in options.sizes:
            archive = os.path.join(scratch, str(size))
            if not os.path.exists(archive):
                mbox = archive + ".mbox"
                write_mbox(mbox, size)
                subprocess.run([os.path.join(BIN, "archctl"), "init", archive], check=True, stdout=subprocess.DEVNULL)
                for verb in (("import", "-q", mbox), ("pack", "-q")):
                    subprocess.run([os.path.join(BIN, "archctl"), "--archive", archive, *verb], check=True, stdout=subprocess.DEVNULL)
                os.remove(mbox)
            rows = [one(archive, n, options.cold) for n in range(options.rounds)]
            columns = list(zip(*rows))
            results[size] = {name: {"median": statistics.median(values), "max": max(values)}
                             for name, values in zip(("first_250", "page", "last_found"), columns)}
            print("%10d " % size + " ".join("%12s" % ("%.2f (%.2f)" % (statistics.median(c), max(c))) for c in columns), flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
