#!/usr/bin/env python3
"""How long after its 250 is a mail found, while others search?

A fresh archive with MESSAGES mails and a running archd. For SECONDS, RATE mails a second come over LMTP, each at its own time whatever
became of the one before; SEARCHERS processes ask the HTTP API meanwhile, one query after the other with a pause of THINK
milliseconds. A mail counts as found when a search that was sent after its 250 has come back with it; searches for that are sent every
POLL milliseconds, and the time until the answer is there counts. At the end each mail is asked by its own word.

    bench/freshness.py [--messages 5000] [--rate 20] [--seconds 60] [--searchers 4] [--think 20] [--poll 10] [--seed 1] [--json FILE]

Prints a table, and one line of JSON (also into FILE). Exit status 0 when every mail was found and p99 is under 2 s, 1 when not.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import random
import sys
import threading
import time
import urllib.parse

os.environ.setdefault("ARCH_BIN", os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build", "release", "bin"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "e2e"))
import harness  # noqa: E402
from harness import Client, Daemon, Scratch, program, wait_until  # noqa: E402

TARGET_SECONDS = 2.0
MARK = "fraicheur"  # in the subject of every mail that is measured
SYLLABLES = "ba be bi bo bu ca ce co da de di do fa fi fo ga go la le li lo ma me mi mo na ne no pa pe pi po ra re ri ro sa se si so ta te ti to va ve vi".split()


def vocabulary(rng, size=8000):
    words = set()
    while len(words) < size:
        words.add("".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4))))
    return sorted(words)


def text_of(rng, words, count):
    """Few words often, many seldom, as in real mail."""
    return " ".join(words[int(len(words) * rng.random() ** 3)] for _ in range(count))


def message(rng, words, number, subject, when):
    sender, to = (f"p{rng.randrange(200)}@{rng.choice(('dupont', 'vignes', 'caves', 'presse'))}.example" for _ in range(2))
    body = "\r\n".join(text_of(rng, words, 12) for _ in range(rng.randint(5, 60)))
    return (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime(when))}\r\n"
            f"Message-ID: <{number}.{subject.split()[-1]}@freshness.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n").encode()


class Api:
    """One kept connection to archd."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def search(self, query, **more):
        target = "/api/v1/search?" + urllib.parse.urlencode({"q": query, **more})
        for again in (False, True):
            try:
                self.connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                self.connection.request("GET", target)
                answer = self.connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    raise AssertionError(f"{target}: {answer.status} {body[:300]}")
                return json.loads(body)
            except (http.client.HTTPException, OSError):
                self.connection = None
                if again:
                    raise


def search_load(port, seed, think, stop, times):
    """Queries as people ask them; the seconds each took."""
    rng = random.Random(seed)
    words = vocabulary(random.Random(0))
    api = Api(port)
    out = []
    while not stop.is_set():
        one, other = (words[int(len(words) * rng.random() ** 2)] for _ in range(2))
        query = rng.choice((one, f"{one} {other}", f"{one} OR {other}", f'"{one} {other}"', f"{one[:4]}*", f"from:@caves.example {one}", f"{one} date:2024", f"{one} -{other}"))
        begun = time.monotonic()
        api.search(query, limit=20, sort=rng.choice(("newest", "newest", "relevance")))
        out.append(time.monotonic() - begun)
        time.sleep(think / 1000)
    times.put(out)


class Measured:
    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {}  # word -> when
        self.acknowledgements = []  # seconds from MAIL FROM to 250
        self.waiting = set()
        self.found = {}  # word -> seconds
        self.sent_all = threading.Event()
        self.late = 0.0  # by how much the sender fell behind its timetable, at most


def send(options, port, messages, begin, measured):
    """Each of `messages`, (place in the timetable, word, bytes), at its time."""
    client = Client(port, hello=b"LHLO freshness.example")
    for place, word, content in messages:
        due = begin + place / options.rate
        time.sleep(max(0, due - time.monotonic()))
        started = time.monotonic()
        answer = client.send(b"a@freshness.example", [b"archive@archive.invalid"], content)
        now = time.monotonic()
        if not answer.startswith(b"250"):
            raise AssertionError(answer)
        with measured.lock:
            measured.late = max(measured.late, started - due)
            measured.acknowledgements.append(now - started)
            measured.acknowledged[word] = now
            measured.waiting.add(word)
    client.close()


def watch(options, port, measured, until):
    """Asks for what is marked, the newest first, until all is found."""
    api = Api(port)
    answers = []
    while time.monotonic() < until:
        with measured.lock:
            asked_for = set(measured.waiting)
        if not asked_for and measured.sent_all.is_set():
            return answers
        begun = time.monotonic()
        answer = api.search("subject:" + MARK, limit=500)
        now = time.monotonic()
        answers.append(now - begun)
        there = {hit["subject"].split()[-1] for hit in answer["hits"]}
        with measured.lock:
            for word in asked_for & there:
                measured.found[word] = now - measured.acknowledged[word]
                measured.waiting.discard(word)
        time.sleep(options.poll / 1000)
    return answers


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("messages", 5000), ("rate", 20), ("seconds", 60), ("searchers", 4), ("think", 20), ("poll", 10), ("seed", 1)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--json")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    words = vocabulary(random.Random(0))
    with Scratch() as scratch:
        archive, config, folder = scratch.join("archive"), scratch.join("archd.toml"), scratch.join("mail")
        with open(config, "w") as file:
            file.write('[archive]\nreserve_bytes = "1M"\ntimezone = "UTC"\n')
        os.mkdir(folder)
        for number in range(options.messages):
            with open(os.path.join(folder, f"{number:06}.eml"), "wb") as file:
                file.write(message(rng, words, number, text_of(rng, words, 5), 1_700_000_000 + number * 3600))
        environment = {"ARCHD_CONFIG": config}
        archctl = [program("archctl"), "--config", config, "--archive", archive]
        for command in (["init", archive], ["import", "-q", folder]):
            harness.subprocess.run([*archctl, *command], check=True, stdout=harness.subprocess.DEVNULL)
        daemon = Daemon([program("archd"), "--archive", archive, "--lmtp=inet:127.0.0.1:0", "--http=inet:127.0.0.1:0", "run"], scratch.join("archd.log"), environment)
        try:
            port, web = daemon.port("lmtp"), daemon.port("http")
            wait_until(lambda: Api(web).search("", limit=0)["total"] == options.messages, 120, "everything imported can be searched")

            stop, times = multiprocessing.Event(), multiprocessing.Queue()
            load = [multiprocessing.Process(target=search_load, args=(web, options.seed * 100 + i, options.think, stop, times)) for i in range(options.searchers)]
            for each in load:
                each.start()
            count = options.rate * options.seconds
            now = time.time()
            batch = [(i, f"mot{options.seed}x{i}", message(rng, words, i, f"{text_of(rng, words, 4)} {MARK} mot{options.seed}x{i}", now + i / options.rate)) for i in range(count)]
            measured, lanes = Measured(), 4
            begin = time.monotonic() + 1
            senders = [threading.Thread(target=send, args=(options, port, batch[i::lanes], begin, measured)) for i in range(lanes)]
            polls = []
            watcher = threading.Thread(target=lambda: polls.extend(watch(options, web, measured, begin + options.seconds + 60)))
            for each in [*senders, watcher]:
                each.start()
            for each in senders:
                each.join()
            seconds = time.monotonic() - begin
            measured.sent_all.set()
            watcher.join()
            stop.set()
            took = [each for _ in load for each in times.get(timeout=120)]
            for each in load:
                each.join()
            by_word = sum(Api(web).search(word, limit=1)["total"] == 1 for _, word, _ in batch)
        finally:
            daemon.stop()
    found = list(measured.found.values())
    result = {"mails": count, "acknowledged": len(measured.acknowledged), "found": len(found), "found_by_their_word": by_word, "archive_before": options.messages,
              "mails_per_second": len(measured.acknowledged) / seconds, "timetable_missed_by_s": measured.late, "searches": len(took), "searches_per_second": len(took) / seconds,
              "target_p99_s": TARGET_SECONDS}
    rows = [("250 until found", "found", found), ("MAIL FROM until 250", "acknowledgement", measured.acknowledgements), ("search of the load", "search", took), ("search of the measurement", "poll", polls)]
    print(f"{count} mails at {result['mails_per_second']:.1f}/s beside {result['searches_per_second']:.0f} searches/s of {options.searchers} searchers, {options.messages} mails before; "
          f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'seconds':<28}{'median':>9}{'p95':>9}{'p99':>9}{'max':>9}")
    for title, name, values in rows:
        if not values:
            continue
        figures = {"median": percentile(values, 0.5), "p95": percentile(values, 0.95), "p99": percentile(values, 0.99), "max": max(values)}
        result[name + "_s"] = {key: round(value, 4) for key, value in figures.items()}
        print(f"{title:<28}" + "".join(f"{value:9.3f}" for value in figures.values()))
    good = 0 < len(found) == by_word == count and result["found_s"]["p99"] < TARGET_SECONDS
    result["good"] = good
    line = json.dumps(result)
    print(line)
    if options.json:
        with open(options.json, "w") as file:
            file.write(line + "\n")
    print("good: all found, p99 under 2 s" if good else f"NOT GOOD: {len(found)} of {count} found, {by_word} by their own word, p99 {result.get('found_s', {}).get('p99')} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
