"""Runs a shell script in another root: enter.py ROOT [offline] <SCRIPT, inside `unshare --mount --pid --fork --kill-child`.
Its mounts, and every process that it leaves, end with it. offline: in a network of its own that is loopback alone, so that the
usual ports are free."""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

root = sys.argv[1]
script = sys.stdin.read()
if "offline" in sys.argv[2:]:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        sys.exit(f"enter.py: no network of its own: {os.strerror(ctypes.get_errno())}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
subprocess.run(["mount", "-t", "proc", "proc", os.path.join(root, "proc")], check=True)
subprocess.run(["mount", "--rbind", "/dev", os.path.join(root, "dev")], check=True)
os.chroot(root)
os.chdir("/")
environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
os.execvpe("sh", ["sh", "-euc", script], environment)
