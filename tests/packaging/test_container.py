"""Claim   The image built by packaging/container/Containerfile works with what arch.container gives it: a user namespace, a
        read-only root, no capability. Mail comes over the published port, the page over the socket on the host, and the archive
        outlives the container.
Method  Debian 12's Podman. Its quadlet generator does not exist yet, so this test turns the keys of arch.container, arch.network and
        arch.volume into podman's options as podman-systemd.unit(5) says. The base images are made of the root that test_deb.py keeps,
        since no registry may be at hand.
Teeth   Writing into the image's root is tried and must fail; who asks over the socket must be told apart as verified.

Not tried here: the quadlet generator, systemd's part of the health check, SELinux.

Needs root and Podman with crun (apt-get install podman crun netavark aardvark-dns iptables); without, it ends as skipped and says so.
ARCH_IMAGE names an archive of podman save; without, the image is built, which compiles everything anew.
"""

import fcntl
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import test_deb
from test_deb import BIN, MAIL, SOURCE, run, say

SKIPPED = 77
ALONE = os.environ.get("ARCH_CONTAINER_TEST") == "alone"
IMAGE = "localhost/arch-test:1"
STORAGE = os.path.join(test_deb.CACHE, "containers")
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
CONTAINER = os.path.join(SOURCE, "packaging", "container")
SOCKETS = "/run/archd"
HOST_ARCHD = 200850
OPTIONS = {"UIDMap": "--uidmap=", "GIDMap": "--gidmap=", "Tmpfs": "--tmpfs=", "Volume": "--volume=", "Network": "--network=",
           "PublishPort": "--publish=", "HealthCmd": "--health-cmd=", "StopTimeout": "--stop-timeout=", "DropCapability": "--cap-drop=",
           "ReadOnly": "--read-only=", "ContainerName": "--name=", "HealthTimeout": "--health-timeout=", "HealthRetries": "--health-retries=",
           "HealthStartPeriod": "--health-start-period=", "HealthOnFailure": "--health-on-failure="}


def keys_of(name, wanted):
    section, found = None, []
    with open(os.path.join(CONTAINER, name), encoding="utf-8") as file:
        for line in file.read().splitlines():
            section = line[1:-1] if line.startswith("[") else section
            if section == wanted and "=" in line and not line.startswith("#"):
                found.append(tuple(line.split("=", 1)))
    return found


def podman(*words, status=0):
    """With a storage of its own; crun wants cgroups of one version, so that the second is taken away where there are both."""
    script = 'if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi; exec podman "$@"'
    enter = ["unshare", "--mount"] if not ALONE else []
    if ALONE:
        script = 'exec podman "$@"'
    done = subprocess.run([*enter, "sh", "-c", script, "podman", "--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--root=" + STORAGE,
                           *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                          check=False)
    if status is not None and done.returncode != status:
        raise AssertionError(f"podman {' '.join(words)}: status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout + (done.stderr if status != 0 else "")


def limits():
    """Podman asks for more than a machine may give."""
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
    return [f"--ulimit=nofile={files}:{files}", "--ulimit=nproc=4096:4096"]


def build_image(work):
    root = os.path.join(work, "root")
    os.mkdir(root)
    test_deb.fresh_root(root)
    run("tar", "-C", root, "--exclude=./var/cache/apt/archives/*.deb", "-cf", work + "/root.tar", ".")
    podman("import", work + "/root.tar", "localhost/arch-test-base:1")
    context = os.path.join(work, "context")
    os.mkdir(context)
    run("sh", "-c", f"git -C '{SOURCE}' archive HEAD | tar -x -C '{context}'")
    say("building the image")
    podman("build", "--layers", "--format=docker", "--network=host", *limits(), "--build-arg=BUILD_IMAGE=localhost/arch-test-base:1",
           "--build-arg=RUN_IMAGE=localhost/arch-test-base:1", "--tag=" + IMAGE, "--file",
           context + "/packaging/container/Containerfile", context)


class ContainerTest(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="arch_container.")
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)
        self.addCleanup(self.clean)
        self.clean()  # what a killed test left in the storage
        os.mkdir(SOCKETS, 0o750)
        os.chown(SOCKETS, HOST_ARCHD, HOST_ARCHD)

    def clean(self):
        for words in (("rm", "-f", "arch"), ("volume", "rm", "-f", "arch"), ("network", "rm", "-f", "arch")):
            podman(*words, status=None)

    def inside(self, *words, **more):
        return podman("exec", "arch", *words, **more)

    def eventually(self, *words):
        done = ""
        for _ in range(100):
            done = self.inside(*words, status=None)
            if "Devis" in done:
                return
            time.sleep(0.3)
        self.fail(f"{words}: {done}")

    def test_with_the_options_of_the_quadlet(self):
        network = dict(keys_of("arch.network", "Network"))
        podman("network", "create", "--subnet", network["Subnet"], "--gateway", network["Gateway"], network["NetworkName"])
        names = {"arch.network": network["NetworkName"], "arch.volume": dict(keys_of("arch.volume", "Volume"))["VolumeName"]}
        keys = keys_of("arch.container", "Container")
        options = ["--security-opt=no-new-privileges", "--health-interval=disable", *limits()]
        self.assertIn(("NoNewPrivileges", "true"), keys)
        for key, value in keys:
            for quadlet, name in names.items():
                value = value.replace(quadlet, name)
            if key in OPTIONS:
                options.append(OPTIONS[key] + value)
        mapped = [option for option in options if option.startswith(("--uidmap", "--gidmap"))]
        podman("run", "--rm", *limits(), *mapped, "--network=none", "--volume=arch:/var/lib/archd:Z", "--entrypoint=archctl", IMAGE,
               "init", "/var/lib/archd/data")
        podman("run", "-d", *options, IMAGE, dict(keys)["Exec"])
        for _ in range(100):
            if podman("healthcheck", "run", "arch", status=None) == "":
                break
            time.sleep(0.3)
        self.assertIn("http unix:/run/archd/http.sock: well", self.inside("archctl", "health"))

        self.assertIn("uid=850(archd)", self.inside("id"))
        self.assertIn("CapEff:\t0000000000000000", self.inside("cat", "/proc/1/status"))
        self.assertIn("200000", self.inside("cat", "/proc/1/uid_map"))
        for path in ("/x", "/etc/archd/x", "/usr/bin/x"):
            self.assertIn("Read-only", self.inside("touch", path, status=1))
        self.assertNotIn("restricted", podman("logs", "arch", status=None))  # arch-capture's own sandbox is whole

        mail = os.path.join(self.work, "mail.eml")
        with open(mail, "wb") as file:
            file.write(MAIL % (b"conteneur", b"conteneur"))
        sent = run(os.path.join(BIN, "archctl"), "--config=/dev/null", "lmtp-send", "inet:127.0.0.1:2424", mail)
        self.assertIn("archived arch:", sent)
        self.eventually("archctl", "search", "conteneur")

        self.assertEqual(os.stat(SOCKETS + "/http.sock").st_uid, HOST_ARCHD)
        with socket.socket(socket.AF_UNIX) as page:
            page.connect(SOCKETS + "/http.sock")
            page.sendall(b"GET /api/v1/search?q=conteneur HTTP/1.1\r\nHost: mail.tail.ts.net\r\nTailscale-User-Login: paul@example.fr\r\n"
                         b"Connection: close\r\n\r\n")
            self.assertIn(b"Devis", page.makefile("rb").read())
        self.assertIn('"verified":true', self.inside("archctl", "access-log", "--json").replace(" ", ""))

        podman("stop", "arch")
        self.assertEqual(podman("inspect", "arch", "--format", "{{.State.ExitCode}}").strip(), "0")
        podman("rm", "arch")
        podman("run", "-d", *options, IMAGE, "run")
        self.eventually("archctl", "search", "conteneur")
        self.assertIn("sound", self.inside("archctl", "verify"))


def main():
    if os.geteuid() != 0 or shutil.which("podman") is None:
        print("test_container: SKIPPED, the image was not built and not run: this needs root and Podman (apt-get install podman crun "
              "netavark aardvark-dns iptables)", file=sys.stderr)
        return SKIPPED
    if not ALONE:
        with tempfile.TemporaryDirectory(prefix="arch_image.") as work:
            if os.environ.get("ARCH_IMAGE"):
                loaded = podman("load", "--input", os.environ["ARCH_IMAGE"]).split()[-1]
                podman("tag", loaded, IMAGE)
            else:
                build_image(work)
        # Bridge, ports, firewall rules, /run/archd: all in namespaces of the test's own, and gone with it.
        environment = {**os.environ, "ARCH_CONTAINER_TEST": "alone"}
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, __file__]
        return subprocess.run(command, env=environment, check=False).returncode
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    if os.path.isdir("/sys/fs/cgroup/unified"):
        run("umount", "/sys/fs/cgroup/unified")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    return not unittest.main(verbosity=2, exit=False).result.wasSuccessful()


if __name__ == "__main__":
    sys.exit(main())
