"""A kill, and a failing call, at every step of what changes an archive.

Claim   Wherever append, roll, pack, publish, apply, index commit or rebuild is killed, the next run goes on without a hand:
        every mail is there once, byte for byte. A write, sync, rename, open or allocation that fails, once or from then on, loses
        nothing, is said in words, and a failed sync is never tried again on that file.
Method  The installed programs under fault_shim.so. A first run counts the steps; then one run a step. Steps of journal/,
        segments/, tmp/ and state/ are all taken, those of RocksDB and Xapian at a stride (--long: all).
Teeth   Messages and deliveries are counted after a second, undisturbed run; docs/durability.md tells which removed sync,
        check or mark fails here.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys

from support import LONG, Scratch, WORKERS, capture, mail, make_archive, program, read_journal, run_cases, sha  # noqa: F401
from harness import Client

FIRST, SECOND = range(0, 9), range(9, 15)


def steps_of(scratch, *words, **plan):
    log = scratch.join("steps")
    scratch.ctl(*words, env=scratch.shim(LOG=log, **plan))
    with open(log) as file:
        steps = [line.split()[1:3] for line in file]
    os.remove(log)
    return steps


def chosen(steps, catalog_stride, index_stride):
    """Numbers of the steps to take; the same kind of step of a derived store again and again adds little."""
    taken = []
    for number, (_, path) in enumerate(steps, 1):
        stride = catalog_stride if path.startswith("/catalog") else index_stride if path.startswith("/index") else 1
        if "/attempt" in path:
            stride *= 12
        if LONG or number % stride == 0:
            taken.append(number)
    return taken


def prepared(scratch, stage):
    """An archive as each command under test finds it."""
    scratch.ctl("init", scratch.archive)
    first, second = scratch.put_mails("first", FIRST), scratch.put_mails("second", SECOND)
    if stage == "import":
        return
    scratch.ctl("import", "--quiet", first)
    if stage == "pack":
        return
    scratch.ctl("pack", "--quiet")
    scratch.ctl("import", "--quiet", second)


COMMANDS = {
    "import": (("import", "--quiet", "first"), FIRST),
    "pack": (("pack", "--quiet"), FIRST),
    "rebuild": (("rebuild", "--quiet"), (*FIRST, *SECOND)),
}


class Stages:
    def __init__(self):
        self.bases = {}

    def base(self, stage):
        if stage not in self.bases:
            scratch = Scratch()
            prepared(scratch, stage)
            self.bases[stage] = scratch
        return self.bases[stage]

    def close(self):
        for scratch in self.bases.values():
            scratch.__exit__(None)


def words_of(scratch, command):
    return [scratch.join(word) if word in ("first", "second") else word for word in COMMANDS[command][0]]


def again_and_check(scratch, command):
    numbers = COMMANDS[command][1]
    if command == "import":
        scratch.ctl(*words_of(scratch, "import"))
    scratch.ctl("pack", "--quiet")
    everything = {sha(mail(number)) for number in numbers}
    scratch.expect(everything, everything, exactly_once=True)
    total = json.loads(scratch.ctl("search", "--json", "--limit", "1", "commande").stdout)["total"]
    assert total == len(numbers), f"search finds {total}, not {len(numbers)}"
    assert not [n for n in os.listdir(os.path.join(scratch.archive, "journal")) if n.endswith(".jnl")], "journal files are left"


def kill_sweep(stages):
    cases = []
    for command in COMMANDS:
        with Scratch() as scratch:
            shutil.copytree(stages.base(command).path, scratch.path, dirs_exist_ok=True)
            steps = steps_of(scratch, *words_of(scratch, command))
        cases += [(command, number) for number in chosen(steps, 11, 3)]

    def run(case):
        command, number = case
        with Scratch() as scratch:
            shutil.copytree(stages.base(command).path, scratch.path, dirs_exist_ok=True)
            done = scratch.ctl(*words_of(scratch, command), env=scratch.shim(AT=number, DO="kill"), codes=None)
            killed.append(done.returncode == -signal.SIGKILL)
            again_and_check(scratch, command)

    killed = []
    status = run_cases("killed at a step", cases, run)
    # Threads make a run a few steps shorter now and then; a kill that never comes would prove nothing.
    assert sum(killed) * 10 >= len(cases) * 9, f"only {sum(killed)} of {len(cases)} runs were killed"
    return status


FAULTS = [("EIO", "once"), ("ENOSPC", "once"), ("EIO", "ever"), ("ENOSPC", "ever"), ("short", "once")]
OPS = "create,write,sync,rename,unlink,allocate,truncate,open"


def error_sweep(stages):
    cases = []
    for command in ("import", "pack"):
        with Scratch() as scratch:
            shutil.copytree(stages.base(command).path, scratch.path, dirs_exist_ok=True)
            steps = steps_of(scratch, *words_of(scratch, command), OPS=OPS)
        stride = 1 if LONG else 5
        ours = [n for n, (_, path) in enumerate(steps, 1) if not path.startswith(("/catalog", "/index"))]
        others = [n for n, (_, path) in enumerate(steps, 1) if path.startswith(("/catalog", "/index"))]
        numbers = ours[::stride] + others[:: 1 if LONG else 29]
        for at, number in enumerate(numbers):
            faults = FAULTS if LONG else [FAULTS[at % len(FAULTS)], FAULTS[(at + 2) % len(FAULTS)]]
            cases += [(command, number, *fault) for fault in faults]

    def run(case):
        command, number, what, repeat = case
        with Scratch() as scratch:
            shutil.copytree(stages.base(command).path, scratch.path, dirs_exist_ok=True)
            log = scratch.join("steps")
            done = scratch.ctl(
                *words_of(scratch, command), env=scratch.shim(AT=number, DO=what, REPEAT=repeat, OPS=OPS, LOG=log), codes=None
            )
            with open(log) as file:
                steps = [line.split() for line in file]
            hits = [(at, step[1], step[2]) for at, step in enumerate(steps) if step[-1] == "*"]
            if hits and repeat == "once" and what == "EIO":
                at, op, path = hits[0]
                ours = not path.startswith(("/catalog", "/index"))
                if op == "sync" and ours:
                    later = [step for step in steps[at + 1 :] if step[2] == path and step[1] in ("sync", "write") and "." in path]
                    assert not later, f"after its sync failed {path} was used again: {later[:3]}"
                    if path.startswith("/state/access"):  # what was asked for is done; that it is not written down is said
                        assert b"access log" in done.stderr, f"a failed sync of {path} went unsaid"
                    else:
                        assert done.returncode != 0 or command == "pack", f"a failed sync of {path} went unsaid"
            if done.returncode not in (0,) and done.returncode > 0:
                assert done.stderr.strip(), f"exit status {done.returncode} without a word"
            again_and_check(scratch, command)

    return run_cases("failing call", cases, run)


def capture_sweep():
    """arch-capture, one client, one fault a run: what was acknowledged is in the journal, and rests on a sync that succeeded."""
    mails = [mail(number, 2_000) for number in range(8)]

    def talk(scratch, env):
        acknowledged, answers = [], []
        try:
            daemon = capture(scratch, env)
        except AssertionError:
            return acknowledged, answers, None  # it said why it cannot start
        try:
            client = Client(daemon.port(), hello=b"LHLO mx.example", timeout=20)
            for message in mails:
                answer = client.send(b"a@b.example", [b"archive@archive.example"], message)
                answers.append(answer[:3])
                if answer.startswith(b"250"):
                    acknowledged.append(sha(message))
            client.close()
        except (OSError, ConnectionError):
            pass
        daemon.kill_all()
        return acknowledged, answers, daemon

    def new_archive():
        scratch = Scratch()
        make_archive(scratch.archive)
        return scratch

    with new_archive() as scratch:
        log = scratch.join("steps")
        acknowledged, _, _ = talk(scratch, scratch.shim(LOG=log, OPS=OPS))
        assert len(acknowledged) == len(mails)
        with open(log) as file:
            count = len(file.readlines())
    cases = [(number, what, repeat) for number in range(1, count + 1) for what, repeat in [("kill", "once"), *FAULTS]]
    if not LONG:
        cases = cases[::2]

    def run(case):
        number, what, repeat = case
        with new_archive() as scratch:
            log = scratch.join("steps")
            acknowledged, answers, daemon = talk(scratch, scratch.shim(AT=number, DO=what, REPEAT=repeat, OPS=OPS, LOG=log))
            assert not [a for a in answers if a[:1] not in (b"2", b"4")], f"a permanent refusal: {answers}"
            with open(log) as file:
                steps = [line.split() for line in file]
            synced = len([s for s in steps if s[1] == "sync" and s[2].endswith((".jnl", ".new")) and s[-1] != "*"])
            assert len(acknowledged) <= synced, f"{len(acknowledged)} acknowledged, {synced} syncs"
            for at, step in enumerate(steps):
                if step[1] == "sync" and step[-1] == "*" and "." in step[2] and repeat == "once" and what != "kill":
                    later = [s for s in steps[at + 1 :] if s[2] == step[2] and s[1] in ("sync", "write", "allocate")]
                    assert not later, f"after its sync failed {step[2]} was used again: {later[:3]}"
            if daemon is not None and b"451" in answers:
                assert re.search(r"Input/output error|No space left", daemon.log_text()), daemon.log_text()[-500:]
            again, _, daemon = talk(scratch, scratch.environment())
            assert len(again) == len(mails), "the next start takes mail"
            found = {sha(record.message) for record in read_journal(scratch.archive)[0]}
            assert set(acknowledged) <= found, "acknowledged and gone"
            assert found <= {sha(message) for message in mails}

    return run_cases("capture under faults", cases, run)


def memory_sweep():
    """Memory refused at allocation N: capture dies or answers 4xx; what it had acknowledged is whole."""
    mails = [mail(number, 2_000) for number in range(6)]

    def talk(scratch, env):
        """How far it came: nothing, ready, or all mails acknowledged; and which were."""
        acknowledged, ready = [], False
        command = [program("arch-capture"), "--archive", scratch.archive, "--reserve=1M", "--lmtp=inet:127.0.0.1:0"]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            # Without memory for it the line may stay unsaid, so it is not waited for long.
            readable, _, _ = select.select([process.stdout], [], [], 5)
            port = re.search(rb"lmtp=inet:127.0.0.1:(\d+)", process.stdout.readline() if readable else b"")
            ready = port is not None
            try:
                client = Client(int(port.group(1)), hello=b"LHLO mx.example", timeout=10) if ready else None
                for message in mails if ready else []:
                    if client.send(b"a@b.example", [b"archive@archive.example"], message).startswith(b"250"):
                        acknowledged.append(sha(message))
            except (OSError, ConnectionError, ValueError):
                pass
            process.kill()
        return ready, acknowledged

    def first(reached):
        """The smallest N from which on nothing is missed any more until the goal is reached."""
        low, high = 0, 1
        while not probe(high, reached) and high < 1 << 20:
            low, high = high, high * 2
        while high - low > 8:
            middle = (low + high) // 2
            low, high = (low, middle) if probe(middle, reached) else (middle, high)
        return high

    def probe(at, reached):
        with Scratch() as scratch:
            make_archive(scratch.archive)
            ready, acknowledged = talk(scratch, scratch.shim(MALLOC=at, REPEAT="ever"))
            return ready if reached == "ready" else len(acknowledged) == len(mails)

    starts, ends = first("ready"), first("end")
    assert starts < ends, (starts, ends)
    # Up to the first connection there is nothing to lose: that part is taken coarsely.
    numbers = [*range(1, starts, 20 if LONG else 400), *range(starts, ends + 1, 1 if LONG else 20), *range(starts, ends + 1, 7)]
    cases = [(number, repeat) for number in sorted(set(numbers)) for repeat in ("once", "ever")]

    def run(case):
        number, repeat = case
        with Scratch() as scratch:
            make_archive(scratch.archive)
            _, acknowledged = talk(scratch, scratch.shim(MALLOC=number, REPEAT=repeat))
            found = {sha(record.message) for record in read_journal(scratch.archive)[0]}
            assert set(acknowledged) <= found, "acknowledged and gone"
            assert found <= {sha(message) for message in mails}, "half a message"

    return run_cases("memory refused", cases, run)


if __name__ == "__main__":
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")]
    status, stages = 0, Stages()
    try:
        for name, sweep in (
            ("kill", lambda: kill_sweep(stages)),
            ("errors", lambda: error_sweep(stages)),
            ("capture", capture_sweep),
            ("memory", memory_sweep),
        ):
            if not wanted or name in wanted:
                status |= sweep()
    finally:
        stages.close()
    sys.exit(status)
