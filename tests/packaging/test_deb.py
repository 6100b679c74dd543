"""Claim   The Debian package installs on a fresh bookworm with nothing but what it depends on; archive, daemon, delivery, search
        and verification work there as the installed user; removing and purging it leaves the archive and nothing else. Under
        systemd both units run with all of their hardening, come back after a kill and a reboot, and stop when purged.
Method  debootstrap makes a root (kept as a tarball below build/), by the mirror of this machine's apt configuration. Every file of
        the root is compared before the installation and after the purge. Then the same root is booted by systemd-nspawn.
Teeth   The mail that was archived is read back, byte for byte, by the programs of this build after the purge.

Needs root, and tools/dev/install-packages package-test. ARCH_DEB names a package; else one is made by cpack of this build.
"""

import glob
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ.get("ARCH_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BIN = os.environ.get("ARCH_BIN", os.path.join(SOURCE, "build", "release", "bin"))
CACHE = os.path.join(SOURCE, "build", "package-test")
SUITE = "bookworm"
MAIL = b"From: Claire Moreau <claire@dupont.example>\r\nTo: Paul Girard <paul@vignes.example>\r\nSubject: Devis %s\r\n" \
       b"Date: Mon, 3 Jun 2024 10:00:00 +0200\r\nMessage-ID: <%s@dupont.example>\r\n\r\nBonjour, voici le devis.\r\n"

# What dpkg, apt and the dynamic linker write of themselves whatever is installed and purged.
BOOKKEEPING = ("/var/lib/dpkg/status", "/var/lib/dpkg/diversions", "/var/lib/dpkg/lock", "/var/lib/dpkg/triggers/", "/var/log/",
               "/var/lib/apt/", "/var/cache/", "/var/lib/dpkg/available", "/var/lib/dpkg/info/format", "/etc/ld.so.cache")
# The user stays, since the archive's files are its (Debian policy 9.2.2 leaves that open).
ACCOUNTS = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")


def run(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout[-6000:]}")
    return done.stdout


def say(text):
    print(f"test_deb: {text}", flush=True)


def mirrors():
    """Site, suite and component of every Debian archive in apt's configuration that is of this suite."""
    lines = run("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages").splitlines()
    found = sorted({tuple(line.split()) for line in lines if len(line.split()) == 3})
    found = [(site, suite, part) for site, suite, part in found if suite == SUITE or suite.startswith(SUITE + "-")]
    if not any(suite == SUITE and part == "main" for _, suite, part in found):
        raise AssertionError(f"apt's configuration names no mirror of {SUITE}: this test runs on a Debian of that release")
    return found


def fresh_root(path):
    """A root of debootstrap's in `path`, with this machine's mirrors."""
    architecture = run("dpkg", "--print-architecture").strip()
    tarball = os.path.join(CACHE, f"{SUITE}-{architecture}.tar")
    os.makedirs(CACHE, exist_ok=True)
    if not os.path.exists(tarball):
        say(f"debootstrap {SUITE} (kept in {os.path.relpath(tarball, SOURCE)})")
        site = next(site for site, suite, part in mirrors() if suite == SUITE and part == "main")
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="new.") as new:
            os.chmod(new, 0o755)  # it becomes the mode of "/"
            run("debootstrap", "--variant=minbase", SUITE, new, site)
            run("tar", "-C", new, "--exclude=./var/cache/apt/archives/*.deb", "--numeric-owner", "-cf", tarball + ".part", ".")
        os.rename(tarball + ".part", tarball)
    run("tar", "-C", path, "--numeric-owner", "-xpf", tarball)
    with open(os.path.join(path, "etc/apt/sources.list"), "w", encoding="ascii") as sources:
        sources.writelines(f"deb {site} {suite} {part}\n" for site, suite, part in mirrors())
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::ForceIPv", "Acquire::Retries")
    with open(os.path.join(path, "etc/apt/apt.conf.d/99host"), "w", encoding="utf-8") as config:
        config.writelines(line + "\n" for line in run("apt-config", "dump").splitlines() if line.startswith(wanted))
        config.write('Binary::apt-get::APT::Keep-Downloaded-Packages "true";\nAPT::Keep-Downloaded-Packages "true";\n')
    if os.path.exists("/etc/resolv.conf"):
        shutil.copyfile("/etc/resolv.conf", os.path.join(path, "etc/resolv.conf"))
    kept = os.path.join(CACHE, "archives")
    for package in glob.glob(kept + "/*.deb"):
        shutil.copy(package, os.path.join(path, "var/cache/apt/archives"))


def in_root(root, script, offline=False):
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", sys.executable, os.path.join(SOURCE, "tests/packaging/enter.py"),
               root] + (["offline"] if offline else [])
    return run(*command, input=script, timeout=900)


def everything_in(root):
    """Path -> kind, mode, owner and content of every file of the root."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            content = ""
            if stat.S_ISLNK(info.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            found[path[len(root):]] = (stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, content)
    return found


def lines_of(root, path):
    try:
        with open(root + path, encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


class DebTest(unittest.TestCase):
    """In the order of their numbers, on one root: each goes on from what the one before left."""

    @classmethod
    def setUpClass(cls):
        for tool in ("debootstrap", "systemd-nspawn", "dpkg-deb", "unshare"):
            if shutil.which(tool) is None:
                raise AssertionError(f"{tool} is missing: tools/dev/install-packages package-test")
        if os.geteuid() != 0:
            raise AssertionError("this test makes roots and enters them: run it as root")
        cls.work = tempfile.mkdtemp(prefix="arch_deb.")
        cls.addClassCleanup(shutil.rmtree, cls.work, ignore_errors=True)
        cls.root = os.path.join(cls.work, "root")
        os.mkdir(cls.root)
        cls.deb = os.environ.get("ARCH_DEB") or cls.make_package()
        say(f"package {os.path.basename(cls.deb)}, {os.path.getsize(cls.deb):,} bytes")
        fresh_root(cls.root)
        shutil.copy(cls.deb, cls.root + "/root/arch.deb")
        shutil.copy(os.path.join(SOURCE, "tests", "data", "mail", "affaire-01-devis.eml"), f"{cls.root}/root/devis.eml")
        for name in (b"un", b"deux", b"trois", b"quatre"):
            with open(f"{cls.root}/root/{name.decode()}.eml", "wb") as file:
                file.write(MAIL % (name, name))

    @classmethod
    def make_package(cls):
        build = os.path.dirname(BIN)
        run("cpack", "-G", "DEB", "--config", os.path.join(build, "CPackConfig.cmake"), "-B", cls.work + "/packages")
        return glob.glob(cls.work + "/packages/*.deb")[0]

    def test_1_the_package_is_one_runtime_package(self):
        files = [line.split()[-1] for line in run("dpkg-deb", "-c", self.deb).splitlines()]
        for file in ("./usr/bin/archd", "./usr/bin/arch-capture", "./usr/bin/arch-extract", "./usr/bin/arch-ocr", "./usr/bin/archctl",
                     "./usr/libexec/arch/archctl-full", "./usr/lib/systemd/system/archd.service",
                     "./usr/share/man/man8/archd.8.gz", "./usr/share/bash-completion/completions/archctl", "./etc/archd/archd.toml"):
            self.assertIn(file, files)
        self.assertFalse([file for file in files if "/include/" in file or file.endswith((".a", ".h", ".cmake"))])
        self.assertEqual(run("dpkg-deb", "-f", self.deb, "Package").strip(), "arch")
        self.assertIn("tesseract-ocr-fra", run("dpkg-deb", "-f", self.deb, "Recommends"))
        depends = run("dpkg-deb", "-f", self.deb, "Depends")
        self.assertIn("librocksdb", depends)
        self.assertNotIn("-dev", depends)

    def test_2_installs_works_and_leaves_only_the_archive(self):
        root = self.root
        in_root(root, "apt-get update -q")
        depends = run("dpkg-deb", "-f", self.deb, "Depends").strip()
        in_root(root, f"apt-get satisfy -y -q --no-install-recommends '{depends}'")
        os.makedirs(os.path.join(CACHE, "archives"), exist_ok=True)
        for package in glob.glob(root + "/var/cache/apt/archives/*.deb"):
            shutil.copy(package, os.path.join(CACHE, "archives"))
        before, accounts = everything_in(root), {path: lines_of(root, path) for path in ACCOUNTS}

        out = in_root(root, "apt-get install -y -q --no-install-recommends /root/arch.deb")
        self.assertIn("1 newly installed", out, "what it depends on was there already")
        self.assertIn("archctl init /var/lib/archd/data", out)

        out = in_root(root, """
            as() { runuser -u archd -- "$@"; }
            as archctl config | grep -x 'data_dir = "/var/lib/archd/data"'
            as archctl init /var/lib/archd/data
            setpriv --reuid archd --regid archd --init-groups archd run 2>/tmp/archd.log & archd=$!
            for i in $(seq 100); do as archctl health --quiet 2>/dev/null && break; sleep 0.2; done
            as archctl health
            archctl lmtp-send inet:127.0.0.1:2424 /root/un.eml
            for i in $(seq 100); do as archctl search devis >/dev/null && break; sleep 0.2; done
            as archctl search devis
            as archctl verify
            kill -TERM $archd; status=0; wait $archd || status=$?
            cat /tmp/archd.log; rm /tmp/archd.log
            echo "archd ended with $status"
        """, offline=True)
        self.assertIn("archived arch:", out)
        self.assertIn("Devis un", out)
        self.assertRegex(out, r"(?m)^sound")
        self.assertIn("archd ended with 0", out)
        self.assertNotIn("restricted", out)  # the sandbox of arch-capture is whole
        say("main job done in the chroot")

        in_root(root, "dpkg --remove arch")
        self.assertTrue(os.path.exists(root + "/etc/archd/archd.toml"), "remove keeps the configuration")
        self.assertFalse(os.path.exists(root + "/usr/bin/archd"))
        out = in_root(root, "dpkg --purge arch")
        self.assertIn("stays", out)

        after = everything_in(root)
        changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        changed = [path for path in changed if not path.startswith(BOOKKEEPING)]
        archive = [path for path in changed if path == "/var/lib/archd" or path.startswith("/var/lib/archd/")]
        self.assertIn("/var/lib/archd/data/archive.toml", archive)
        rest = [path for path in changed if path not in archive]
        self.assertEqual([path for path in rest if path.rstrip("-") not in ACCOUNTS], [])
        for path in ACCOUNTS:
            left = [line.split(":")[0] for line in lines_of(root, path) if line not in accounts[path]]
            self.assertIn(left, ([], ["archd"]), path)

        say(f"purged; left: the archive ({len(archive)} files and folders) and the user archd")
        mine = self.copy_read_by_this_build()
        self.assertRegex(run(*mine, "verify"), r"(?m)^sound")
        original = MAIL % (b"un", b"un")
        shown = subprocess.run([*mine, "show", "--raw", hashlib.sha256(original).hexdigest()], stdout=subprocess.PIPE, check=True)
        self.assertEqual(shown.stdout, original)

    def copy_read_by_this_build(self):
        """The archive as it was left, copied: what root writes in it (when it was verified) the user archd could not replace."""
        copy = tempfile.mkdtemp(dir=self.work)
        shutil.copytree(self.root + "/var/lib/archd/data", copy, dirs_exist_ok=True)
        return [os.path.join(BIN, "archctl"), "--config=/dev/null", "--archive=" + copy]

    def boot(self, name, script):
        """Boots the root; the script runs once the system is up, then it is powered off. Gives what the script printed."""
        root = self.root
        with open(root + "/root/job", "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nset -eux\nas() { runuser -u archd -- \"$@\"; }\n"
                       "finds() { for i in $(seq 150); do as archctl search \"$1\" >/dev/null && break; sleep 0.2; done; as archctl search \"$1\"; }\n"
                       "not() { if \"$@\"; then false; fi; }  # set -e looks past an exclamation mark\n"
                       "running() { grep -lx \"$1\" /proc/[0-9]*/comm 2>/dev/null | cut -d/ -f3; }\n"
                       "pid() { systemctl show -P MainPID $1; }\n"
                       + script + "\necho ALL DONE\n")
        os.chmod(root + "/root/job", 0o755)
        if os.path.exists(root + "/root/job.out"):
            os.remove(root + "/root/job.out")
        unit = root + "/etc/systemd/system/job.service"
        with open(unit, "w", encoding="ascii") as file:
            file.write("[Unit]\nAfter=multi-user.target archd.service\n[Service]\nType=oneshot\nExecStart=/root/job\n"
                       "StandardOutput=append:/root/job.out\nStandardError=inherit\nExecStopPost=systemctl poweroff --no-block\n"
                       "TimeoutStartSec=240\n[Install]\nWantedBy=default.target\n")
        wants = root + "/etc/systemd/system/default.target.wants"
        os.makedirs(wants, exist_ok=True)
        if not os.path.lexists(wants + "/job.service"):
            os.symlink(unit[len(root):], wants + "/job.service")
        # A machine without systemd has nobody to register with; one with systemd gives the machine a scope of its own.
        alone = [] if os.path.isdir("/run/systemd/system") else ["--register=no", "--keep-unit"]
        done = subprocess.run(["systemd-nspawn", "-q", "-D", root, "-M", "arch-test", "-b", "--private-network",
                               # What a machine lets its services do, and nspawn's own filter does not.
                               "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self", *alone],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400, check=False)
        out = "\n".join(lines_of(root, "/root/job.out"))
        if "ALL DONE" not in out:
            self.fail(f"{name}: status {done.returncode}\n{out[-6000:]}\n-- console --\n{done.stdout.decode(errors='replace')[-3000:]}")
        say(f"{name}: done")
        return out

    def test_3_under_systemd_with_all_hardening(self):
        in_root(self.root, "apt-get install -y -q --no-install-recommends /root/arch.deb")
        self.boot("first boot", r"""
            not systemctl is-enabled archd
            systemctl start archd
            systemctl is-active archd
            as archctl health
            finds 'subject:un'                                  # from before the purge
            for who in 'runuser -u archd --' ''; do             # the hardened archd carries it out, for its user and for root
                $who env ARCHCTL_EXPLAIN=1 archctl search subject:un 2>&1 | grep -x 'archctl: archd answered'
            done
            archctl lmtp-send inet:127.0.0.1:2424 /root/deux.eml
            finds 'subject:deux'
            archctl lmtp-send inet:127.0.0.1:2424 /root/devis.eml  # a PDF in it, read by a sealed worker within the unit's sandbox
            finds 'attachment:vasseur'
            # It runs with what the unit says: no capability, no new privilege, a filter; capture adds one of its own.
            main=$(pid archd); capture=$(running arch-capture)
            grep -x 'CapBnd:	0000000000000000' /proc/$main/status
            grep -x 'NoNewPrivs:	1' /proc/$main/status
            grep -x 'Seccomp:	2' /proc/$main/status
            [ "$(awk '/^Seccomp_filters/ {print $2}' /proc/$capture/status)" -gt "$(awk '/^Seccomp_filters/ {print $2}' /proc/$main/status)" ]
            journalctl -u archd -o cat >/tmp/log
            not grep restricted /tmp/log                        # Landlock and seccomp of arch-capture are whole
            [ "$(systemctl show -P WatchdogUSec archd)" = 1min ]
            # Killed, it comes back with everything.
            kill -KILL $main
            for i in $(seq 100); do [ "$(pid archd)" != $main ] && [ "$(pid archd)" != 0 ] && as archctl health -q 2>/dev/null && break; sleep 0.2; done
            [ "$(systemctl show -P NRestarts archd)" = 1 ]
            as archctl health
            # While archd starts it by itself, the other unit refuses, and is not started again and again.
            not systemctl start arch-capture
            [ "$(systemctl show -P ExecMainStatus arch-capture)" = 78 ]
            # As units of their own: mail is taken while archd is stopped.
            sed -i 's/^#managed = true$/managed = false/' /etc/archd/archd.toml
            as archctl config | grep -x 'managed = false'
            systemctl reset-failed
            systemctl restart archd
            systemctl start arch-capture
            as archctl health
            systemctl stop archd
            as archctl health --capture
            archctl lmtp-send inet:127.0.0.1:2424 /root/trois.eml
            sleep 40                                            # longer than WatchdogSec of arch-capture
            systemctl is-active arch-capture
            [ "$(systemctl show -P NRestarts arch-capture)" = 0 ]
            systemctl start archd
            finds 'subject:trois'
            systemctl enable archd arch-capture
            as archctl verify
            # Lines that docs/configuration.md gives for what the hardening forbids; each command first without its line.
            hardened() { # LINE COMMAND
                sed -e 's/^Type=.*/Type=oneshot/' -e '/^Restart/d' -e '/^Watchdog/d' -e '/^StateDirectory/d' -e "s#^ExecStart=.*#$1\nExecStart=$2#" \
                    /usr/lib/systemd/system/archd.service >/run/systemd/system/hardened.service
                systemctl daemon-reload
                systemctl start hardened
            }
            install -d -o archd -g archd /srv/mail
            as archctl init /srv/mail/data
            cp /root/un.eml /srv/un.eml
            not hardened 'ReadWritePaths=/run/archd' '/usr/bin/archctl --archive=/srv/mail/data import /srv/un.eml'
            hardened 'ReadWritePaths=/srv/mail' '/usr/bin/archctl --archive=/srv/mail/data import /srv/un.eml'
            logger -p mail.info -t postfix/smtpd 'connect from unknown[192.0.2.1]'
            sleep 1
            not hardened 'ReadWritePaths=/run/archd' '/usr/bin/archctl reconcile journal'
            hardened 'SupplementaryGroups=systemd-journal' '/usr/bin/archctl reconcile journal'
            journalctl -u hardened -o cat | grep '0 accepted, 0 archived, 0 missing'
        """)
        out = self.boot("second boot", r"""
            systemctl is-active archd arch-capture              # enabled, they came by themselves
            as archctl health
            finds 'subject:trois'
            archctl lmtp-send inet:127.0.0.1:2424 /root/quatre.eml
            finds 'subject:quatre'
            as archctl verify
            DEBIAN_FRONTEND=noninteractive apt-get install -y -q --reinstall /root/arch.deb    # as an upgrade does
            as archctl health
            DEBIAN_FRONTEND=noninteractive dpkg --purge arch
            [ -z "$(running archd)$(running arch-capture)" ]
            not systemctl cat archd
            [ -z "$(find /etc/systemd/system -name 'arch*')" ]
            [ ! -e /run/archd ]
            [ -e /var/lib/archd/data/archive.toml ]
        """)
        self.assertIn("Devis quatre", out)
        self.assertRegex(run(*self.copy_read_by_this_build(), "verify"), r"(?m)^sound")


if __name__ == "__main__":
    unittest.main(verbosity=2)
