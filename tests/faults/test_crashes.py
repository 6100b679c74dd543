"""Kills at any moment, power cuts, a full disk: the whole daemons under load.

Claim   What a client was answered 250 for is in the archive byte for byte after kill -9 of capture, of the engine or of both,
        after a power cut on ext4 and on xfs, after another one during the recovery; what was not is there whole or not at all.
        A full disk is 452 before the reserve is touched, searching and verifying go on, and mail is taken again without a
        restart once there is room.
Method  The installed daemons; a client that sends without end, keeps a ledger of its 250s and sends again what was not
        answered. A power cut is FS_IOC_SHUTDOWN without flushing the log on a loop-mounted file system of its own: what the
        kernel had not written to the device is gone (ext(4)/xfs journal replay happens at the next mount).
Teeth   The ledger is the client's. tests/faults/mutants.py removes each sync in turn.
Needs   root and loop devices for cuts and the full disk: without them the test fails and says so.
"""

import fcntl
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import threading
import time

from support import LONG, Scratch, Sender, capture, engine, mail, program, run_cases, sha
from harness import Client

SEED = int(os.environ.get("ARCH_SEED", "1"))
GOING_DOWN = 0x8004587D  # FS_IOC_SHUTDOWN: _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2


class Daemons:
    """Capture and engine on one archive, started again at need."""

    def __init__(self, scratch, with_engine=True):
        self.scratch, self.capture, self.engine, self.with_engine = scratch, None, None, with_engine
        self.lock = threading.Lock()

    def up(self):
        with self.lock:
            if self.capture is None:
                self.capture = capture(self.scratch)
            if self.engine is None and self.with_engine:
                self.engine = engine(self.scratch)

    def port(self):
        with self.lock:
            return self.capture.port() if self.capture is not None else None

    def kill(self, which):
        with self.lock:
            for name in which:
                daemon = getattr(self, name)
                if daemon is not None:
                    daemon.kill_all()
                setattr(self, name, None)


# ---- kill -9 under load ------------------------------------------------------------------------------------------------


def kills(share):
    seed, rounds = share
    chance = random.Random(seed)
    with Scratch() as scratch:
        scratch.ctl("init", scratch.archive)
        with open(scratch.join("archd.toml"), "a") as file:
            file.write('[pack]\nbytes = "1M"\n')
        daemons = Daemons(scratch)
        daemons.up()
        senders = [Sender(daemons.port, first=10_000_000 * seed + 1_000_000 * n, size=1_000) for n in range(3)]
        for sender in senders:
            sender.start()
        for _ in range(rounds):
            time.sleep(chance.random() * 0.12)
            daemons.kill(chance.choice([("capture",), ("capture",), ("engine",), ("capture", "engine")]))
            daemons.up()
        for sender in senders:
            sender.stop()
        daemons.kill(("capture", "engine"))
        scratch.ctl("pack", "--quiet")
        acknowledged = set().union(*(sender.acknowledged for sender in senders))
        assert len(acknowledged) > rounds, f"only {len(acknowledged)} mails in {rounds} rounds"
        scratch.expect(acknowledged, set().union(*(sender.sent for sender in senders)))
        return len(acknowledged)


# ---- power cuts --------------------------------------------------------------------------------------------------------


class Disk:
    """A small file system in a file."""

    def __init__(self, kind, megabytes, scratch):
        self.kind, self.image, self.point = kind, scratch.join("disk.img"), scratch.join("mount")
        os.mkdir(self.point)
        with open(self.image, "wb") as file:
            file.truncate(megabytes << 20)
        quiet = ["-q"] if kind == "xfs" else ["-q", "-E", "lazy_itable_init=0"]
        subprocess.run([f"mkfs.{kind}", *quiet, self.image], check=True, capture_output=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.point], check=True, capture_output=True)

    def cut(self):
        descriptor = os.open(self.point, os.O_RDONLY)
        fcntl.ioctl(descriptor, GOING_DOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(descriptor)

    def unmount(self):
        for _ in range(100):
            if subprocess.run(["umount", self.point], capture_output=True).returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError(f"{self.point} stays busy")


def can_mount(kind):
    if os.geteuid() != 0 or shutil.which(f"mkfs.{kind}") is None:
        return "not root, or no mkfs." + kind
    try:
        with Scratch() as scratch:
            disk = Disk(kind, 320, scratch)
            disk.unmount()
    except (subprocess.CalledProcessError, OSError) as error:
        return f"{error} {getattr(error, 'stderr', b'').decode()[-200:] if getattr(error, 'stderr', None) else ''}"
    return ""


def cuts(share):
    kind, seed, rounds = share
    chance = random.Random(seed)
    with Scratch() as scratch:
        disk = Disk(kind, 8192, scratch)  # sparse; each capture that is cut off leaves 64 MiB reserved
        scratch.archive = os.path.join(disk.point, "archive")
        daemons, senders = Daemons(scratch), []
        try:
            scratch.ctl("init", scratch.archive)
            with open(scratch.join("archd.toml"), "a") as file:
                file.write('[pack]\nbytes = "1M"\n')
            subprocess.run(["sync", "-f", disk.point], check=True)
            senders = [Sender(daemons.port, first=10_000_000 * seed + 1_000_000 * n, size=1_000) for n in range(2)]
            for sender in senders:
                sender.start()
            for number in range(rounds):
                daemons.up()
                # Every fourth time the power goes while the daemons are still finding their way.
                time.sleep(chance.random() * (0.02 if number % 4 == 3 else 0.25))
                for sender in senders:
                    sender.power_is(False)
                disk.cut()
                daemons.kill(("capture", "engine"))
                disk.unmount()
                disk.mount()
                for sender in senders:
                    sender.power_is(True)
            for sender in senders:
                sender.stop()
            acknowledged = set().union(*(sender.acknowledged for sender in senders))
            scratch.ctl("pack", "--quiet")
            scratch.expect(acknowledged, set().union(*(sender.sent for sender in senders)))
            state = json.loads(scratch.ctl("status", "--json").stdout)
            assert state["index"]["indexed"] == state["index"]["stored"], state["index"]
            assert not state["alarms"], state["alarms"]
            assert len(acknowledged) > rounds // 2, f"only {len(acknowledged)} mails in {rounds} rounds"
        finally:
            for sender in senders:
                sender.stopping.set()
            daemons.kill(("capture", "engine"))
            disk.unmount()


# ---- a full disk -------------------------------------------------------------------------------------------------------


def full(kind):
    """The disk fills up by others' files; the archive answers 452, goes on answering questions, and takes mail again."""
    with Scratch() as scratch:
        disk = Disk(kind, 512, scratch)
        scratch.archive = os.path.join(disk.point, "archive")
        daemons = Daemons(scratch)
        try:
            scratch.ctl("init", scratch.archive)
            daemons.capture = capture(scratch, reserve="150M")
            daemons.engine = engine(scratch)
            client = Client(daemons.port(), hello=b"LHLO mx.example", timeout=30)
            sent = []
            for number in range(20):
                sent.append(mail(number))
                assert client.send(b"a@b.example", [b"c@d.example"], sent[-1]).startswith(b"250")
            others = os.path.join(disk.point, "others")
            with open(others, "wb") as file:
                while os.statvfs(disk.point).f_bavail * os.statvfs(disk.point).f_frsize > 40 << 20:
                    file.write(bytes(1 << 20))
                    file.flush()
            before = os.statvfs(disk.point)
            refused = client.send(b"a@b.example", [b"c@d.example"], mail(100, 2 << 20))
            assert refused.startswith(b"452 4.3.1"), refused
            free = before.f_bavail * before.f_frsize
            now = os.statvfs(disk.point)
            assert now.f_bavail * now.f_frsize > free - (8 << 20), "the reserve was used"
            scratch.ctl("verify", "--quiet")
            deadline = time.monotonic() + 20
            while True:
                total = json.loads(scratch.ctl("search", "--json", "commande", codes=(0, 1)).stdout)["total"]
                if total >= 20 or time.monotonic() > deadline:
                    break
                time.sleep(0.2)
            os.remove(others)
            deadline = time.monotonic() + 30
            while not client.send(b"a@b.example", [b"c@d.example"], mail(101)).startswith(b"250"):
                assert time.monotonic() < deadline, "mail is not taken again"
                time.sleep(0.2)
            sent.append(mail(101))
            client.close()
            digests = {sha(message) for message in sent}
            deadline = time.monotonic() + 60
            while json.loads(scratch.ctl("search", "--json", "commande", codes=(0, 1)).stdout)["total"] < len(sent):
                assert time.monotonic() < deadline, "the engine does not go on by itself"
                time.sleep(0.3)
            assert daemons.capture.stop() == 0 and daemons.engine.stop() == 0
            daemons.capture = daemons.engine = None
            scratch.ctl("pack", "--quiet")
            scratch.expect(digests, digests, exactly_once=True)
        finally:
            daemons.kill(("capture", "engine"))
            disk.unmount()


def shares(count, of):
    return [count // of + (number < count % of) for number in range(of)]


if __name__ == "__main__":
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")]
    status = 0
    if not wanted or "kills" in wanted:
        rounds = 10_000 if LONG else 200
        status |= run_cases(f"kill -9 ({rounds})", [(SEED + n, share) for n, share in enumerate(shares(rounds, 100 if LONG else 4))], kills)
    kinds = ("ext4", "xfs")
    blocked = {kind: can_mount(kind) for kind in kinds} if not wanted or {"power", "full"} & set(wanted) else {}
    if any(blocked.values()):
        print(f"power cuts and the full disk NOT TESTED: a small file system cannot be mounted here: {blocked}")
        status = 1
    if (not wanted or "power" in wanted) and not any(blocked.values()):
        rounds = 10_000 if LONG else 200
        per_kind = shares(rounds, 200 if LONG else 4)
        status |= run_cases(f"power cuts ({rounds}, a quarter of them during recovery)", [(kinds[n % 2], SEED + n, share) for n, share in enumerate(per_kind)], cuts)
    if (not wanted or "full" in wanted) and not any(blocked.values()):
        status |= run_cases("a full disk, then freed", [kinds[n % 2] for n in range(30 if LONG else 3)], full)
    sys.exit(status)
