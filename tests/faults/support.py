"""What the fault tests share: the programs under the shim, a ledger of what was acknowledged, and how it is checked.

A case is one fault at one place. Cases run a few at a time; each has a directory of its own. Nothing here knows how the
archive works: what must hold is read back with archctl, and the journal by its format document (tests/e2e/harness.py).
"""

import concurrent.futures
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from harness import BIN_DIR, Client, Daemon, make_archive, program, read_journal  # noqa: E402

LONG = "--long" in sys.argv
WORKERS = int(os.environ.get("ARCH_FAULT_WORKERS", "3"))
SHIM = os.path.join(BIN_DIR, "fault_shim.so")


def sha(message):
    return hashlib.sha256(message).hexdigest()


def mail(number, size=0):
    """A mail of our own, the same for the same arguments; every third carries the same attachment."""
    head = (
        f"From: Claire Moreau <claire@dupont.example>\r\nTo: Paul Girard <paul@vignes.example>\r\n"
        f"Subject: Commande {number}\r\nDate: Mon, 3 Jun 2024 10:{number // 60 % 60:02}:{number % 60:02} +0200\r\n"
        f"Message-ID: <{number}@dupont.example>\r\n"
    )
    text = f"Bonjour, voici la commande {number}.\r\n" + "".join(f"ligne {number * 7919 + i * i}\r\n" for i in range(size // 16))
    if number % 3:
        return (head + "\r\n" + text).encode()
    attachment = "".join(chr(65 + i % 26) * 76 + "\r\n" for i in range(60))
    return (
        head + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + text
        + "--b\r\nContent-Type: application/pdf; name=tarif.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + attachment + "--b--\r\n"
    ).encode()


class Scratch:
    """A directory for one case, in memory where that can be: a kill needs no disk, and a cut has one of its own in a file."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="arch-faults-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.archive = self.join("archive")
        with open(self.join("archd.toml"), "w") as file:
            # Attachments are read by processes of their own, which the shim would count too (tests/cli/test_documents.py kills those).
            file.write('[archive]\nreserve_bytes = "1M"\ncap_bytes = "1G"\ntimezone = "UTC"\n[documents]\nread = false\n')

    def join(self, *names):
        return os.path.join(self.path, *names)

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        if kind is not None and os.environ.get("ARCH_KEEP"):
            print("kept: " + self.path)
            return
        shutil.rmtree(self.path, ignore_errors=True)

    def environment(self, **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ARCH_FAULT") and k not in ("ARCHIVE", "ARCHD_CONFIG")}
        environment["ARCHD_CONFIG"] = self.join("archd.toml")
        environment.update({k: str(v) for k, v in more.items()})
        return environment

    def shim(self, **plan):
        """The environment of a program under the shim; `plan` without the ARCH_FAULT_ in front."""
        return self.environment(LD_PRELOAD=SHIM, ARCH_FAULT_ROOT=self.archive, **{"ARCH_FAULT_" + k: v for k, v in plan.items()})

    def ctl(self, *words, codes=(0,), env=None, timeout=120):
        done = subprocess.run(
            [program("archctl"), "--archive", self.archive, *words], capture_output=True, env=env or self.environment(), timeout=timeout
        )
        if codes is not None and done.returncode not in codes:
            raise AssertionError(f"archctl {' '.join(words)} gave {done.returncode}\n{done.stdout.decode()[-1500:]}\n{done.stderr.decode()[-1500:]}")
        return done

    def put_mails(self, folder, numbers):
        os.makedirs(self.join(folder), exist_ok=True)
        for number in numbers:
            with open(self.join(folder, f"{number:05}.eml"), "wb") as file:
                file.write(mail(number))
        return self.join(folder)

    def dump(self):
        """Digest -> number of deliveries, as the catalog tells."""
        found, digest = {}, None
        for line in self.ctl("dump").stdout.decode().splitlines():
            if line.startswith("message "):
                digest = line.split()[1]
                found[digest] = 0
            elif line.startswith("  delivery "):
                found[digest] += 1
        return found

    def expect(self, acknowledged, allowed, exactly_once=False):
        """Everything acknowledged is there; nothing but what was sent is; each byte of it is as its digest says."""
        self.ctl("verify", "--quiet")
        found = self.dump()
        missing = set(acknowledged) - set(found)
        assert not missing, f"{len(missing)} acknowledged messages are missing, e.g. {sorted(missing)[0]}"
        strange = set(found) - set(allowed)
        assert not strange, f"messages that nobody sent: {sorted(strange)[:3]}"
        # Whatever the catalog lists can be read, byte for byte: it is not ahead of journal and segments.
        out = self.join("export")
        if found:
            self.ctl("export", "--quiet", "--all", "--output", out)
            bytes_of = {sha(open(os.path.join(out, name), "rb").read()) for name in os.listdir(out)}
            assert bytes_of == set(found), f"{len(found)} are listed, {len(bytes_of)} come back"
            shutil.rmtree(out)
        if exactly_once:
            twice = [digest for digest, count in found.items() if count != 1]
            assert not twice, f"delivered once, recorded otherwise: {twice[:3]} {[found[d] for d in twice[:3]]}"
        return found


class Sender(threading.Thread):
    """An LMTP client that goes on sending, over restarts, and notes what was acknowledged. A mail without an answer is sent
    again, as Postfix would."""

    def __init__(self, ports, first=0, pause=0.0, size=0):
        super().__init__(daemon=True)
        self.ports, self.pause, self.size = ports, pause, size  # ports(): the daemon's port now, or None
        self.number = first
        self.sent, self.acknowledged, self.refused = set(), set(), 0
        self.stopping = threading.Event()
        self.lock, self.power = threading.Lock(), True

    def power_is(self, on):
        """Once the power is gone no answer leaves the machine: one that the shut-down file system still lets through between
        the cut and the end of the process is none."""
        with self.lock:
            self.power = on

    def run(self):
        client = None
        while not self.stopping.is_set():
            try:
                if client is None:
                    port = self.ports()
                    if port is None:
                        time.sleep(0.005)
                        continue
                    client = Client(port, hello=b"LHLO mx.example", timeout=20)
                message = mail(self.number, self.size)
                self.sent.add(sha(message))
                answer = client.send(b"a@b.example", [b"archive@archive.example"], message)
                if answer.startswith(b"250"):
                    with self.lock:
                        if self.power:
                            self.acknowledged.add(sha(message))
                            self.number += 1
                else:
                    self.refused += 1
                    time.sleep(0.01)
                if self.pause:
                    time.sleep(self.pause)
            except (OSError, ConnectionError, ValueError):
                if client is not None:
                    client.socket.close()
                client = None
                time.sleep(0.002)
        if client is not None:
            client.socket.close()

    def stop(self):
        self.stopping.set()
        self.join(30)
        assert not self.is_alive(), "the client hangs"


def capture(scratch, env=None, reserve="1M"):
    return Daemon(
        [program("arch-capture"), "--archive", scratch.archive, "--reserve=" + reserve, "--lmtp=inet:127.0.0.1:0"],
        scratch.join("capture.log"),
        env or scratch.environment(),
    )


def engine(scratch, env=None):
    return Daemon([program("archd"), "--archive=" + scratch.archive, "engine"], scratch.join("engine.log"), env or scratch.environment())


def run_cases(name, cases, run, wanted=None):
    """Runs run(case) for each; prints one line; gives the exit status. `wanted`: the count the table of faults asks for."""
    began, failed = time.monotonic(), []
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        futures = {pool.submit(run, case): case for case in cases}
        for future in concurrent.futures.as_completed(futures):
            if future.exception() is not None:
                failed.append((futures[future], future.exception()))
                if len(failed) == 1:
                    import traceback

                    traceback.print_exception(future.exception())
    for case, error in failed[:20]:
        print(f"FAILED {name} {case}: {error}")
    print(f"{name}: {len(cases)} cases{'' if wanted is None else f' (of {wanted} wanted)'}, {len(failed)} failed, {time.monotonic() - began:.0f} s")
    return 1 if failed or (wanted is not None and len(cases) < wanted) else 0
