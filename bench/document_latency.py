#!/usr/bin/env python3
"""What reading attachments costs those who wait: the 250 and the answer of a search, idle and while the queue works.

An archive with the mail of CORPUS, archd beside it. In turn, ROUNDS times: SECONDS with nothing else to do, and SECONDS in which every attachment
is read again (archctl reextract, asked for again when it is through). Meanwhile one connection delivers a mail every 50 ms over LMTP and takes the
time of its 250, and one client asks the page's API every 50 ms. Told are medians and p95 of both, and their ratios.
With --ocr the queue is that of OCR: PICTURES pages are drawn, each another one, and read behind the idle rounds.

    bench/document_latency.py CORPUS [--ocr [--pictures 20]] [--seconds 15] [--rounds 3] [--json FILE]
"""

import argparse
import base64
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(ROOT, "build", "release", "bin")
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(ROOT, "tests", "data"), os.path.join(ROOT, "tests", "e2e")]
import make_documents  # noqa: E402
from harness import Client  # noqa: E402

QUERIES = ["facture", "commande merci", '"bon de commande"', "has:pdf", "from:a", "livraison", "price", "date:2024"]


def sample(lmtp, http, seconds):
    """Latencies in ms: of 250s, of searches."""
    stop = time.monotonic() + seconds
    acks, answers = [], []

    def deliver():
        client, number = Client(lmtp, hello=b"LHLO bench"), 0
        while time.monotonic() < stop:
            number += 1
            for line in (b"MAIL FROM:<a@b.example>", b"RCPT TO:<archive@archive.invalid>", b"DATA"):
                client.say(line)
            begun = time.monotonic()
            client.say(b"Subject: l%d\r\n\r\n%s\r\n." % (number, b"x" * 5000))
            acks.append((time.monotonic() - begun) * 1000)
            time.sleep(0.05)

    def ask():
        number = 0
        while time.monotonic() < stop:
            number += 1
            begun = time.monotonic()
            urllib.request.urlopen("http://127.0.0.1:%d/api/v1/search?q=%s" % (http, urllib.parse.quote(QUERIES[number % len(QUERIES)]))).read()
            answers.append((time.monotonic() - begun) * 1000)
            time.sleep(0.05)

    threads = [threading.Thread(target=each) for each in (deliver, ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return acks, answers


def summary(values):
    values = sorted(values)
    return statistics.median(values), values[int(len(values) * 0.95)]


def write_pictures(folder, count):
    """Mails with a page of 30 lines each."""
    os.mkdir(folder)
    words = "contrat facture livraison panier pomme marguerite capucine parcel garden letter monday meadow".split()
    for n in range(count):
        page = [" ".join(words[(n + line * k + k * k) % len(words)] for k in range(1, 6)) for line in range(30)]
        picture = base64.encodebytes(make_documents.png(*make_documents.drawing(page))).decode()
        with open(os.path.join(folder, "%d.eml" % n), "w") as file:
            file.write("From: a@b.example\nSubject: page %d\nMIME-Version: 1.0\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n"
                       "Content-Disposition: attachment; filename=page.png\n\n%s" % (n, picture))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ocr", action="store_true")
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="document-latency-")
    archive = os.path.join(scratch, "archive")
    ctl = [os.path.join(BIN, "archctl"), "--archive", archive]
    subprocess.run([ctl[0], "init", archive], check=True, stdout=subprocess.DEVNULL)
    os.environ["ARCHD_CONFIG"] = os.path.join(scratch, "archd.toml")
    open(os.environ["ARCHD_CONFIG"], "w").close()
    again = [*ctl, "reextract", "-q"]
    subprocess.run([*ctl, "import", "-q", options.corpus], check=True, stdout=subprocess.DEVNULL)
    if options.ocr:
        write_pictures(os.path.join(scratch, "pictures"), options.pictures)
        subprocess.run([*ctl, "import", "-q", os.path.join(scratch, "pictures")], check=True, stdout=subprocess.DEVNULL)
        with open(os.environ["ARCHD_CONFIG"], "w") as file:
            file.write("[documents]\nocr = true\n")
        again += ["--type=image/png", "--no-wait"]
    daemon = subprocess.Popen([os.path.join(BIN, "archd"), "--archive", archive, "--lmtp", "inet:127.0.0.1:0", "--http", "inet:127.0.0.1:0", "run"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    rows = {"idle": [], "reading": []}
    read = 0

    def read_again(stopping):
        nonlocal read
        while not stopping.is_set():
            subprocess.run(again, check=True, stdout=subprocess.DEVNULL)
            read += 1

    try:
        ready = daemon.stdout.readline()
        lmtp = int(re.search(r"lmtp=inet:127\.0\.0\.1:(\d+)", ready).group(1))
        http = int(re.search(r"http=inet:127\.0\.0\.1:(\d+)", ready).group(1))
        sample(lmtp, http, 3)
        if options.ocr:  # pages last longer than a round: first all that is idle, then all beside OCR
            for _ in range(options.rounds):
                rows["idle"].append(sample(lmtp, http, options.seconds))
            subprocess.run(again, check=True, stdout=subprocess.DEVNULL)
            time.sleep(3)
            for _ in range(options.rounds):
                rows["reading"].append(sample(lmtp, http, options.seconds))
            read = options.pictures - json.loads(subprocess.run([*ctl, "status", "--json"], stdout=subprocess.PIPE).stdout)["documents"]["waiting_for_ocr"]
        for _ in range(0 if options.ocr else options.rounds):
            rows["idle"].append(sample(lmtp, http, options.seconds))
            stopping = threading.Event()
            reader = threading.Thread(target=read_again, args=(stopping,))
            reader.start()
            time.sleep(0.5)
            rows["reading"].append(sample(lmtp, http, options.seconds))
            stopping.set()
            reader.join()
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(scratch, ignore_errors=True)

    what = "%d of %d pictures were read" % (read, options.pictures) if options.ocr else "every attachment was read %d times" % read
    print("medians of %d rounds of %d s, in ms; %s meanwhile" % (options.rounds, options.seconds, what))
    print("%-22s %10s %10s %8s" % ("", "idle", "reading", "ratio"))
    result = {}
    for place, name in ((0, "250"), (1, "search")):
        for which, label in ((0, "median"), (1, "p95")):
            idle, reading = (statistics.median(summary(each[place])[which] for each in rows[kind]) for kind in ("idle", "reading"))
            result["%s_%s" % (name, label)] = {"idle": idle, "reading": reading, "ratio": reading / idle}
            print("%-22s %10.2f %10.2f %8.2f" % ("%s, %s" % (name, label), idle, reading, reading / idle))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
