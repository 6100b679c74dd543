"""Recipes of docs/postfix.md, and a machine of our own to run them on: private mount and network namespaces in which /etc,
/usr/bin, /run, /srv and Postfix's directories are copies, so that a recipe is applied exactly as it is printed, with Debian's
Postfix and its own master.cf, on the ports and paths of the page.
"""

import ctypes
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess

import harness

DOCUMENT = os.path.join(harness.SOURCE_DIR, "docs", "postfix.md")
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18


def parse(text):
    """name -> {file: [text, …]} of the page: a comment `<!-- recipe: NAME -->`, then fenced blocks up to the next heading.
    In a block, a line `# /path/of/file` says where the lines below it go."""
    recipes = {}
    current, fenced, path = None, False, None
    for line in text.splitlines():
        marker = re.match(r"<!-- recipe: ([a-z-]+) -->", line)
        if marker:
            current = recipes.setdefault(marker.group(1), {})
        elif line.startswith("```"):
            fenced, path = not fenced, None
        elif not fenced and line.startswith("#"):
            current = None
        elif fenced and current is not None:
            where = re.match(r"# (/\S+)$", line)
            if where:
                path = where.group(1)
                current.setdefault(path, [])
            elif path is not None:
                current[path].append(line)
    return {name: {path: "\n".join(lines).strip("\n") + "\n" for path, lines in files.items()} for name, files in recipes.items()}


def document():
    with open(DOCUMENT, encoding="utf-8") as file:
        return parse(file.read())


_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what + ": " + os.strerror(ctypes.get_errno()))


def _mount(source, target, kind, flags=0, data=""):
    _check(_libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()), "mount " + target)


def enter(scratch):
    """This process, and what it starts, on a machine of its own. Errors: OSError (no right to make namespaces)."""
    _check(_libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
    _mount("none", "/", "none", MS_REC | MS_PRIVATE)
    # The loopback interface of a new namespace is down.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running
    # An upper layer cannot lie on an overlay; a tmpfs can always hold it.
    layers = scratch.join("layers")
    os.makedirs(layers)
    _mount("tmpfs", layers, "tmpfs")
    for path in ("/etc", "/usr/bin"):
        upper, work = (os.path.join(layers, path.strip("/").replace("/", "-") + end) for end in ("-upper", "-work"))
        os.makedirs(upper)
        os.makedirs(work)
        os.chmod(upper, 0o755)
        _mount("overlay", path, "overlay", 0, "lowerdir=%s,upperdir=%s,workdir=%s" % (path, upper, work))
    _mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    for path in ("/srv", "/var/spool/postfix", "/var/lib/postfix", "/var/log"):
        if not os.path.isdir(path):
            raise OSError("there is no " + path)
        own = scratch.join("own" + path.replace("/", "-"))
        os.makedirs(own)
        _mount(own, path, "none", MS_BIND)
    shutil.chown("/var/lib/postfix", "postfix", "postfix")
    for name in ("archctl", "archctl-full", "archd", "arch-capture"):
        shutil.copy(harness.program(name), "/usr/bin/" + name)
        os.chmod("/usr/bin/" + name, 0o755)


class Machine:
    """Postfix and archd as a recipe sets them up. Call enter() first."""

    ARCHIVE = "/srv/archive"
    LOG = "/var/log/mail.log"
    SITE = """
compatibility_level = 3.6
myhostname = mx.maison.example
mydestination =
relay_domains = maison.example
relay_transport = smtp:[127.0.0.1]:{sink}
default_transport = smtp:[127.0.0.1]:{sink}
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
local_header_rewrite_clients =
virtual_alias_maps = texthash:/etc/postfix/virtual
alias_maps =
message_size_limit = 50000000
mailbox_size_limit = 0
maillog_file = /var/log/mail.log
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_retry_time = 1s
smtp_line_length_limit = 0
"""

    def __init__(self, scratch, sink_port, recipe):
        self.scratch = scratch
        self.archd = None
        self.environment = {**os.environ, "ARCHIVE": self.ARCHIVE}
        self.environment.pop("ARCHD_CONFIG", None)
        subprocess.run(["useradd", "--system", "--no-create-home", "--groups", "postfix", "archd"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.write("/etc/postfix/main.cf", self.SITE.format(sink=sink_port))
        self.write("/etc/postfix/virtual", "orders@maison.example commandes@maison.example\n")
        self.write("/etc/archd/archd.toml",
                   '[archive]\ndata_dir = "%s"\nreserve_bytes = "1M"\ncap_bytes = "1G"\n[mta]\nown_domains = ["maison.example"]\n'
                   % self.ARCHIVE)
        for path, text in recipe.items():
            self.apply(path, text)
        subprocess.run(["/usr/bin/archctl", "init", self.ARCHIVE], check=True, env=self.environment, stdout=subprocess.DEVNULL)
        subprocess.run(["chown", "-R", "archd:archd", self.ARCHIVE], check=True)

    @staticmethod
    def write(path, text, mode="w"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, mode, encoding="utf-8") as file:
            file.write(text)

    def apply(self, path, text):
        """main.cf and archd.toml: added to what is there; master.cf: entries replace those of the same name and type; a block
        of commands is run; any other file: written."""
        if path == "/bin/sh":
            subprocess.run(["sh", "-eux"], input=text.encode(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        elif path in ("/etc/postfix/main.cf", "/etc/archd/archd.toml"):
            self.write(path, "\n" + text, "a")
        elif path == "/etc/postfix/master.cf":
            with open(path, encoding="utf-8") as file:
                entries = self.entries(file.read())
            entries.update(self.entries(text))
            self.write(path, "".join(entries.values()))
        else:
            self.write(path, text)

    @staticmethod
    def entries(text):
        """(name, type) -> lines of each service of a master.cf, in order."""
        found, key = {}, None
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            if not line[0].isspace():
                key = tuple(line.split()[:2])
                found[key] = ""
            found[key] += line + "\n"
        return found

    def start_archd(self):
        self.archd = harness.Daemon(["setpriv", "--reuid=archd", "--regid=archd", "--init-groups", "/usr/bin/archd", "run"],
                                    self.scratch.join("archd.log"), self.environment)

    def start(self):
        self.start_archd()
        done = subprocess.run(["/usr/sbin/postfix", "start"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise AssertionError("postfix start: %s\n%s" % (done.stdout.decode(), self.log()))

    def stop(self):
        subprocess.run(["/usr/sbin/postfix", "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if self.archd is not None:
            self.archd.kill_all()

    def log(self):
        try:
            with open(self.LOG, "rb") as file:
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def archctl(self, *arguments, statuses=(0,)):
        done = subprocess.run(["/usr/bin/archctl", *arguments], capture_output=True, env=self.environment, timeout=120)
        if done.returncode not in statuses:
            raise AssertionError("archctl %s: exit %d\n%s" % (" ".join(arguments), done.returncode, done.stderr.decode()))
        return done.stdout
