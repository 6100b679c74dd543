#!/usr/bin/env python3
"""What a result page costs the server while many ask for one.

A fresh archive with the mail of CORPUS (a folder), archd beside it, and wrk with CONNECTIONS connections that ask for result pages,
50 hits each, for many different queries. Two times are told: the server's own for each page (archd says it in Server-Timing; only
handling, no waiting for a worker), and what the client waited, which with more connections than cores is mostly its turn in the queue.
The processor time of archd for each page is told too: on a machine that others use it is the figure that repeats.

Then the same with IDLE connections that are open and say nothing, in turn with the first, ROUNDS times.

    bench/page_load.py CORPUS [--connections 50] [--idle 1000] [--seconds 10] [--rounds 3] [--json FILE] [--keep DIR]

Needs wrk (apt-get install wrk) and a build (cmake --build --preset release).
"""

import argparse
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(ROOT, "build", "release", "bin")

LUA = """
local targets = { %s }
local thread_count = 0
function setup(thread) thread:set("number", thread_count); thread_count = thread_count + 1 end
function init(args) at = number * 7; times = 0; failed = 0; bins = {} end
function request() at = at + 1; return wrk.format("GET", targets[at %% #targets + 1]) end
function response(status, headers, body)
  local took = tonumber(string.match(headers["Server-Timing"] or "", "dur=([%%d.]+)"))
  if status ~= 200 or not took then failed = failed + 1 return end
  local bin = math.floor(took * 20)
  bins[bin] = (bins[bin] or 0) + 1
end
local threads = {}
local original = setup
function setup(thread) original(thread); table.insert(threads, thread) end
function done(summary, latency, requests)
  local all, failures = {}, 0
  for _, thread in ipairs(threads) do
    failures = failures + thread:get("failed")
    for bin, count in pairs(thread:get("bins")) do all[bin] = (all[bin] or 0) + count end
  end
  for bin, count in pairs(all) do io.write(string.format("BIN %%d %%d\\n", bin, count)) end
  io.write(string.format("FAILED %%d\\n", failures))
  io.write(string.format("CLIENT %%d %%d %%d %%f\\n", summary.requests, latency:percentile(50), latency:percentile(95), summary.duration / 1e6))
end
"""

WORDS = ["commande", "facture", "livraison", "merci", "bonjour", "price", "please", "problem", "version", "list", "order", "vin", "stock",
         "reunion", "contrat", "the", "de", "linux", "software", "usrp", "radio", "cordialement", "meeting", "invoice", "question"]


def queries():
    """Words, pairs, phrases, fields, dates: what people ask, most of it with many hits."""
    out = [""] + WORDS
    out += ["%s %s" % (a, b) for a, b in zip(WORDS, WORDS[3:])]
    out += ['"%s %s"' % (a, b) for a, b in (("bon", "de"), ("of", "the"), ("merci", "de"), ("thank", "you"))]
    out += ["from:a", "has:attachment", "has:pdf", "date:2024", "date:2003..2008", "subject:re", "larger:100k",
            "%s -%s" % (WORDS[0], WORDS[1]), "%s OR %s" % (WORDS[2], WORDS[8])]
    return out


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def percentile(bins, share):
    """Of a histogram by 0.05 ms, the upper end of the bin."""
    total = sum(bins.values())
    seen = 0
    for bin_, count in sorted(bins.items()):
        seen += count
        if seen >= total * share:
            return (bin_ + 1) / 20
    return 0


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(script, port, options, pid):
    before = cpu_seconds(pid)
    output = run("wrk", "-t2", "-c%d" % options.connections, "-d%ds" % options.seconds, "--timeout", "30s", "-s", script,
                 "http://127.0.0.1:%d/" % port)
    bins = {int(a): int(b) for a, b in re.findall(r"^BIN (\d+) (\d+)$", output, re.M)}
    failed = int(re.search(r"^FAILED (\d+)$", output, re.M).group(1))
    requests, p50, p95, seconds = re.search(r"^CLIENT (\d+) (\d+) (\d+) ([\d.]+)$", output, re.M).groups()
    if failed or not bins:
        sys.exit("page_load: %d of the requests failed:\n%s" % (failed, output))
    return {"pages_per_second": int(requests) / float(seconds), "cpu_ms_per_page": (cpu_seconds(pid) - before) * 1000 / int(requests),
            "server_median_ms": percentile(bins, 0.5),
            "server_p95_ms": percentile(bins, 0.95), "server_p99_ms": percentile(bins, 0.99),
            "client_median_ms": int(p50) / 1000, "client_p95_ms": int(p95) / 1000}


class Idle:
    """Connections that were opened and say nothing."""

    def __init__(self, port, count):
        self.sockets = []
        for _ in range(count):
            self.sockets.append(socket.create_connection(("127.0.0.1", port), 10))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        alive = 0
        for each in self.sockets:
            each.setblocking(False)
            try:
                alive += each.recv(1) != b""
            except BlockingIOError:
                alive += 1
            each.close()
        if alive < len(self.sockets) * 0.99:
            sys.exit("page_load: only %d of the %d idle connections were still open at the end" % (alive, len(self.sockets)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--keep", metavar="DIR", help="keep the archive there, and use the one that is there")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("page_load: wrk is not installed — apt-get install wrk")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))

    scratch = tempfile.mkdtemp(prefix="page-load-")
    archive = options.keep or os.path.join(scratch, "archive")
    ctl = [os.path.join(BIN, "archctl"), "--archive", archive]
    if not os.path.exists(os.path.join(archive, "archive.toml")):
        run(*ctl[:1], "init", archive)
        print(run(*ctl, "import", "--quiet", options.corpus).strip() or "imported", file=sys.stderr)
    # Idle connections are closed after a minute; the ones of this test have to live as long as a round.
    daemon = subprocess.Popen([os.path.join(BIN, "archd"), "--archive", archive, "--http", "inet:127.0.0.1:0", "engine"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        ready = daemon.stdout.readline()
        port = int(re.search(r"http=inet:127\.0\.0\.1:(\d+)", ready).group(1))
        script = os.path.join(scratch, "ask.lua")
        targets = ", ".join(json.dumps("/?q=" + urllib.parse.quote(query)) for query in queries())
        with open(script, "w") as file:
            file.write(LUA % targets)
        measure(script, port, argparse.Namespace(**{**vars(options), "seconds": 3}), daemon.pid)  # facets are counted, caches are warm
        alone, beside = [], []
        for _ in range(options.rounds):
            alone.append(measure(script, port, options, daemon.pid))
            with Idle(port, options.idle):
                beside.append(measure(script, port, options, daemon.pid))
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(scratch, ignore_errors=True)

    status = json.loads(run(*ctl, "status", "--json"))
    result = {"messages": status.get("messages"), "queries": len(queries()), "connections": options.connections, "idle": options.idle}
    print("%s messages, %d queries, %d connections; medians of %d rounds of %d s" % (
        result["messages"], result["queries"], options.connections, options.rounds, options.seconds))
    print("%-22s %12s %14s %8s" % ("", "alone", "+%d idle" % options.idle, "ratio"))
    for key in alone[0]:
        one, other = statistics.median(r[key] for r in alone), statistics.median(r[key] for r in beside)
        result[key] = {"alone": one, "beside_idle": other, "ratio": other / one if one else None}
        print("%-22s %12.2f %14.2f %8.2f" % (key, one, other, other / one if one else 0))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
