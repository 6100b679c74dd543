"""Takes away what a promise rests on, one thing at a time, and shows which test notices.

Builds the tree with -DARCH_MUTANTS=ON (engine/base/mutant.h) in build/mutants, then runs the tests below for each mutant until one
fails. A mutant that no test notices is a hole: it is named, and the exit status is 1. With --write the table in
docs/durability.md is replaced by what was seen.

    python3 tests/faults/mutants.py [--write] [NAME…]
"""

import concurrent.futures
import os
import re
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(SOURCE, "build", "mutants")
DOCUMENT = os.path.join(SOURCE, "docs", "durability.md")
MACRO = re.compile(r'ARCH_(STEP|WRONG|MARK)\(\s*"([^"]+)"')
KINDS = {"STEP": "step", "WRONG": "check", "MARK": "mark"}

# Fast ones first. A name, and the command with what it needs.
PYTHON = [sys.executable, "-B"]
TESTS = [
    *((name, [os.path.join(BUILD, "bin", name)], {}) for name in (
        "journal_format_test", "segment_format_test", "journal_writer_test", "journal_reader_test", "packer_test", "verify_test",
        "archive_test", "damage_test", "store_test", "follower_test", "group_commit_test")),
    ("model_test", [os.path.join(BUILD, "bin", "model_test")], {"RC_PARAMS": "max_success=40 max_size=200 seed=1"}),
    ("faults_kill", [*PYTHON, os.path.join(SOURCE, "tests", "faults", "test_steps.py"), "kill"], {}),
    ("faults_errors", [*PYTHON, os.path.join(SOURCE, "tests", "faults", "test_steps.py"), "errors"], {}),
    ("faults_power", [*PYTHON, os.path.join(SOURCE, "tests", "faults", "test_crashes.py"), "power"], {}),
]
# The index is derived: what a power cut takes from it is fed again, or it is made anew. Nothing but work is lost.
COSTS_WORK_ONLY = {"index directory sync", "sealed shard sync"}
PROGRAMS = ["archctl", "archctl-full", "archd", "arch-capture", "arch_fault_shim"]


def mutants():
    """(kind, name, file), in the order of the sources."""
    found = []
    for folder in ("engine", "query/index"):
        for directory, _, names in sorted(os.walk(os.path.join(SOURCE, folder))):
            for name in sorted(names):
                if not name.endswith(".cc"):
                    continue
                path = os.path.join(directory, name)
                with open(path) as file:
                    found += [(KINDS[kind], mutant, os.path.relpath(path, SOURCE)) for kind, mutant in MACRO.findall(file.read())]
    return found


def build():
    subprocess.run(["cmake", "-S", SOURCE, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DARCH_MUTANTS=ON",
                    "-DARCH_BUILD_BENCH=OFF"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, *[name for name, _, _ in TESTS if os.path.basename(name).endswith("_test")], *PROGRAMS],
                   check=True, stdout=subprocess.DEVNULL)


def first_failure(mutant):
    for name, command, extra in TESTS:
        environment = {**os.environ, **extra, "ARCH_MUTANT": mutant, "ARCH_BIN": os.path.join(BUILD, "bin"), "ARCH_SOURCE_DIR": SOURCE}
        try:
            done = subprocess.run(command, capture_output=True, env=environment, timeout=400)
        except subprocess.TimeoutExpired:
            return name, "did not end"
        if done.returncode != 0:
            text = done.stdout.decode(errors="replace")
            case = re.search(r"\[  FAILED  \] (\S+)", text)
            return name, case.group(1) if case else ""
    return None


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    wanted = [mutant for mutant in mutants() if not words or mutant[1] in words]
    build()
    control = None if words else first_failure("none of them")
    if control is not None:
        sys.exit(f"without any mutant {control} fails: nothing can be learned")
    rows, holes = [], 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (kind, name, path), failure in zip(wanted, pool.map(lambda mutant: first_failure(mutant[1]), wanted)):
            if failure is not None:
                seen = f"`{failure[0]}`" + (f" {failure[1]}" if failure[1] else "")
            else:
                seen = "none: costs work only" if name in COSTS_WORK_ONLY else "**no test fails**"
            holes += seen.startswith("**")
            rows.append(f"| {kind} | {name} | `{path}` | {seen} |")
            print(rows[-1], flush=True)
    if "--write" in sys.argv and not words:
        with open(DOCUMENT) as file:
            text = file.read()
        table = "\n".join(["| kind | taken away | where | first test that fails |", "|---|---|---|---|", *rows])
        text = re.sub(r"(<!-- mutants -->\n).*?(<!-- end -->)", lambda m: m.group(1) + table + "\n" + m.group(2), text, flags=re.S)
        with open(DOCUMENT, "w") as file:
            file.write(text)
    print(f"{len(rows)} taken away, {holes} not noticed")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main())
