"""What bench/compare, bench/scale and bench/profile share: programs, corpora, timing a process tree, tables. Standard library only."""

import datetime
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

SOURCE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN_DIR = os.environ.get("ARCH_BIN") or os.path.join(SOURCE_DIR, "build", "release", "bin")
PAGE = os.path.join(SOURCE_DIR, "docs", "performance.md")
SAMPLE_SECONDS = 0.05  # how often a process tree's memory is looked at


class Failed(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


def program(name):
    path = os.path.join(BIN_DIR, name)
    if not os.access(path, os.X_OK):
        sys.exit("%s is not built in %s: cmake --preset release && cmake --build --preset release, or set ARCH_BIN" % (name, BIN_DIR))
    return path


def install(packages):
    """Debian packages that are missing; needs root for that."""
    missing = [name for name in packages if subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", name], capture_output=True).stdout != b"installed"]
    if not missing:
        return
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        sys.exit("packages are missing; as root: " + " ".join(command))
    say("installing " + " ".join(missing))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], env=environment, capture_output=True)
    result = subprocess.run(command, env=environment, capture_output=True)
    if result.returncode != 0:
        sys.exit("%s failed:\n%s" % (" ".join(command), result.stderr.decode(errors="replace")))


# ---- The machine -------------------------------------------------------------------------------------------------------


def first_line(command):
    try:
        result = subprocess.run(command, capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (result.stdout + result.stderr).decode(errors="replace").strip().splitlines()
    return lines[0].strip() if lines else ""


def package_version(name):
    result = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], capture_output=True)
    return result.stdout.decode() if result.returncode == 0 else ""


def own_version():
    version = first_line([program("archctl"), "version"])
    commit = first_line(["git", "-C", SOURCE_DIR, "rev-parse", "--short", "HEAD"])
    changed = subprocess.run(["git", "-C", SOURCE_DIR, "status", "--porcelain", "--untracked-files=no", "--", "engine", "ingest", "query", "tools", "bench"],
                             capture_output=True).stdout.strip()
    return "%s, commit %s%s" % (version, commit, " with changes" if changed else "")


def machine(folder):
    cpu = ""
    with open("/proc/cpuinfo") as file:
        found = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
        cpu = found.group(1) if found else platform.machine()
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal:\s*(\d+)", file.read()).group(1)) * 1024
    system = "unknown"
    with open("/etc/os-release") as file:
        found = re.search(r'^PRETTY_NAME="?([^"\n]*)', file.read(), re.M)
        system = found.group(1) if found else system
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory,
        "system": system,
        "kernel": platform.release(),
        "file_system": (first_line(["findmnt", "-n", "-o", "FSTYPE", "-T", folder]) or "unknown file system"),
        "load_before": os.getloadavg()[1],  # of the last five minutes: what else ran here
    }


def machine_text(facts):
    load = "%.1f" % facts["load_before"] + (" and %.1f" % facts["load_after"] if "load_after" in facts else "")
    return "%s: %d cores of %s, %.0f GiB, %s, Linux %s, %s; load average before%s: %s" % (
        facts["date"], facts["cores"], facts["cpu"], facts["memory_bytes"] / 2**30, facts["system"], facts["kernel"], facts["file_system"],
        " and after" if "load_after" in facts else "", load)


def drop_caches(paths=()):
    """Page cache: the machine's as root, else of these files (and what lies in these folders)."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("3\n")
        return
    except OSError:
        pass
    for path in paths:
        for name in ([path] if os.path.isfile(path) else files_below(path)):
            descriptor = os.open(name, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def can_drop_all():
    return os.access("/proc/sys/vm/drop_caches", os.W_OK)


# ---- Processes ---------------------------------------------------------------------------------------------------------


def _status(pid):
    try:
        with open("/proc/%d/status" % pid) as file:
            text = file.read()
    except OSError:
        return 0, 0
    now, peak = re.search(r"VmRSS:\s*(\d+)", text), re.search(r"VmHWM:\s*(\d+)", text)
    return (int(now.group(1)) if now else 0) * 1024, (int(peak.group(1)) if peak else 0) * 1024


def _tree(pid):
    out, todo = [], [pid]
    while todo:
        one = todo.pop()
        out.append(one)
        try:
            for task in os.listdir("/proc/%d/task" % one):
                with open("/proc/%d/task/%s/children" % (one, task)) as file:
                    todo += [int(child) for child in file.read().split()]
        except OSError:
            pass
    return out


class Ran:
    """wall and cpu in seconds, peak in bytes: the most that the process and its descendants had together."""

    def __init__(self, wall, cpu, peak, output):
        self.wall, self.cpu, self.peak, self.output = wall, cpu, peak, output


def timed(command, environment=None, statuses=(0,), log=None):
    """Runs a command; its memory is that of the whole tree, sampled, and the largest process' own high-water mark."""
    error = open(log, "ab") if log else subprocess.PIPE
    begun = time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=error)
    peak, done = 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.is_set():
            values = [_status(pid) for pid in _tree(child.pid)]
            if values:
                peak = max(peak, sum(now for now, _ in values), max(high for _, high in values))
            done.wait(SAMPLE_SECONDS)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
    finally:
        done.set()
        watcher.join()
    complaint = b"" if log else child.stderr.read()
    child.stdout.close()
    if log:
        error.close()
    else:
        child.stderr.close()
    if child.returncode not in statuses:
        raise Failed("%s: exit %d: %s" % (" ".join(command)[:200], child.returncode, complaint.decode(errors="replace")[-600:]))
    # The kernel's mark of a child includes that of this program before the exec: of use only when it is the larger one.
    own = _status(os.getpid())[1]
    if usage.ru_maxrss * 1024 > own:
        peak = max(peak, usage.ru_maxrss * 1024)
    return Ran(wall, usage.ru_utime + usage.ru_stime, peak, output)


def quick(command, environment=None, statuses=(0, 1)):
    """Milliseconds of one short process, and what it printed."""
    begun = time.perf_counter()
    result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    took = (time.perf_counter() - begun) * 1e3
    if result.returncode not in statuses:
        raise Failed("%s: exit %d: %s" % (" ".join(command)[:200], result.returncode, result.stderr.decode(errors="replace")[-600:]))
    return took, result.stdout


class Daemon:
    """archd run, on an archive, with LMTP on a port of its own; ready when made."""

    def __init__(self, archive, log):
        self.log = open(log, "ab")
        self.process = subprocess.Popen([program("archd"), "--archive=" + archive, "run", "--lmtp=inet:127.0.0.1:0", "--http=none"],
                                        stdout=subprocess.PIPE, stderr=self.log, env=own_environment())
        line = self.process.stdout.readline().decode()
        found = re.search(r"lmtp=inet:127\.0\.0\.1:(\d+)", line)
        if not found:
            self.stop()
            raise Failed("archd does not start: " + line)
        self.port = int(found.group(1))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


def own_environment():
    """The shipped configuration: no file of this machine decides what is measured."""
    environment = {key: value for key, value in os.environ.items() if key not in ("ARCHIVE", "ARCHD_CONFIG")}
    environment["ARCHD_CONFIG"] = os.devnull
    return environment


# ---- Files -------------------------------------------------------------------------------------------------------------


def files_below(folder):
    out = []
    for path, folders, names in os.walk(folder):
        folders.sort()
        out += [os.path.join(path, name) for name in sorted(names)]
    return out


def stored(*paths):
    """Bytes that the file system has given away for all files below the paths."""
    total = 0
    for path in paths:
        for name in ([path] if os.path.isfile(path) else files_below(path)):
            try:
                total += os.lstat(name).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def parts_of(archive):
    """Where the bytes of an archive lie, by part."""
    out = {name: stored(os.path.join(archive, name)) for name in ("segments", "journal", "catalog", "index")}
    out["other"] = stored(archive) - sum(out.values())
    return out


def corpus_files(folder):
    """The mails of a corpus: of its Maildir when it has one, else every file."""
    for inner in ("Maildir", "."):
        boxes = [os.path.join(folder, inner, name) for name in ("cur", "new")]
        if any(os.path.isdir(box) for box in boxes):
            return [path for box in boxes if os.path.isdir(box) for path in files_below(box)]
    return [path for path in files_below(folder) if not os.path.basename(path).startswith(".")]


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def need_free(folder, wanted):
    free = shutil.disk_usage(folder).free
    if free < wanted:
        sys.exit("%.1f GB are wanted on the disk of %s, %.1f GB are free" % (wanted / 1e9, folder, free / 1e9))


# ---- Figures -----------------------------------------------------------------------------------------------------------


def median(values):
    return statistics.median(values)


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figure(value, unit):
    """A number with as many digits as mean something."""
    if unit == "bytes":
        return "%.1f MB" % (value / 1e6)
    text = "%.0f" % value if abs(value) >= 100 else "%.1f" % value if abs(value) >= 10 else "%.2f" % value
    return text + (" " + unit if unit else "")


def markdown_table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]) + "\n"


def text_table(head, rows):
    table = [list(map(str, row)) for row in [head, *rows]]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table) + "\n"


def replace_measured(page, name, text):
    """Puts text between "<!-- measured NAME -->" and "<!-- end -->" of the page; what stands around it stays."""
    with open(page, encoding="utf-8") as file:
        old = file.read()
    pattern = re.compile(r"(<!-- measured %s -->\n).*?(<!-- end -->)" % re.escape(name), re.S)
    if not pattern.search(old):
        sys.exit("%s has no part <!-- measured %s --> … <!-- end -->" % (page, name))
    with open(page, "w", encoding="utf-8") as file:
        file.write(pattern.sub(lambda match: match.group(1) + "\n" + text.strip() + "\n\n" + match.group(2), old))


def write_json(path, value):
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
    os.replace(path + ".new", path)
