"""What the command-line tests share: the built programs, a temporary directory, a few mails of our own."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

SOURCE = os.environ.get("ARCH_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BIN = os.environ.get("ARCH_BIN", os.path.join(SOURCE, "build", "release", "bin"))


def program(name):
    return os.path.join(BIN, name)


def mail(number, word="", line_end="\n"):
    """A small mail, the same for the same arguments."""
    lines = [
        "From: Claire Moreau <claire@dupont.example>",
        "To: Paul Girard <paul@vignes.example>",
        f"Subject: Commande {number} {word}".rstrip(),
        f"Date: Mon, 3 Jun 2024 10:{number // 60 % 60:02}:{number % 60:02} +0200",
        f"Message-ID: <{number}@dupont.example>",
        "",
        f"Bonjour, voici la commande {number}.",
        "",
    ]
    return line_end.join(lines).encode()


class ArchiveTest(unittest.TestCase):
    statuses = object()

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="arch_cli.")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.archive = os.path.join(self.root, "archive")
        self.environment = {k: v for k, v in os.environ.items() if k not in ("ARCHIVE", "ARCHD_CONFIG")}
        config = self.put("archd.toml", b'[archive]\nreserve_bytes = "1M"\ntimezone = "UTC"\n')
        self.environment["ARCHD_CONFIG"] = config

    def put(self, name, content):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def put_mails(self, folder, count, first=0):
        for number in range(first, first + count):
            self.put(f"{folder}/{number:04}.eml", mail(number))
        return os.path.join(self.root, folder)

    def run_ctl(self, *words, archive=None, status=0, timeout=120, **more):
        """Runs archctl and checks its exit status; nothing may end by a signal or speak of a fault of the program."""
        command = [program("archctl"), "--archive", archive or self.archive, *words]
        done = subprocess.run(command, capture_output=True, env=self.environment, timeout=timeout, **more)
        if status is self.statuses:  # a search that may find nothing yet
            self.assertIn(done.returncode, (0, 1))
            return done
        self.assertEqual(done.returncode, status, f"{command}\n{done.stdout[-2000:]}\n{done.stderr.decode()[-2000:]}")
        return done

    def init(self):
        self.run_ctl("init", self.archive)

    def json_of(self, *words, **more):
        return json.loads(self.run_ctl(words[0], "--json", *words[1:], **more).stdout)

    def complaint(self, *words, status, **more):
        """The one line on stderr of a command that fails."""
        done = self.run_ctl(*words, status=status, **more)
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("archctl: "), lines)
        return lines[0]


def digest(content):
    return hashlib.sha256(content).hexdigest()


class Daemon:
    """archd of our own on a free port."""

    def __init__(self, test, *words):
        self.log = open(os.path.join(test.root, "archd.log"), "ab")
        self.process = subprocess.Popen(
            [program("archd"), "--archive", test.archive, "--lmtp", "inet:127.0.0.1:0", *(words or ("run",))],
            stdout=subprocess.PIPE, stderr=self.log, env=test.environment)
        test.addCleanup(self.stop)
        self.ready = self.process.stdout.readline().decode().strip()
        self.address = dict(word.split("=", 1) for word in self.ready.split() if "=" in word).get("lmtp")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(60)
        self.process.stdout.close()
        self.log.close()
        self.stop = lambda: status
        return status


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
