"""archctl as scripts and people meet it.

Claim   Every command does what its help says; bad input gives one clear line, an exit status that is not 0, and loses
        nothing.
Method  Runs the built program on temporary archives.
Teeth   Exit statuses, counts and bytes are compared exactly; the archive is verified at the end of each test that fills one.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

from support import SOURCE, ArchiveTest, Daemon, digest, mail, program


class Import(ArchiveTest):
    def summary(self, *words, status=0):
        return self.run_ctl("import", *words, status=status).stdout.decode().splitlines()[-1]

    def test_a_second_run_stores_nothing(self):
        self.init()
        folder = self.put_mails("mail", 30)
        self.assertEqual(self.summary(folder), "30 read, 30 stored, 0 already known, 0 refused")
        self.assertEqual(self.summary(folder), "30 read, 0 stored, 30 already known, 0 refused")
        before = self.json_of("status")
        self.assertEqual(before["messages"], 30)
        self.assertEqual(before["deliveries"], 30)
        self.run_ctl("verify")

    def test_a_copy_from_elsewhere_is_put_on_record_and_stored_once(self):
        self.init()
        self.summary(self.put_mails("a", 5))
        self.assertEqual(self.summary(self.put_mails("b", 6)), "6 read, 1 stored, 5 already known, 0 refused")
        status = self.json_of("status")
        self.assertEqual((status["messages"], status["deliveries"]), (6, 11))
        # Twice within one run, too.
        self.put_mails("c/x", 3, first=100)
        self.put_mails("c/y", 3, first=100)
        self.assertEqual(self.summary(os.path.join(self.root, "c")), "6 read, 3 stored, 3 already known, 0 refused")

    def test_every_message_comes_back_byte_for_byte(self):
        self.init()
        contents = [mail(1), mail(2, line_end="\r\n"), b"\0\xff\r\n", b"x", b"From a\n\n>From b\n" * 500, os.urandom(200_000)]
        for number, content in enumerate(contents):
            self.put(f"m/{number}.eml", content)
        self.summary(os.path.join(self.root, "m"))
        for packed in (False, True):
            if packed:
                self.run_ctl("pack")
            for content in contents:
                self.assertEqual(self.run_ctl("show", "--raw", digest(content)).stdout, content)

    def test_sample_mail(self):
        self.init()
        folder = os.path.join(SOURCE, "tests", "data", "mail")
        result = self.json_of("import", folder)
        self.assertGreaterEqual(result["stored"], 50)
        self.assertEqual(result["read"], result["stored"] + result["already_known"] + result["refused"])
        for name in os.listdir(folder):
            if name.endswith(".eml") and os.path.getsize(os.path.join(folder, name)) > 0:
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                self.assertEqual(self.run_ctl("show", "--raw", digest(content)).stdout, content, name)

    def test_what_a_folder_holds_besides_mail_is_listed_and_no_error(self):
        self.init()
        folder = self.put_mails("mail", 2)
        self.put("mail/notes.txt", b"buy milk\n")
        self.put("mail/empty.eml", b"")
        done = self.run_ctl("import", folder)
        self.assertEqual(done.stdout.decode().splitlines()[-1], "4 read, 2 stored, 0 already known, 2 refused")
        self.assertIn("notes.txt: not mail", done.stderr.decode())
        self.assertIn("empty.eml: empty file", done.stderr.decode())
        result = self.json_of("import", folder)
        self.assertEqual([r["reason"] for r in result["refusals"]],
                         ["empty file", "not mail: no header field of a mail at its beginning"])

    def test_bad_paths(self):
        self.init()
        good = self.put("good.eml", mail(1))
        line = self.complaint("import", good, os.path.join(self.root, "nowhere"), status=66)
        self.assertIn("nowhere", line)
        self.assertEqual(self.json_of("status")["messages"], 0)  # a spelling mistake stores nothing
        self.assertIn("empty file", self.complaint("import", self.put("empty", b""), status=65))
        self.assertIn("not mail", self.complaint("import", self.put("notes.txt", b"buy milk\n"), status=65))
        # The good one of two is stored all the same.
        self.complaint("import", good, os.path.join(self.root, "notes.txt"), status=65)
        self.assertEqual(self.json_of("status")["messages"], 1)
        self.assertIn("archctl init", self.complaint("import", good, archive=os.path.join(self.root, "no"), status=66))

    def test_an_unreadable_file(self):
        self.init()
        secret = self.put("secret.eml", mail(1))
        os.chmod(secret, 0)
        os.chmod(self.root, 0o777)
        for folder, folders, files in os.walk(self.archive):
            for name in [folder, *(os.path.join(folder, n) for n in folders + files)]:
                os.chmod(name, 0o777 if os.path.isdir(name) else 0o666)
        command = [program("archctl"), "--archive", self.archive, "import", secret]

        def as_nobody():
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)

        # Debian's build trees under /root are closed to others: the program is started from a copy that is not.
        for name in ("archctl-full", "archctl"):
            copy = shutil.copy(program(name), os.path.join(self.root, name))
            os.chmod(copy, 0o755)
        command[0] = copy
        done = subprocess.run(command, capture_output=True, env=self.environment, preexec_fn=as_nobody, timeout=60)
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertIn(b"permission denied", done.stderr)

    def test_an_mbox_keeps_its_separators(self):
        self.init()
        box = self.put("box", b"From a@b.example Mon Jun  3 12:50:27 2024\n" + mail(1) + b"\nFrom - \n" + mail(2))
        self.assertEqual(self.summary(box), "2 read, 2 stored, 0 already known, 0 refused")
        self.assertEqual(self.run_ctl("show", "--raw", digest(mail(1) + b"\n")).stdout, mail(1) + b"\n")
        shown = self.json_of("show", digest(mail(2)))
        self.assertIn("box#", json.dumps(shown))

    def test_a_full_disk_is_said_and_nothing_is_lost(self):
        mount = os.path.join(self.root, "small")
        os.mkdir(mount)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", mount], capture_output=True).returncode != 0:
            print("no mount here: the full disk was not tried")
            return
        self.addCleanup(subprocess.run, ["umount", "-l", mount])
        archive = os.path.join(mount, "archive")
        self.run_ctl("init", archive)
        self.run_ctl("import", self.put_mails("first", 20), archive=archive)
        for number in range(60):
            self.put(f"big/{number:02}.eml", mail(number) + os.urandom(4 << 20))
        done = self.run_ctl("import", "-q", os.path.join(self.root, "big"), archive=archive, status=74)
        lines = done.stderr.decode().splitlines()
        self.assertTrue(any("space" in line.lower() for line in lines), lines)
        # What was there before still is, and can be read, found and verified.
        self.assertEqual(self.run_ctl("show", "--raw", digest(mail(3)), archive=archive).stdout, mail(3))
        self.run_ctl("verify", archive=archive)

    def test_an_interrupted_import_can_be_gone_on_with(self):
        self.init()
        folder = self.put_mails("many", 3000)
        process = subprocess.Popen([program("archctl"), "--archive", self.archive, "import", folder], env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        journal = os.path.join(self.archive, "journal")
        while process.poll() is None and not any(n.endswith(".jnl") for n in os.listdir(journal)):
            pass
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertIn(process.returncode, (0, 130))  # 0: it was quicker than we were
        stored = int(re.search(rb"(\d+) stored", out).group(1))
        self.assertEqual(self.summary(folder),
                         f"3000 read, {3000 - stored} stored, {stored} already known, 0 refused")
        self.assertEqual(self.json_of("status")["deliveries"], 3000)


class Search(ArchiveTest):
    def test_json_has_what_scripts_rely_on(self):
        self.init()
        self.run_ctl("import", self.put_mails("mail", 12))
        answer = self.json_of("search", "--limit", "5", "--", "commande")
        self.assertEqual(answer["total"], 12)
        self.assertIs(answer["total_exact"], True)
        self.assertIn("interpreted", answer)
        self.assertIn("index", answer)
        self.assertEqual(len(answer["hits"]), 5)
        hit = answer["hits"][0]
        self.assertEqual(hit["id"], digest(mail(11)))  # newest first
        self.assertRegex(hit["date"], r"^2024-06-03T08:00:11Z$")
        self.assertIn("claire@dupont.example", json.dumps(hit["from"]))
        self.assertEqual(hit["subject"], "Commande 11")
        self.assertIn("snippet", hit)
        self.assertEqual(self.json_of("search", "commande", "--oldest-first")["hits"][0]["id"], digest(mail(0)))
        self.assertEqual(self.json_of("search", "--no-widen", "commandes", status=1)["total"], 0)
        self.assertEqual(self.json_of("search", "commandes")["total"], 12)

    def test_exit_statuses(self):
        self.init()
        self.run_ctl("import", self.put_mails("mail", 2))
        self.run_ctl("search", "commande")
        self.run_ctl("search", "zzz", status=1)
        self.assertIn("column", self.complaint("search", "from:", status=64))
        self.assertIn("form", self.complaint("search", "form:paul", status=64))
        self.complaint("search", "--limit", "x", "commande", status=64)
        self.complaint("search", "--limit", "10001", "commande", status=64)
        self.run_ctl("search", "--limit", "10000", "commande")
        self.assertIn("--", self.complaint("search", "-commande", status=64))
        self.run_ctl("search", "--", "commande -zzz")

    def test_an_empty_archive_answers(self):
        self.init()
        self.assertEqual(self.json_of("search", "x", status=1)["total"], 0)
        self.assertEqual(self.json_of("status")["messages"], 0)


class Show(ArchiveTest):
    def test_ids(self):
        self.init()
        self.run_ctl("import", self.put_mails("mail", 1))
        whole = digest(mail(0))
        for words in (whole, whole[:8], whole.upper(), "arch:" + whole[:16]):
            self.assertEqual(self.run_ctl("show", "--raw", words).stdout, mail(0))
        self.assertIn("Commande 0", self.run_ctl("show", whole).stdout.decode())
        self.complaint("show", whole[:7], status=65)
        self.complaint("show", "0" * 64, status=66)


class Export(ArchiveTest):
    def test_eml_is_exact_and_mbox_reads_back(self):
        self.init()
        contents = [mail(n, line_end="\r\n" if n % 2 else "\n") for n in range(8)]
        contents.append(mail(8) + b"\nFrom here\n>From there\n")
        for number, content in enumerate(contents):
            self.put(f"m/{number}.eml", content)
        self.run_ctl("import", os.path.join(self.root, "m"))
        out = os.path.join(self.root, "out")
        self.run_ctl("export", "--all", "-o", out)
        found = {}
        for name in os.listdir(out):
            with open(os.path.join(out, name), "rb") as file:
                found[name] = file.read()
        self.assertEqual(sorted(found.values()), sorted(contents))
        for name, content in found.items():
            self.assertRegex(name, r"^2024-06-03T0800\d\dZ_" + digest(content)[:16] + r"\.eml$")
        box = self.run_ctl("export", "--all", "--format=mbox").stdout
        self.assertEqual(len(re.findall(rb"^From ", box, re.M)), 9)
        self.assertIn(b"\n>From here\n>>From there\n", box)
        self.assertNotIn(b"\r", box)
        # What it wrote imports again, mails apart.
        other = os.path.join(self.root, "other")
        self.run_ctl("init", other)
        back = self.run_ctl("import", "--mboxrd", self.put("box", box), archive=other)
        self.assertIn(b"9 read, 9 stored", back.stdout)

    def test_a_query(self):
        self.init()
        self.run_ctl("import", self.put_mails("mail", 3))
        out = os.path.join(self.root, "out")
        self.run_ctl("export", "-o", out, "subject:2")
        self.assertEqual(len(os.listdir(out)), 1)
        self.run_ctl("export", "-o", out, "zzz", status=1)
        self.run_ctl("export", "subject:2", status=64)
        self.run_ctl("export", "-o", out, status=64)
        self.run_ctl("export", "-o", out, "--all", "x", status=64)
        self.run_ctl("export", "-o", out, "--format", "pst", "x", status=64)


class Care(ArchiveTest):
    def test_rebuild_gives_the_same_dump_and_answers(self):
        self.init()
        self.run_ctl("import", self.put_mails("mail", 40))
        self.run_ctl("pack")
        self.run_ctl("import", self.put_mails("more", 10, first=40))
        dump = self.run_ctl("dump").stdout
        answer = self.json_of("search", "commande")
        for folder in ("catalog", "index"):
            shutil.rmtree(os.path.join(self.archive, folder))
        self.run_ctl("rebuild")
        self.assertEqual(self.run_ctl("dump").stdout, dump)
        self.assertEqual(self.json_of("search", "commande")["hits"], answer["hits"])
        self.assertEqual(self.json_of("search", "commande")["total"], 50)
        self.assertGreater(len(dump.splitlines()), 50)
        self.run_ctl("rebuild", "--index")
        self.assertEqual(self.json_of("search", "commande")["total"], 50)

    def test_capacity(self):
        self.init()
        self.run_ctl("import", self.put_mails("mail", 10))
        view = self.json_of("capacity")
        self.assertEqual(view["cap_bytes"], 100 << 30)
        total = 0
        for folder, _, files in os.walk(self.archive):
            total += sum(os.path.getsize(os.path.join(folder, name)) for name in files)
        self.assertEqual(view["used_bytes"], total)
        self.assertIn("100", self.run_ctl("capacity").stdout.decode())

    def test_pack_empties_the_journal(self):
        self.init()
        self.run_ctl("import", self.put_mails("mail", 10))
        result = self.json_of("pack")
        self.assertEqual((result["segments"], result["journal_files"], result["messages"]), (1, 0, 10))
        self.assertEqual(self.json_of("pack")["segments"], 1)  # nothing left to do
        self.assertEqual([n for n in os.listdir(os.path.join(self.archive, "journal")) if n.endswith(".jnl")], [])

    def test_verify_locates_a_flipped_bit(self):
        self.init()
        self.run_ctl("import", self.put_mails("mail", 50))
        self.run_ctl("pack")
        self.run_ctl("verify")
        segment = os.path.join(self.archive, "segments", "00000001.seg")
        self.assertEqual(os.stat(segment).st_mode & 0o777, 0o444)
        with open(segment, "rb") as file:
            content = bytearray(file.read())
        content[len(content) // 3] ^= 4
        os.chmod(segment, 0o644)
        with open(segment, "wb") as file:
            file.write(content)
        for words in (("verify",), ("verify", "--quick"), ("verify", "--since=2020-01-01"), ("verify", "1")):
            done = self.run_ctl(*words, status=1)
            self.assertIn(b"00000001.seg", done.stdout)
        self.run_ctl("verify", "--quick", "--since=2100-01-01")
        report = self.run_ctl("verify", "--json", status=1).stdout.decode().splitlines()
        self.assertEqual(json.loads(report[-1])["result"], "damage")
        self.assertGreater(json.loads(report[0])["offset"], 0)

        self.assertIn(b"damaged", self.run_ctl("status", status=65).stdout)
        done = self.run_ctl("salvage", os.path.join(self.root, "rescued"), status=1)
        self.assertIn(b"not whole", done.stdout)
        self.run_ctl("verify", archive=os.path.join(self.root, "rescued"))

    def test_a_damaged_or_newer_archive_toml(self):
        self.init()
        self.run_ctl("import", self.put_mails("mail", 3))
        path = os.path.join(self.archive, "archive.toml")
        with open(path, "rb") as file:
            good = file.read()
        cases = {good.replace(b"format", b"fromat", 1): "archive.toml", good[: len(good) // 2]: "archive.toml",
                 re.sub(rb"(format\w*\s*=\s*)\d+", rb"\g<1>99", good): "99"}
        self.assertEqual(len(cases), 3)
        for content, word in cases.items():
            with open(path, "wb") as file:
                file.write(content)
            for words in (("search", "x"), ("import", self.root + "/mail"), ("status",), ("pack",)):
                self.assertIn(word, self.complaint(*words, status=65))
        with open(path, "wb") as file:
            file.write(good)
        self.assertEqual(self.json_of("status")["messages"], 3)

    def test_init_never_touches_what_is_there(self):
        self.init()
        self.assertIn("already", self.complaint("init", self.archive, status=73))
        folder = os.path.dirname(self.put("full/file", b"x"))
        self.complaint("init", folder, status=73)
        self.assertEqual(os.listdir(folder), ["file"])
        self.complaint("init", self.put("a-file", b"x"), status=73)

    def test_verify_and_status_without_an_archive(self):
        for command in ("verify", "status", "capacity", "rebuild", "pack", "dump"):
            self.complaint(command, archive=os.path.join(self.root, "nowhere"), status=2 if command == "verify" else 66)


class CommandLine(ArchiveTest):
    def help_texts(self):
        overview = self.run_ctl("--help").stdout.decode()
        names = re.findall(r"^  ([a-z]+) {2,}[A-Z]", overview, re.M)
        return overview, names

    def test_every_command_has_help_with_its_exit_statuses(self):
        overview, names = self.help_texts()
        for name in ("init", "import", "search", "show", "export", "status", "capacity", "verify", "rebuild", "pack", "version"):
            self.assertIn(name, names)
        for name in names:
            text = self.run_ctl(name, "--help").stdout.decode()
            self.assertEqual(text, self.run_ctl("help", name).stdout.decode())
            self.assertTrue(text.startswith(f"Usage: archctl {name}"))
            self.assertIn("Exit status\n", text)
            self.assertTrue(all(len(line) <= 100 for line in text.splitlines()), name)
            self.assertNotIn("\x1b", text)

    def test_manual_and_completions_say_the_same_as_help(self):
        _, names = self.help_texts()
        out = os.path.join(self.root, "man")
        self.run_ctl("generate", "--man", out)
        completions = {shell: self.run_ctl("generate", "--completion", shell).stdout.decode() for shell in ("bash", "zsh", "fish")}
        for name in names:
            options = set(re.findall(r"--([a-z-]+)", self.run_ctl(name, "--help").stdout.decode().split("Options\n")[-1]
                                     .split("Exit status")[0])) if "Options\n" in self.run_ctl(name, "--help").stdout.decode() else set()
            with open(os.path.join(out, f"archctl-{name}.1")) as file:
                page = file.read().replace("\\-", "-")
            for option in options:
                self.assertIn(f"--{option}", page)
                for shell, text in completions.items():
                    self.assertIn(option, text, (shell, name))
        check = subprocess.run(["bash", "-n"], input=completions["bash"].encode(), capture_output=True)
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertIn("bash, zsh or fish", self.complaint("generate", "--completion", "tcsh", status=64))

    def test_wrong_usage(self):
        self.assertIn("did you mean search", self.complaint("serach", "x", status=64))
        self.assertIn("did you mean --json", self.complaint("status", "--jsom", status=64))
        self.complaint("status", "extra", status=64)
        self.complaint("show", status=64)
        self.complaint("search", "--json=yes", "x", status=64)
        self.complaint("search", "x", "--limit", status=64)

    def test_where_the_archive_is_looked_for(self):
        self.init()
        other = os.path.join(self.root, "other")
        self.run_ctl("init", other)
        run = lambda *words, **env: subprocess.run([program("archctl"), *words, "status", "--json"], capture_output=True, cwd=self.root,
                                                   env={**self.environment, **env}, timeout=60)
        identity = lambda done: json.loads(done.stdout)["archive"] if done.returncode == 0 else done.stderr
        first, second = identity(run("--archive", self.archive)), identity(run("--archive", other))
        self.assertNotEqual(first, second)
        self.assertEqual(identity(run(ARCHIVE=other)), second)
        self.assertEqual(identity(run("--archive=" + self.archive, ARCHIVE=other)), first)
        config = self.put("c.toml", f'[archive]\ndata_dir = "{other}"\n'.encode())
        self.assertEqual(identity(run("--config", config)), second)
        os.rename(other, os.path.join(self.root, "data"))
        self.assertEqual(run().returncode, 0)  # ./data

    def test_a_mistake_in_the_configuration(self):
        self.environment["ARCHD_CONFIG"] = self.put("bad.toml", b"[archive]\ncap_byts = 1\n")
        self.assertIn("bad.toml:2: unknown key archive.cap_byts", self.complaint("status", status=78))
        self.environment["ARCHD_CONFIG"] = os.path.join(self.root, "missing.toml")
        self.complaint("status", status=78)

    def test_config_prints_what_it_reads_back(self):
        text = self.run_ctl("config").stdout
        path = self.put("again.toml", text)
        self.assertEqual(self.run_ctl("--config", path, "config").stdout.splitlines()[1:], text.splitlines()[1:])

    def test_a_closed_pipe_ends_quietly_and_a_full_one_is_told(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([program("archctl"), "--help"], stdout=full, stderr=subprocess.PIPE, env=self.environment)
        self.assertEqual(done.returncode, 74)


if __name__ == "__main__":
    unittest.main()
