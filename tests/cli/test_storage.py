"""Where the archive lies and what it takes: volumes, backups, capacity, and the daemon that looks after them.

Claim   Bytes are counted exactly as the file system counts them, whatever happened before; room is added without moving anything; a
        volume that is away costs what lies on it and is named; a backup made beside incoming mail can be restored, and the drill that
        says so can fail; a configuration with a mistake changes nothing; who did what is on record.
Method  The built programs; real mounts (tmpfs) as volumes; SIGKILL and SIGHUP.
Teeth   Sums are compared with du and stat to the byte; digests are compared; each refusal is looked at.
"""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from support import SOURCE, ArchiveTest, Daemon, digest, mail, program, wait_for
from test_archd import children

DRILL = os.path.join(SOURCE, "tools", "restore-drill")


def read(path):
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        return file.read()


class Storage(ArchiveTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.mounted = []
        self.addCleanup(lambda: [subprocess.run(["umount", "-l", path], check=False) for path in self.mounted])

    def mount(self, name, size="64m"):
        path = os.path.join(self.root, name)
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
        self.mounted.append(path)
        return path

    def unmount(self, path):
        subprocess.run(["umount", path], check=True)
        self.mounted.remove(path)

    def stat_bytes(self, *folders):
        total = 0
        for top in folders:
            for folder, _, files in os.walk(top):
                total += sum(os.lstat(os.path.join(folder, name)).st_size for name in files)
        return total

    def du_bytes(self, *folders):
        """The same as du sees it, directories left out."""
        files = subprocess.run(["find", *folders, "-type", "f", "-print0"], check=True, capture_output=True).stdout
        out = subprocess.run(["du", "--apparent-size", "--bytes", "--total", "--files0-from=-"], input=files, check=True, capture_output=True).stdout
        return int(out.decode().splitlines()[-1].split()[0])

    def assert_exact(self, *volumes):
        view = self.json_of("capacity")
        everything = (self.archive, *volumes)
        self.assertEqual(view["used_bytes"], self.stat_bytes(*everything))
        self.assertEqual(view["used_bytes"], self.du_bytes(*everything))
        self.assertEqual(view["segments_bytes"], self.stat_bytes(*(os.path.join(each, "segments") for each in everything)))
        for part in ("journal", "catalog", "index"):
            self.assertEqual(view[part + "_bytes"], self.stat_bytes(os.path.join(self.archive, part)))
        parts = ("segments", "journal", "catalog", "index", "other")
        self.assertEqual(sum(view[part + "_bytes"] for part in parts), view["used_bytes"])
        for kind in ("directions", "contents"):
            self.assertEqual(sum(share["received_bytes"] for share in view[kind]), view["received_bytes"], kind)
            self.assertEqual(sum(share["new_bytes"] for share in view[kind]), view["message_bytes"], kind)
        self.assertEqual(sum(month["received_bytes"] for month in view["months"]), view["received_bytes"])
        return view

    def test_accounting_is_exact_after_everything(self):
        self.put("archd.toml", b'[archive]\nreserve_bytes = "1M"\n[mta]\nown_domains = ["vignes.example"]\n')
        self.run_ctl("import", self.put_mails("mail", 40))
        self.run_ctl("pack")
        first = self.assert_exact()
        self.assertEqual(first["received_bytes"], sum(len(mail(n)) for n in range(40)))
        self.assertEqual([share["name"] for share in first["mailboxes"]], ["paul@vignes.example"])
        self.assertEqual(first["months"][0]["imported_bytes"], first["message_bytes"])

        daemon = Daemon(self)  # a restart, then a kill in the middle of taking mail
        self.run_ctl("lmtp-send", "--from", "claire@dupont.example", "--to", "paul@vignes.example", daemon.address, self.put("x.eml", mail(900, "x", "\r\n")))
        self.assertTrue(wait_for(lambda: self.json_of("status")["messages"] == 41))
        processes = [pid for pid, _ in children(daemon.process.pid)]
        daemon.process.kill()
        daemon.process.wait()
        self.assertTrue(wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in processes)))
        killed = self.assert_exact()
        self.assertEqual(killed["received_bytes"], first["received_bytes"] + len(mail(900, "x", "\r\n")))

        self.run_ctl("pack")
        packed = self.assert_exact()
        self.assertEqual((packed["journal_bytes"], packed["segments"]), (0, 2))
        self.run_ctl("rebuild")
        rebuilt = self.assert_exact()
        for key in ("directions", "contents", "domains", "mailboxes", "months", "messages", "deliveries", "saved"):
            self.assertEqual(rebuilt[key], packed[key], key)

        if os.geteuid() != 0:
            self.skipTest("the rest mounts a file system, which takes root")
        volume = self.mount("disk2")
        self.run_ctl("volume", "add", "--reserve=1M", os.path.join(volume, "arch"))
        second = os.path.join(volume, "arch")
        self.run_ctl("import", self.put_mails("more", 30, first=100))
        self.run_ctl("pack")
        grown = self.assert_exact(second)
        self.assertEqual([v["segments"] for v in grown["volumes"]], [2, 1])
        self.unmount(volume)
        without = self.assert_exact()
        self.assertIn("mounted", without["volumes"][1]["missing"])

    def test_a_volume_that_goes_away_and_comes_back(self):
        if os.geteuid() != 0:
            self.skipTest("mounts a file system, which takes root")
        self.run_ctl("import", self.put_mails("mail", 20))
        self.run_ctl("pack")
        disk = self.mount("disk2")
        self.run_ctl("volume", "add", "--reserve=1M", disk)
        self.run_ctl("import", self.put_mails("more", 20, first=100))
        self.run_ctl("pack")
        there = self.json_of("volume", "list")["volumes"]
        self.assertEqual([v["segments"] for v in there], [1, 1])
        self.assertEqual(os.listdir(os.path.join(disk, "segments")), ["00000002.seg"])
        self.run_ctl("verify")
        keep = os.path.join(self.root, "keep")  # a tmpfs forgets what it held
        shutil.copytree(disk, keep)

        self.unmount(disk)
        self.assertEqual(self.json_of("search", "commande")["total"], 40, "the index knows them all")
        self.assertEqual(self.run_ctl("show", "--raw", digest(mail(3))).stdout, mail(3))
        self.assertIn("a volume is missing", self.complaint("show", "--raw", digest(mail(103)), status=66))
        status = self.run_ctl("status", status=65).stdout.decode()
        self.assertIn("segment 2 cannot be read", status)
        self.assertIn(disk, status)
        self.run_ctl("verify", status=2)
        self.run_ctl("volume", "list", status=1)
        self.assertTrue(self.run_ctl("capacity", "--check", status=2).stdout.startswith(b"CAPACITY CRITICAL"))
        self.assertTrue(self.run_ctl("backup", os.path.join(self.root, "copy"), status=1).stderr)
        # Mail is taken and packed all the same; nothing is written to the empty mount point.
        self.run_ctl("import", self.put_mails("still", 5, first=200))
        self.run_ctl("pack")
        self.assertEqual(os.listdir(disk), [])
        self.assertTrue(os.path.exists(os.path.join(self.archive, "segments", "00000003.seg")))

        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], check=True)
        self.mounted.append(disk)
        shutil.copytree(keep, disk, dirs_exist_ok=True)
        self.assertEqual(self.run_ctl("show", "--raw", digest(mail(103))).stdout, mail(103))
        self.run_ctl("status")
        self.run_ctl("verify")

    def test_the_daemon_tells_of_a_missing_volume_and_takes_it_back(self):
        if os.geteuid() != 0:
            self.skipTest("mounts a file system, which takes root")
        disk = self.mount("disk2")
        self.run_ctl("volume", "add", "--reserve=1M", disk)
        self.unmount(disk)
        daemon = Daemon(self)
        alerts = lambda: [each["key"] for each in self.json_of("status", status=self.statuses)["alerts"]]
        self.assertTrue(wait_for(lambda: "volume-missing" in alerts(), 30), alerts())
        self.assertEqual(daemon.stop(), 0)
        self.assertIn("alert volume-missing", read(os.path.join(self.root, "archd.log")))

    def test_volume_refusals(self):
        self.assertIn("not empty", self.complaint("volume", "add", os.path.dirname(self.put("full/x", b"x")), status=73))
        self.assertIn("inside the archive", self.complaint("volume", "add", os.path.join(self.archive, "segments"), status=73))
        self.complaint("volume", "add", status=64)
        self.complaint("volume", "shrink", status=64)
        self.complaint("volume", "add", "--reserve=lots", os.path.join(self.root, "v"), status=64)
        done = self.run_ctl("volume", "add", os.path.join(self.root, "same"))
        self.assertIn(b"no more room", done.stderr)

    def test_capacity_in_every_form(self):
        self.run_ctl("import", self.put_mails("mail", 10))
        text = self.run_ctl("capacity").stdout.decode()
        self.assertIn("not enough history (0 of 14 days", text)
        self.assertIn("own_domains", text)
        rows = list(csv.DictReader(io.StringIO(self.run_ctl("capacity", "--csv").stdout.decode())))
        self.assertEqual({row["kind"] for row in rows}, {"month", "direction", "content"})
        self.assertEqual(sum(int(row["new_bytes"]) for row in rows if row["kind"] == "content"), self.json_of("capacity")["message_bytes"])
        for language, word in (("fr", "Capacité"), ("en", "Capacity")):
            html = self.run_ctl("capacity", "--html", "--lang", language).stdout.decode()
            self.assertIn(f"<h1>{word}</h1>", html)
            self.assertIsNone(re.search(r'(src|href)="(?!data:)', html))
        self.complaint("capacity", "--csv", "--json", status=64)
        self.complaint("capacity", "--html", "--lang=de", status=64)

        # The one line of a monitoring plugin: text, a bar, performance data; exit 0 to 3.
        shape = re.compile(rb"^CAPACITY (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+( \| used=\d+B;\d+;\d+;0;\d+ free=\d+B( days=\d+;180:;30:;0;)?)?\n$")
        used = self.json_of("capacity")["used_bytes"]
        for cap, status, state in ((used * 100, 0, b"OK"), (used * 4 // 3, 1, b"WARNING"), (used * 100 // 95, 2, b"CRITICAL"), (used // 2, 2, b"CRITICAL")):
            self.put("archd.toml", f'[archive]\nreserve_bytes = "1M"\ncap_bytes = {max(cap, 1 << 20)}\n'.encode())
            if cap < 1 << 20:
                continue
            line = self.run_ctl("capacity", "--check", status=status).stdout
            self.assertRegex(line, shape)
            self.assertIn(b"CAPACITY " + state, line)
        line = self.run_ctl("capacity", "--check", archive=os.path.join(self.root, "nothing"), status=3).stdout
        self.assertRegex(line, shape)

    def test_the_daemon_warns_by_mail_once(self):
        sendmail = self.put("sendmail", f"#!/bin/sh\ncat >>{self.root}/mails\n".encode())
        os.chmod(sendmail, 0o755)
        self.run_ctl("import", self.put_mails("mail", 50))
        # As much as lies there is more than 95 % of the smallest cap.
        self.put("big.eml", b"Subject: x\n\n" + os.urandom(1_500_000))
        self.run_ctl("import", os.path.join(self.root, "big.eml"))
        self.put("archd.toml", f'[archive]\nreserve_bytes = "1M"\ncap_bytes = "1M"\n[report]\nto = "chef@vignes.example"\nsendmail = "{sendmail}"\n'.encode())
        mails = lambda: read(os.path.join(self.root, "mails"))
        daemon = Daemon(self)
        self.assertTrue(wait_for(lambda: "capacity-used-95" in mails(), 40))
        text = mails()
        self.assertIn("To: chef@vignes.example", text)
        self.assertEqual(text.count("X-Archd-Alert: capacity-used-95"), 1)
        self.assertEqual(daemon.stop(), 0)
        again = Daemon(self)  # a restart does not repeat it
        time.sleep(12)
        self.assertEqual(mails().count("X-Archd-Alert: capacity-used-95"), 1)
        self.assertEqual(again.stop(), 0)

    def test_backup_and_restore_beside_the_daemon(self):
        self.run_ctl("import", self.put_mails("mail", 50))
        self.run_ctl("pack")
        daemon = Daemon(self)
        copy, restored = os.path.join(self.root, "copy"), os.path.join(self.root, "restored")
        content = mail(700, "fraiche", "\r\n")
        self.run_ctl("lmtp-send", daemon.address, self.put("fresh.eml", content))
        first = self.json_of("backup", copy)
        self.assertEqual((first["segments_copied"], first["problems"]), (1, []))
        second = self.json_of("backup", copy)
        self.assertEqual(second["segments_copied"], 0)
        self.run_ctl("verify", archive=copy)
        view = self.json_of("restore", copy, restored)
        self.assertEqual((view["messages"], view["problems"]), (51, []))
        self.assertEqual(self.run_ctl("show", "--raw", digest(content), archive=restored).stdout, content)
        self.assertEqual(self.json_of("search", "fraiche", archive=restored)["total"], 1)
        self.assertIn("is a copy", self.complaint("import", os.path.join(self.root, "fresh.eml"), archive=copy, status=77))
        refused = subprocess.run([program("archd"), "--archive", copy, "run"], capture_output=True, env=self.environment, timeout=60)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(b"is a copy", refused.stderr)
        capture = subprocess.run([program("arch-capture"), "--archive", copy, "--lmtp", "inet:127.0.0.1:0"], capture_output=True, env=self.environment, timeout=60)
        self.assertIn(b"is a copy", capture.stderr)
        self.complaint("backup", self.archive, status=73)
        self.complaint("restore", self.archive, os.path.join(self.root, "other"), status=66)
        self.complaint("restore", copy, restored, status=73)

        drill = subprocess.run([DRILL, self.archive, "--work", self.root, "--sample", "20"], capture_output=True, env=self.environment, timeout=300)
        self.assertEqual(drill.returncode, 0, drill.stdout + drill.stderr)
        self.assertIn(b"everything is there and the same", drill.stdout)
        self.assertIn(b"compared: 51 messages", drill.stdout)
        self.assertEqual(daemon.stop(), 0)

    def test_the_drill_can_fail(self):
        """A copy whose only segment is of yesterday, though the archive has packed more: the drill sees what is missing."""
        self.run_ctl("import", self.put_mails("mail", 10))
        copy = os.path.join(self.root, "copy")
        self.run_ctl("backup", copy)
        self.run_ctl("import", self.put_mails("more", 10, first=100))
        fake = self.put("fake-bin/archctl", f'''#!/bin/sh
case " $* " in *" backup "*) echo '{{"segments": 1, "segments_copied": 0, "journal_files": 0}}' ;; *) exec {program("archctl")} "$@" ;; esac
'''.encode())
        os.chmod(fake, 0o755)
        drill = subprocess.run([DRILL, self.archive, "--copy", copy, "--work", self.root], capture_output=True,
                               env={**self.environment, "ARCH_BIN": os.path.dirname(fake)}, timeout=300)
        self.assertEqual(drill.returncode, 1, drill.stdout + drill.stderr)
        self.assertIn(b"10 missing", drill.stdout)

    def test_a_damaged_copy_is_told_when_it_is_restored(self):
        self.run_ctl("import", self.put_mails("mail", 30))
        self.run_ctl("pack")
        copy = os.path.join(self.root, "copy")
        self.run_ctl("backup", copy)
        segment = os.path.join(copy, "segments", "00000001.seg")
        os.chmod(segment, 0o644)
        with open(segment, "r+b") as file:
            file.seek(200)
            byte = file.read(1)
            file.seek(200)
            file.write(bytes([byte[0] ^ 1]))
        done = self.run_ctl("restore", copy, os.path.join(self.root, "restored"), status=1)
        self.assertIn(b"00000001.seg", done.stderr)

    def test_sighup_takes_a_configuration_over(self):
        config = self.environment["ARCHD_CONFIG"]
        daemon = Daemon(self)
        engine = lambda: [pid for pid, name in children(daemon.process.pid) if name == "archd"]
        capture = lambda: [pid for pid, name in children(daemon.process.pid) if name == "arch-capture"]
        first, taking = engine(), capture()
        log = lambda: read(os.path.join(self.root, "archd.log"))

        self.put("archd.toml", b'[archive]\nreserve_bytes = "1M"\n[page]\ncolour = "blue"\n')
        daemon.process.send_signal(signal.SIGHUP)
        self.assertTrue(wait_for(lambda: "is not taken over" in log()))
        self.assertIn(f"{config}:3: unknown section [page]", log())
        self.assertEqual((engine(), capture()), (first, taking))

        self.put("archd.toml", b'[archive]\nreserve_bytes = "1M"\n[mta]\nown_domains = ["vignes.example"]\n')
        daemon.process.send_signal(signal.SIGHUP)
        self.assertTrue(wait_for(lambda: engine() not in ([], first)), log())
        self.assertEqual(capture(), taking, "nothing changed for capture")
        self.assertTrue(wait_for(lambda: self.json_of("status")["own_domains"] == ["vignes.example"]))

        self.put("archd.toml", b'[archive]\nreserve_bytes = "1M"\n[capture]\nmax_rcpt = 100\n[mta]\nown_domains = ["vignes.example"]\n[log]\nformat = "json"\n')
        daemon.process.send_signal(signal.SIGHUP)
        self.assertTrue(wait_for(lambda: capture() not in ([], taking)), log())
        lines = lambda: [json.loads(line) for line in log().splitlines() if line.startswith("{")]
        self.assertTrue(wait_for(lambda: any(line.get("event") == "listening" for line in lines())))
        self.assertEqual({"time", "level"} - set(lines()[-1]), set())
        self.assertTrue(wait_for(lambda: any(line.get("program") == "archd" and "ready" in line["text"] for line in lines())), log())
        self.assertEqual(daemon.stop(), 0)

    def test_config_check(self):
        self.assertIn(b"good", self.run_ctl("config", "check").stdout)
        bad = self.put("bad.toml", b'[archive]\ncap_bytes = "many"\n')
        self.assertIn("bad.toml:2", self.complaint("config", "check", bad, status=78))
        absent = self.put("absent.toml", b'[archive]\ntimezone = "Mars/Olympus"\n[mta]\nlog = "/nowhere/mail.log"\nown_domains = ["a.example"]\n[report]\nsendmail = "/nowhere/sendmail"\n')
        told = self.run_ctl("config", "check", absent, status=78).stderr.decode()
        for what in ("archive.timezone", "mta.log", "report.sendmail"):
            self.assertIn(what, told)
        self.complaint("config", "paint", status=64)

    def test_root_leaves_nothing_that_the_owner_cannot_use(self):
        if os.geteuid() != 0:
            self.skipTest("is about what root does")
        os.chmod(self.root, 0o755)
        for folder, _, names in os.walk(self.archive):
            for name in [".", *names]:
                os.chown(os.path.join(folder, name), 65534, 65534)
        secret = self.put_mails("mail", 3)
        os.chmod(secret, 0o700)  # root may read it, and the owner of the archive may not
        self.run_ctl("import", secret)
        self.run_ctl("pack")
        self.run_ctl("verify")
        self.run_ctl("token", "create", "assistant")
        self.run_ctl("search", "commande")
        self.run_ctl("backup", os.path.join(self.root, "copy"))
        strangers = [os.path.join(folder, name) for folder, _, names in os.walk(self.archive) for name in names
                     if os.lstat(os.path.join(folder, name)).st_uid != 65534]
        self.assertEqual(strangers, [])

    def test_acts_are_on_record(self):
        self.run_ctl("import", self.put_mails("mail", 3))
        self.run_ctl("token", "create", "assistant")
        self.run_ctl("token", "list")
        self.run_ctl("search", "commande")
        self.run_ctl("backup", os.path.join(self.root, "copy"))
        self.run_ctl("import", "/nowhere", status=66)
        lines = [json.loads(line) for line in self.run_ctl("access-log", "--json").stdout.splitlines()]
        acts = [(line["action"], line["detail"]) for line in lines if line["surface"] == "archctl"]
        self.assertEqual(acts, [("init", "exit status 0"), ("import", "exit status 0"), ("token", "exit status 0"), ("backup", "exit status 0"),
                                ("import", "exit status 66")])
        self.assertTrue(all(line["who"] for line in lines))
        self.run_ctl("access-log", "--verify")


if __name__ == "__main__":
    unittest.main()
