#!/usr/bin/env python3
"""Does anything get lost under load, with the archive away in the middle?

Through Postfix: smtp-source (of the postfix package) sends MESSAGES of BYTES over CONNECTIONS at once to a Postfix that copies them
to the archive; the archive is killed in the middle and is away for PAUSE seconds. When Postfix's queue is empty, `archctl reconcile`
reads its log: nothing may be missing.

By LMTP: as many connections of a client that tries each message again until it has a 250, with the same stop; every 250's message
has to be in the archive. And once without a stop, by smtp-source, for the rate. How long arch-capture takes to start stands first.

    bench/capture_load.py [--messages 20000] [--bytes 10240] [--connections 50] [--pause 30]

Exit status 0 when nothing is missing. What an acknowledgement costs beside a bare append and fdatasync: bench-capture-ack.
"""

import argparse
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "e2e"))
import harness  # noqa: E402
from harness import Client, Postfix, Scratch, wait_until  # noqa: E402
from test_postfix import Archd  # noqa: E402


def fresh(scratch, name):
    folder = Scratch()
    folder.path = scratch.join(name)
    os.mkdir(folder.path)
    os.chmod(folder.path, 0o755)
    archd = Archd(folder)
    archd.start()
    return archd


def away(archd, pause):
    """kill -9 of everything, and back after `pause` seconds."""
    archd.daemon.kill_all()
    time.sleep(pause)
    archd.start()


def source(options, port, *more):
    return subprocess.Popen(["smtp-source", "-s", str(options.connections), "-m", str(options.messages), "-l", str(options.bytes), "-c",
                             *more, "127.0.0.1:%d" % port], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def deliveries(archd):
    return int(re.search(r'"deliveries":(\d+)', archd.archctl("status", "--json").decode()).group(1))


def through_postfix(scratch, options):
    archd = fresh(scratch, "postfix-archive")
    postfix = None
    try:
        postfix = Postfix(scratch.join("postfix"), "inet:127.0.0.1:%d" % archd.port, 1,
                          {"default_transport": "discard:", "maximal_backoff_time": "5s", "default_process_limit": "100",
                           "smtpd_client_connection_count_limit": "0"})
        wait_until(lambda: "daemon started" in postfix.log(), 30, "Postfix has started")
        time.sleep(1)
        begun = time.monotonic()
        sending = source(options, postfix.smtpd_port, "-f", "zoe@maison.example", "-t", "client@ailleurs.example")
        wait_until(lambda: postfix.sent_count() >= options.messages // 4 or sending.poll() is not None, 600, "a quarter is archived")
        before = postfix.sent_count()
        away(archd, options.pause)
        complaint = sending.communicate(timeout=3600)[1].decode()
        if sending.returncode != 0:
            sys.exit("smtp-source failed: " + complaint)
        # The log, not the queue's directories: it has the last word on each mail.
        def done():
            postfix.flush()
            time.sleep(0.5)
            return not postfix.queue_ids()
        wait_until(done, 3600, "Postfix's queue is empty")
        seconds = time.monotonic() - begun - options.pause
        line = archd.archctl("reconcile", "--quiet", postfix.log_path, statuses=(0, 1)).decode().splitlines()[-1]
        deferred = len(re.findall(r"to=<archive@archive\.invalid>.*status=deferred", postfix.log()))
        print("through Postfix: %d messages of %d bytes over %d connections, the archive killed after %d and away for %d s (%d copies deferred): "
              "%.0f messages/s" % (options.messages, options.bytes, options.connections, before, options.pause, deferred, options.messages / seconds))
        print("  " + line, flush=True)
        return line == "%d accepted, %d archived, 0 missing" % (options.messages, options.messages)
    finally:
        if postfix is not None:
            postfix.stop()
        archd.daemon.kill_all()


def by_lmtp(scratch, options):
    archd = fresh(scratch, "lmtp-archive")
    try:
        lock, state = threading.Lock(), {"next": 0}
        marks, tries = {}, []

        def work():
            client = None
            while True:
                with lock:
                    number = state["next"]
                    state["next"] += 1
                if number >= options.messages:
                    break
                head = b"Subject: charge %d\r\nMessage-ID: <%d@charge.example>\r\n\r\n" % (number, number)
                message = head + b"x" * (options.bytes - len(head) - 2) + b"\r\n"
                while True:
                    try:
                        client = client or Client(archd.port, hello=b"LHLO charge.example")
                        begun = time.monotonic()
                        answer = client.send(b"a@charge.example", [b"b@charge.example"], message)
                        if answer.startswith(b"250"):
                            mark = re.search(rb"arch:([0-9a-f]{16})", answer).group(1).decode()
                            with lock:
                                marks[number] = mark
                                tries.append(time.monotonic() - begun)
                            break
                    except OSError:
                        pass
                    client = None
                    time.sleep(0.2)
            if client is not None:
                client.close()

        begun = time.monotonic()
        threads = [threading.Thread(target=work) for _ in range(options.connections)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(marks) >= options.messages // 2, 600, "half is acknowledged")
        away(archd, options.pause)
        for thread in threads:
            thread.join(3600)
        seconds = time.monotonic() - begun - options.pause
        wait_until(lambda: deliveries(archd) >= options.messages, 120, "everything is applied")
        stored = archd.archctl("dump").decode()
        missing = [mark for mark in marks.values() if mark not in stored]
        tries.sort()
        print("by LMTP: %d messages over %d connections, killed in the middle and away for %d s: %.0f acknowledgements/s, "
              "median %.1f ms, p99 %.1f ms" % (options.messages, options.connections, options.pause, options.messages / seconds,
                                              tries[len(tries) // 2] * 1e3, tries[len(tries) * 99 // 100] * 1e3))
        print("  %d acknowledged, %d archived, %d missing" % (len(marks), len(marks) - len(missing), len(missing)), flush=True)
        return not missing and len(marks) == options.messages
    finally:
        archd.daemon.kill_all()


def rate(scratch, options):
    archd = fresh(scratch, "rate-archive")
    try:
        begun = time.monotonic()
        sending = source(options, archd.port, "-L", "-f", "zoe@maison.example", "-t", "archive@archive.invalid")
        complaint = sending.communicate(timeout=3600)[1].decode()
        seconds = time.monotonic() - begun
        if sending.returncode != 0:
            sys.exit("smtp-source failed: " + complaint)
        wait_until(lambda: deliveries(archd) >= options.messages, 120, "everything is applied")
        count = deliveries(archd)
        print("by LMTP, smtp-source, no stop: %.0f acknowledgements/s\n  %d sent, %d deliveries" % (options.messages / seconds, options.messages, count),
              flush=True)
        return count == options.messages
    finally:
        archd.daemon.kill_all()


def starts(scratch, options):
    """From exec to the ready line, and what it takes when it has done nothing yet."""
    archive = scratch.join("start-archive")
    harness.make_archive(archive)
    times, memory = [], 0
    for _ in range(20):
        begun = time.monotonic()
        daemon = harness.Daemon([harness.program("arch-capture"), "--archive", archive, "--reserve=1M", "--lmtp=inet:127.0.0.1:0", "--milter=inet:127.0.0.1:0"],
                                scratch.join("start.log"))
        times.append(time.monotonic() - begun)
        memory = max(memory, daemon.peak_kib())
        daemon.stop()
    print("arch-capture starts in %.0f ms (median of 20, %.0f ms at most), peak memory then %.1f MiB"
          % (sorted(times)[10] * 1e3, max(times) * 1e3, memory / 1024), flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("messages", 20000), ("bytes", 10240), ("connections", 50), ("pause", 30)):
        parser.add_argument("--" + name, type=int, default=default)
    options = parser.parse_args()
    reason = Postfix.missing()
    if reason:
        print("SKIPPED: Postfix " + reason)
        return harness.SKIPPED
    good = True
    with Scratch() as scratch:
        for part in (starts, through_postfix, by_lmtp, rate):
            good = part(scratch, options) and good
    print("nothing is missing" if good else "MAIL IS MISSING")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
