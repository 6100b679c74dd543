"""Claim   What is installed beside the programs is right: units that systemd accepts and that leave the services little, manual
        pages without a fault, completions that their shells read, configurations and a page of documentation that name exactly the
        keys that the programs know.
Method  `cmake --install` of the build, as the packages do it, into a directory; then the tools that read such files: systemd-analyze,
        mandoc, man, bash, zsh, fish, shellcheck, and the programs themselves.
Teeth   A unit with a misspelt key, one without hardening, a page with a wrong macro and a configuration with a wrong key are refused
        by the same checks.
"""

import os
import re
import shutil
import subprocess
import tempfile
import tomllib
import unittest

SOURCE = os.environ.get("ARCH_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BIN = os.environ.get("ARCH_BIN", os.path.join(SOURCE, "build", "release", "bin"))
BUILD = os.path.dirname(BIN)
UNITS = ("archd.service", "arch-capture.service")
PROGRAMS = ("archctl", "archd", "arch-capture")
EXPOSURE = 2.5  # systemd-analyze security, of 10


def run(*command, status=0, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout[-3000:]}")
    return done


class FilesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for tool in ("systemd-analyze", "mandoc", "man", "zsh", "fish", "shellcheck"):
            if shutil.which(tool) is None:
                raise AssertionError(f"{tool} is missing: tools/dev/install-packages test")
        cls.stage = tempfile.mkdtemp(prefix="arch_files.")
        cls.addClassCleanup(shutil.rmtree, cls.stage, ignore_errors=True)
        cls.install("/usr")

    @classmethod
    def install(cls, prefix):
        run("cmake", "--install", BUILD, "--prefix", prefix, "--component", "runtime", env={**os.environ, "DESTDIR": cls.stage})

    def at(self, path):
        return os.path.join(self.stage, path.lstrip("/"))

    def text(self, path):
        with open(self.at(path), encoding="utf-8") as file:
            return file.read()

    # ── programs ──

    def test_archctl_finds_what_it_becomes(self):
        """In /usr and in an installation of its own, also through a link and beside arch-extract; without it, it says so."""
        self.install("/opt/arch")
        link = os.path.join(self.stage, "link")
        os.symlink(self.at("/opt/arch/bin/archctl"), link)
        version = run(os.path.join(BIN, "archctl"), "--version").stdout
        for program in (self.at("/usr/bin/archctl"), self.at("/opt/arch/bin/archctl"), link):
            self.assertEqual(run(program, "--version").stdout, version)
        text = os.path.join(self.stage, "note.txt")
        with open(text, "w", encoding="ascii") as file:
            file.write("immortelle\n")
        self.assertIn("immortelle", run(link, "--config=/dev/null", "extract", text, env={**os.environ, "PATH": "/nowhere"}).stdout)
        needed = run("readelf", "-d", link).stdout
        self.assertEqual({name for name in re.findall(r"\[(.*?)\]", needed) if re.search(r"stdc|rocksdb|xapian|ssl|crypto|icu|gmime", name)}, set())
        shutil.rmtree(self.at("/opt/arch/libexec"))
        self.assertIn("cannot start", run(link, "--version", status=69).stdout)

    # ── units ──

    def verify(self, *units):
        # The stage becomes a root: what every unit stands on comes from this machine.
        folder = self.at("/usr/lib/systemd/system")
        for name in os.listdir("/usr/lib/systemd/system"):
            if name.endswith((".target", ".slice", ".mount", ".socket")) and not os.path.lexists(os.path.join(folder, name)):
                shutil.copy(os.path.join("/usr/lib/systemd/system", name), folder, follow_symlinks=False)
        shell = self.at("/bin/sh")
        if not os.path.lexists(shell):
            os.makedirs(os.path.dirname(shell), exist_ok=True)
            shutil.copy(os.path.realpath("/bin/sh"), shell)
        return run("systemd-analyze", "verify", "--man=no", "--root=" + self.stage, *units, status=None)

    def test_systemd_accepts_the_units(self):
        for unit in UNITS:
            self.assertIn(f"ExecStart=/usr/bin/archd ", self.text("/usr/lib/systemd/system/" + unit))
        done = self.verify(*UNITS)
        # Whether plymouth and the like are installed is no matter of ours: every line that names one of these units is.
        self.assertEqual([line for line in done.stdout.splitlines() if "arch" in line], [], done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout)
        with open(self.at("/usr/lib/systemd/system/archbad.service"), "w", encoding="ascii") as file:
            file.write("[Service]\nType=notify\nExecStart=/usr/bin/archd run\nProtectSystm=strict\n")
        self.assertIn("ProtectSystm", self.verify("archbad.service").stdout)

    def exposure(self, path):
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={round(EXPOSURE * 10)}", path, status=None)
        return float(re.search(r"Overall exposure level .*?: ([\d.]+)", done.stdout).group(1)), done.returncode

    def test_the_units_leave_the_services_little(self):
        for unit in UNITS:
            figure, status = self.exposure(self.at("/usr/lib/systemd/system/" + unit))
            print(f"{unit}: exposure {figure}")
            self.assertLessEqual(figure, EXPOSURE)
            self.assertEqual(status, 0)
        bare = os.path.join(self.stage, "bare.service")
        with open(bare, "w", encoding="ascii") as file:
            file.write("[Service]\nExecStart=/usr/bin/archd run\n")
        figure, status = self.exposure(bare)
        self.assertGreater(figure, EXPOSURE)
        self.assertNotEqual(status, 0)

    def test_user_and_directories(self):
        root = os.path.join(self.stage, "host")
        for folder in ("etc", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d", "run", "var/lib"):
            os.makedirs(os.path.join(root, folder))
        for kind in ("sysusers.d", "tmpfiles.d"):
            shutil.copy(self.at(f"/usr/lib/{kind}/arch.conf"), os.path.join(root, "usr/lib", kind))
        run("systemd-sysusers", "--root=" + root, "arch.conf")
        with open(os.path.join(root, "etc/passwd"), encoding="ascii") as file:
            self.assertRegex(file.read(), r"(?m)^archd:.*:/var/lib/archd:\S*nologin$")
        if os.geteuid() == 0:  # it gives directories to the user
            run("systemd-tmpfiles", "--root=" + root, "--create", "arch.conf")
            self.assertEqual(os.stat(root + "/var/lib/archd").st_mode & 0o7777, 0o750)
            self.assertEqual(os.stat(root + "/run/archd").st_mode & 0o7777, 0o755)

    # ── configuration ──

    def config(self, path):
        done = run(os.path.join(BIN, "archctl"), "--config=" + path, "config", status=None)
        return done.returncode, done.stdout

    def check_configuration(self, path, live):
        """Every key of the program stands commented out with its default; uncommented, all of them are accepted."""
        with open(path, encoding="utf-8") as file:
            text = file.read()
        status, effective = self.config("/dev/null")
        self.assertEqual(status, 0)
        defaults = tomllib.loads(effective)
        sections = re.findall(r"(?m)^\[(\w+)\]$", text)
        self.assertEqual(sections, list(defaults))
        only_defaults = re.sub(r"(?m)^\w+ = .*$", "", text)
        self.assertEqual(tomllib.loads(re.sub(r"(?m)^#(\w+ = )", r"\1", only_defaults)), defaults)
        found = tomllib.loads(text)
        self.assertEqual({f"{section}.{key}" for section in found for key in found[section]}, set(live))
        status, effective = self.config(path)
        self.assertEqual(status, 0, effective)
        effective = tomllib.loads(effective)
        for section, keys in defaults.items():
            for key, value in keys.items():
                expected = found[section][key] if f"{section}.{key}" in live else value
                self.assertEqual(effective[section][key], expected, f"{section}.{key}")

    def test_the_installed_configuration_names_every_key(self):
        self.check_configuration(self.at("/etc/archd/archd.toml"), ("archive.data_dir", "report.sendmail"))
        self.check_configuration(os.path.join(BUILD, "packaging", "container.toml"),
                                 ("archive.data_dir", "capture.lmtp", "capture.milter", "capture.peers", "http.listen",
                                  "http.trusted_uids", "report.sendmail"))
        bad = os.path.join(self.stage, "bad.toml")
        with open(bad, "w", encoding="utf-8") as file:
            file.write(self.text("/etc/archd/archd.toml").replace("#cap_bytes", "cap_byte"))
        status, text = self.config(bad)
        self.assertEqual(status, 78)
        self.assertIn("cap_byte", text)

    def test_an_installation_leaves_the_administrators_configuration_alone(self):
        path = self.at("/etc/archd/archd.toml")
        with open(path, "a", encoding="utf-8") as file:
            file.write("# mine\n")
        self.install("/usr")
        self.assertIn("# mine", self.text("/etc/archd/archd.toml"))
        self.install("/opt/arch")  # an installation of its own stays below its prefix
        self.assertTrue(os.path.exists(self.at("/opt/arch/etc/archd/archd.toml")))
        self.assertIn("ExecStart=/opt/arch/bin/archd run", self.text("/opt/arch/lib/systemd/system/archd.service"))
        os.remove(path)
        self.install("/usr")

    def test_the_documentation_names_every_key(self):
        with open(os.path.join(SOURCE, "docs", "configuration.md"), encoding="utf-8") as file:
            documented = file.read().split("<!-- keys -->\n")[1]
        made = run(os.path.join(BIN, "archctl"), "--config=/dev/null", "generate", "--reference=markdown").stdout
        self.assertEqual(documented, made, "docs/configuration.md: put what `archctl generate --reference=markdown` prints below "
                         "<!-- keys -->")

    # ── manual and completions ──

    def lint(self, path):
        """What mandoc and groff find wrong."""
        lint = run("mandoc", "-T", "lint", "-W", "warning", path, status=None).stdout.splitlines()
        # Pages are the same for the same source: no date in them.
        found = [line for line in lint if "missing date" not in line]
        done = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path, status=None)
        return found + ([done.stdout] if ": warning: " in done.stdout or done.returncode else [])

    def test_manual_pages_have_no_fault(self):
        pages = [os.path.join(folder, name) for folder, _, names in os.walk(self.at("/usr/share/man")) for name in names]
        names = {os.path.basename(page) for page in pages}
        self.assertLessEqual({"archctl.1", "archctl-search.1", "archd.8", "arch-capture.8", "archd.toml.5"}, names)
        self.assertGreater(len(pages), 20)
        for page in pages:
            self.assertEqual(self.lint(page), [])
        for program in ("archd", "arch-capture"):
            wanted = set(re.findall(r"--[a-z-]+", run(os.path.join(BIN, program), "--help").stdout.split("Options\n")[1]))
            self.assertGreater(len(wanted), 5)
            page = self.text(f"/usr/share/man/man8/{program}.8").replace("\\-", "-")
            self.assertEqual({option for option in wanted if option not in page}, set())
        bad = os.path.join(self.stage, "bad.1")
        with open(bad, "w", encoding="ascii") as file:
            file.write(".TH BAD 1\n.SH NAME\nbad \\- x\n.NOSUCH y\n")
        self.assertNotEqual(self.lint(bad), [])

    def test_shells_read_their_completions(self):
        for program in PROGRAMS:
            run("bash", "-n", self.at(f"/usr/share/bash-completion/completions/{program}"))
            run("zsh", "-n", self.at(f"/usr/share/zsh/vendor-completions/_{program}"))
            run("fish", "--no-execute", self.at(f"/usr/share/fish/vendor_completions.d/{program}.fish"))

    def bash_offers(self, program, *words):
        script = f'''compopt() {{ :; }}; source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_{program.replace("-", "_")}; printf '%s\\n' "${{COMPREPLY[@]}}"'''
        done = run("bash", "-c", script, "bash", self.at(f"/usr/share/bash-completion/completions/{program}"), program, *words)
        return done.stdout.split()

    def fish_offers(self, program, line):
        done = run("fish", "--no-config", "-c", f"source $argv[1]; complete -C {line!r}",
                   self.at(f"/usr/share/fish/vendor_completions.d/{program}.fish"), env={**os.environ, "HOME": self.stage})
        return [offer.split("\t")[0] for offer in done.stdout.splitlines()]

    def test_completions_offer_commands_and_options(self):
        self.assertEqual(self.bash_offers("archctl", "sea"), ["search"])
        self.assertIn("--as-of=", self.bash_offers("archctl", "search", "--"))
        self.assertEqual(self.bash_offers("archd", "ca"), ["capture"])
        self.assertEqual(self.bash_offers("arch-capture", "--ma"), ["--max-connections=", "--max-rcpt="])
        self.assertIn("search", self.fish_offers("archctl", "archctl sea"))
        self.assertIn("capture", self.fish_offers("archd", "archd ca"))
        self.assertIn("--max-rcpt", self.fish_offers("arch-capture", "arch-capture --max-r"))

    # ── scripts, container files ──

    # What Podman 5's quadlet generator knows of the sections used here (podman-systemd.unit(5)). Debian 12's Podman has none to ask.
    QUADLET = {
        "Container": "ContainerName DropCapability Exec GIDMap HealthCmd HealthInterval HealthOnFailure HealthRetries HealthStartPeriod "
                     "HealthTimeout Image Network NoNewPrivileges Notify PublishPort ReadOnly StopTimeout Tmpfs UIDMap Volume",
        "Volume": "VolumeName",
        "Network": "Gateway NetworkName Subnet",
    }

    def test_quadlets_have_only_keys_that_podman_and_systemd_know(self):
        folder, units = os.path.join(SOURCE, "packaging/container"), os.path.join(self.stage, "quadlets")
        os.makedirs(units)
        for name in ("arch.container", "arch.volume", "arch.network"):
            rest, section = [], None
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                for line in file.read().splitlines():
                    section = line[1:-1] if line.startswith("[") else section
                    if section not in self.QUADLET:
                        rest.append(line)
                    elif "=" in line and not line.startswith("#"):
                        self.assertIn(line.split("=")[0], self.QUADLET[section].split(), name)
            if name == "arch.container":  # the other sections go to systemd as they are
                service = os.path.join(self.at("/usr/lib/systemd/system"), "archquadlet.service")
                with open(service, "w", encoding="utf-8") as file:
                    file.write("\n".join(rest).replace("[Service]", "[Service]\nExecStart=/usr/bin/archd run") + "\n")
                done = self.verify("archquadlet.service")
                self.assertEqual([line for line in done.stdout.splitlines() if "archquadlet" in line], [])

    def test_scripts_and_container_files(self):
        scripts = [os.path.join(SOURCE, "packaging/debian", name) for name in ("postinst", "prerm", "postrm")]
        run("shellcheck", *scripts, os.path.join(SOURCE, "tools/package"))
        for name in ("postrm", "prerm"):
            with open(os.path.join(SOURCE, "packaging/debian", name), encoding="utf-8") as file:
                self.assertNotRegex(file.read(), r"rm\b.*?/var/lib", "the archive is never removed")
        folder = os.path.join(SOURCE, "packaging/container")
        with open(os.path.join(folder, "arch.container"), encoding="utf-8") as file:
            quadlet = file.read()
        for line in ("ReadOnly=true", "NoNewPrivileges=true", "DropCapability=all", "Notify=healthy", "Restart=always"):
            self.assertIn("\n" + line + "\n", quadlet)
        for port in re.findall(r"(?m)^PublishPort=(.*)$", quadlet):
            self.assertTrue(port.startswith("127.0.0.1:"), port)
        for volume in re.findall(r"(?m)^Volume=(\S*)$", quadlet):
            self.assertRegex(volume, r":(.*,)?[zZ](,.*)?$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
