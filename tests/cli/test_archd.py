"""archd and archctl side by side.

Claim   The daemon takes mail, makes it findable within seconds, restarts what dies, stops in good order, and works beside
        every archctl command; a second one on the same archive is refused.
Method  Real processes on loopback ports.
Teeth   Processes are killed with SIGKILL; what was acknowledged is compared byte for byte afterwards.
"""

import os
import signal
import socket
import subprocess
import threading
import unittest

from support import ArchiveTest, Daemon, digest, mail, program, wait_for


def children(pid):
    out = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rsplit(")", 1)
                if int(fields[1].split()[1]) == pid:
                    out.append((int(name), fields[0].split("(", 1)[1]))
            except (OSError, IndexError):
                pass
    return out


class Archd(ArchiveTest):
    def setUp(self):
        super().setUp()
        self.init()

    def send(self, daemon, content, status=0):
        return self.run_ctl("lmtp-send", "--from", "claire@dupont.example", daemon.address, self.put("fresh.eml", content), status=status)

    def child(self, daemon, name):
        found = [pid for pid, each in children(daemon.process.pid) if each == name]
        return found[0] if found else None

    def test_mail_is_found_seconds_after_it_was_taken(self):
        daemon = Daemon(self)
        content = mail(1, "zebrastripe", "\r\n")
        self.assertIn(digest(content)[:16].encode(), self.send(daemon, content).stdout)
        search = [program("archctl"), "--archive", self.archive, "search", "zebrastripe"]
        self.assertTrue(wait_for(lambda: subprocess.run(search, capture_output=True, env=self.environment).returncode == 0, 5))
        self.assertEqual(self.run_ctl("show", "--raw", digest(content)).stdout, content)
        self.assertEqual(daemon.stop(), 0)
        self.run_ctl("verify")

    def test_the_index_is_built_anew_beside_the_old_one(self):
        """Alone, and beside a daemon under a steady search: it always answers, and at the end there is one generation, the new one."""
        self.run_ctl("import", self.put_mails("mail", 300))
        generations = lambda: [name for name in os.listdir(os.path.join(self.archive, "index")) if name.startswith("g")]
        self.assertEqual(generations(), ["g0001"])
        self.assertEqual(self.run_ctl("reindex").stdout, b"the index is new\n")
        self.assertEqual(generations(), ["g0002"])
        self.assertEqual(self.json_of("search", "commande")["total"], 300)
        daemon = Daemon(self)
        process = subprocess.Popen([program("archctl"), "--archive", self.archive, "reindex"], env=self.environment, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            self.assertEqual(self.json_of("search", "commande")["total"], 300)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(generations(), ["g0003"])
        self.assertEqual(self.json_of("search", "commande")["total"], 300)
        self.assertIsNone(self.json_of("status")["reindexing"])
        self.send(daemon, mail(900, "tardive", "\r\n"))
        self.assertTrue(wait_for(lambda: self.json_of("search", "tardive", status=self.statuses)["total"] == 1, 5))
        self.assertEqual(daemon.stop(), 0)

    def test_a_reindexing_that_was_killed_goes_on(self):
        self.run_ctl("import", self.put_mails("mail", 3000))
        process = subprocess.Popen([program("archctl"), "--archive", self.archive, "reindex", "-q"], env=self.environment)
        index = os.path.join(self.archive, "index")
        wait_for(lambda: os.path.exists(os.path.join(index, "g0002", "state.json")) or process.poll() is not None)
        process.kill()
        process.wait()
        self.assertEqual(self.json_of("search", "commande")["total"], 3000)  # the old one, or the new one, never half of one
        daemon = Daemon(self)
        self.assertTrue(wait_for(lambda: os.listdir(index).count("g0001") == 0, 20))
        self.assertEqual(self.json_of("search", "commande")["total"], 3000)
        self.assertEqual(daemon.stop(), 0)

    def test_a_saved_search_tells_of_new_mail_once(self):
        letters = os.path.join(self.root, "letters")
        os.mkdir(letters)
        sendmail = self.put("sendmail", b'#!/bin/sh\ncd "%s" && cat >$$.tmp && mv $$.tmp $$.eml\n' % letters.encode())
        os.chmod(sendmail, 0o755)
        with open(self.environment["ARCHD_CONFIG"], "a") as file:
            file.write(f'[report]\nfrom = "archive@vignes.example"\nsendmail = "{sendmail}"\n')
        self.run_ctl("import", self.put_mails("mail", 3))
        self.run_ctl("saved", "add", "litiges", "--mail=droit@vignes.example", "litige OR contentieux")
        self.run_ctl("saved", "add", "litiges", "x", status=73)
        self.run_ctl("saved", "add", "mauvais", "form:x", status=64)
        self.run_ctl("saved", "add", "muet", "commande")
        self.assertEqual([each["name"] for each in self.json_of("saved", "list")["searches"]], ["litiges", "muet"])
        daemon = Daemon(self)
        self.send(daemon, mail(10, "litige", "\r\n"))

        def written():
            """Letters about the search; a machine with a small disk also gets one about that."""
            out = []
            for name in sorted(os.listdir(letters)):
                with open(os.path.join(letters, name)) as file:
                    if name.endswith(".eml") and "To: postmaster" not in file.read():
                        out.append(name)
            return out

        self.assertTrue(wait_for(lambda: len(written()) == 1, 30))
        with open(os.path.join(letters, written()[0])) as file:
            letter = file.read()
        for word in ("To: droit@vignes.example", "Commande 10 litige", "arch:" + digest(mail(10, "litige", "\r\n"))[:16], "Auto-Submitted: auto-generated"):
            self.assertIn(word, letter)
        # The letter itself is mail too: it is no news. Nor is the old news after a restart.
        self.run_ctl("lmtp-send", "--from", "archive@vignes.example", daemon.address, self.put("letter.eml", letter.encode()))
        self.send(daemon, mail(11, "", "\r\n"))
        self.assertTrue(wait_for(lambda: self.json_of("search", "subject:11", status=self.statuses)["total"] == 1, 5))
        self.assertEqual(daemon.stop(), 0)
        daemon = Daemon(self)
        self.send(daemon, mail(12, "contentieux", "\r\n"))
        self.assertTrue(wait_for(lambda: len(written()) == 2, 30))
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(len(written()), 2)
        self.assertIn(b"Commande 12 contentieux", self.run_ctl("saved", "run", "litiges").stdout)
        self.run_ctl("saved", "remove", "litiges")
        self.run_ctl("saved", "run", "litiges", status=66)
        self.run_ctl("saved", "sing", status=64)

    def test_import_and_pack_beside_it(self):
        daemon = Daemon(self)
        folder = self.put_mails("mail", 20)
        first = self.json_of("import", "--wait", folder)
        self.assertEqual((first["stored"], first["searchable"]), (20, True))
        self.assertEqual(self.json_of("search", "commande")["total"], 20)
        again = self.json_of("import", folder)
        self.assertEqual((again["stored"], again["already_known"]), (0, 20))
        self.send(daemon, mail(50, line_end="\r\n"))
        result = self.json_of("pack")
        self.assertEqual((result["messages"], result["journal_files"]), (21, 0))
        self.assertEqual(daemon.stop(), 0)

    def test_a_second_one_is_refused(self):
        daemon = Daemon(self, "engine")
        self.assertRegex(daemon.ready, "^ready engine")
        done = subprocess.run([program("archd"), "--archive", self.archive, "engine"], capture_output=True, env=self.environment, timeout=60)
        self.assertEqual(done.returncode, 75)
        self.assertIn(b"archd", done.stderr)
        self.complaint("rebuild", status=75)
        self.assertEqual(daemon.stop(), 0)

    def test_no_archive(self):
        done = subprocess.run([program("archd"), "--archive", os.path.join(self.root, "no"), "run"], capture_output=True, env=self.environment, timeout=60)
        self.assertEqual(done.returncode, 66)
        self.assertIn(b"archctl init", done.stderr)

    def test_an_address_that_is_taken(self):
        import socket
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "inet:127.0.0.1:%d" % taken.getsockname()[1]
            done = subprocess.run([program("archd"), "--archive", self.archive, "--lmtp", address, "run"], capture_output=True, env=self.environment, timeout=60)
        self.assertEqual(done.returncode, 73)

    def test_an_engine_that_dies_does_not_stop_capture(self):
        daemon = Daemon(self)
        capture = self.child(daemon, "arch-capture")
        engine = self.child(daemon, "archd")
        os.kill(engine, signal.SIGKILL)
        content = mail(2, "afterwards", "\r\n")
        self.send(daemon, content)
        self.assertEqual(self.child(daemon, "arch-capture"), capture)
        self.assertTrue(wait_for(lambda: self.child(daemon, "archd") not in (None, engine)))
        show = [program("archctl"), "--archive", self.archive, "show", "--raw", digest(content)]
        self.assertTrue(wait_for(lambda: subprocess.run(show, capture_output=True, env=self.environment).stdout == content))
        self.assertEqual(daemon.stop(), 0)

    def test_capture_that_dies_is_started_again_and_keeps_what_it_acknowledged(self):
        daemon = Daemon(self)
        content = mail(3, "before", "\r\n")
        self.send(daemon, content)
        capture = self.child(daemon, "arch-capture")
        os.kill(capture, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: self.child(daemon, "arch-capture") not in (None, capture)))
        self.assertEqual(daemon.stop(), 0)
        self.run_ctl("pack")
        self.assertEqual(self.run_ctl("show", "--raw", digest(content)).stdout, content)

    def test_killed_it_leaves_nothing_running_and_loses_nothing(self):
        daemon = Daemon(self)
        content = mail(4, "killed", "\r\n")
        self.send(daemon, content)
        processes = [pid for pid, _ in children(daemon.process.pid)]
        self.assertEqual(len(processes), 2)
        daemon.process.kill()
        daemon.process.wait()
        self.assertTrue(wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in processes)))
        again = Daemon(self)
        self.assertIsNotNone(again.address)
        self.assertTrue(wait_for(lambda: subprocess.run([program("archctl"), "--archive", self.archive, "show", "--raw", digest(content)],
                                                        capture_output=True, env=self.environment).stdout == content))
        self.assertEqual(again.stop(), 0)
        self.run_ctl("verify")

    def test_capture_as_a_unit_of_its_own_takes_mail_while_the_engine_is_away(self):
        """With the listeners and limits of the configuration; while archd starts capture by itself, it refuses."""
        refused = subprocess.run([program("archd"), "--archive", self.archive, "capture"], capture_output=True, env=self.environment,
                                 timeout=60)
        self.assertEqual(refused.returncode, 78)
        self.assertIn(b"managed = false", refused.stderr)
        self.environment["ARCHD_CONFIG"] = self.put("unmanaged.toml", b'[archive]\nreserve_bytes = "1M"\n[capture]\nmanaged = false\n'
                                                    b'accept_rcpt = ["archive@*"]\n')
        capture = Daemon(self, "capture")
        content = mail(7, "unmanaged", "\r\n")
        self.send(capture, content)
        self.assertIn(b"550", self.run_ctl("lmtp-send", "--to=other@archive.invalid", capture.address, self.put("x.eml", content),
                                           status=75).stderr)
        engine = Daemon(self, "--http=none", "run")
        self.assertEqual(engine.ready, "ready engine")
        search = [program("archctl"), "--archive", self.archive, "search", "unmanaged"]
        self.assertTrue(wait_for(lambda: subprocess.run(search, capture_output=True, env=self.environment).returncode == 0, 10))
        self.assertEqual(engine.stop(), 0)
        self.send(capture, mail(8, "unmanaged", "\r\n"))
        self.assertEqual(capture.stop(), 0)
        self.run_ctl("verify")

    def test_health_names_what_does_not_answer(self):
        with socket.socket() as one, socket.socket() as two:
            for free in (one, two):
                free.bind(("127.0.0.1", 0))
            lmtp, milter = (f"inet:127.0.0.1:{free.getsockname()[1]}" for free in (one, two))
        page = "unix:" + os.path.join(self.root, "http.sock")
        self.environment["ARCHD_CONFIG"] = self.put("health.toml", f'''[archive]
reserve_bytes = "1M"
[capture]
lmtp = "{lmtp}"
milter = "{milter}"
[http]
listen = "{page}"
'''.encode())
        lines = self.run_ctl("health", status=1).stderr.decode().splitlines()
        self.assertEqual([line.split()[2] for line in lines], [lmtp + ":", milter + ":", page + ":"])
        daemon = Daemon(self, "--lmtp=" + lmtp, "--milter=" + milter, "run")  # and one on a port of its own
        self.assertEqual(len(self.run_ctl("health").stdout.splitlines()), 3)
        self.assertEqual(self.run_ctl("health", "--quiet").stdout, b"")
        self.assertEqual(daemon.stop(), 0)
        with socket.socket() as other:  # somebody else answers there
            other.bind(("127.0.0.1", int(lmtp.rsplit(":", 1)[1])))
            other.listen()

            def refuse():
                with other.accept()[0] as connection:
                    connection.sendall(b"421 too many\r\n")

            answer = threading.Thread(target=refuse)
            answer.start()
            self.assertIn(b"it says: 421 too many", self.run_ctl("health", "--capture", status=1).stderr)
            answer.join()

    def test_wrong_usage(self):
        for words in ((), ("fly",), ("run", "engine"), ("--nonsense", "run")):
            done = subprocess.run([program("archd"), *words], capture_output=True, env=self.environment, timeout=60)
            self.assertEqual(done.returncode, 64, words)
        self.assertIn(b"Exit status", subprocess.run([program("archd"), "--help"], capture_output=True).stdout)


if __name__ == "__main__":
    unittest.main()
