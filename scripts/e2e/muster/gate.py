"""The steps of scripts/test."""

import argparse
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, cast
from xml.etree import ElementTree

from muster import programs
from muster.process import busy_cores
from muster.reporting import OUTPUT

E2E = programs.ROOT / "scripts" / "e2e"
# Clusters mostly wait: so many of them share this machine's cores.
AT_ONCE = "4"
# Tests of the crates mostly wait too.
TEST_THREADS = "4"
# What cargo says of a test program that failed, and what such a program says of its tests.
FAILED_PROGRAM = re.compile(r"^    `(-p .+)`$", re.MULTILINE)
FAILED_TEST = re.compile(r"^test (\S+) .*FAILED$", re.MULTILINE)
# What fails twice is not the machine's fault. What failed once is listed as flaky.
RERUNS = ["--reruns", "1"]
# The models of what threads share. `--workspace` keeps the dependencies' features, so that they are not compiled again.
MODELS = "cargo test --workspace --locked --lib --features muster-node/shuttle models::".split()
# The workspace of the fuzz targets.
FUZZ = programs.ROOT / "fuzz"
# How often `--long steady` runs everything.
TIMES = 3


def main(words: list[str]) -> int:
    """Run the gate, or with words only the tests that they choose."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    os.chdir(programs.ROOT)
    programs.install(programs.PACKAGES)
    # Tests that are chosen ask for what they need (`fixtures.need`).
    if not words:
        programs.install(programs.TEST_PACKAGES)
        programs.install_rust_components()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for report in OUTPUT.glob("*.xml"):
        report.unlink()
    flaky_crates.clear()
    steps = chosen(words) if words else everything()
    passed, failed = run_all(steps)
    print(f"flaky: {', '.join(flaky()) or 'none'}")
    print(f"{len(passed)} steps passed, {len(failed)} failed{': ' if failed else ''}{', '.join(failed)}")
    return 1 if failed else 0


def end(number: int, _frame: FrameType | None) -> NoReturn:
    """End this process, as a signal asks."""
    sys.exit(128 + number)


Step = tuple[str, Callable[[], int]]


def run_all(steps: list[Step]) -> tuple[list[str], list[str]]:
    """Run the steps; return those that passed and those that failed. None follows a build that failed."""
    passed: list[str] = []
    failed: list[str] = []
    for name, step in steps:
        (passed if timed(name, step) else failed).append(name)
        # Tests would run with older programs.
        if "build" in failed:
            break
    return passed, failed


def everything() -> list[Step]:
    """Return what every change needs."""
    return [
        ("rustfmt", lambda: run("cargo", "fmt", "--all", "--check")),
        ("clippy", lambda: run("cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings")),
        ("cargo test", crates),
        ("orders of threads", lambda: run(*MODELS)),
        ("build", build),
        ("ruff format", lambda: run(sys.executable, "-m", "ruff", "format", "--check", str(E2E))),
        ("ruff check", lambda: run(sys.executable, "-m", "ruff", "check", str(E2E))),
        ("mypy", lambda: run(sys.executable, "-m", "mypy", ".", at=E2E)),
        ("clusters", lambda: pytest("clusters", "-n", AT_ONCE, "--dist", "worksteal", "-m", "not alone", *RERUNS)),
        ("clients", clients),
        # Each test that measures is alone.
        ("measurements", lambda: pytest("measurements", "-m", "alone", *RERUNS)),
    ]


def chosen(words: list[str]) -> list[Step]:
    """Return the tests that pytest's words choose. Paths are given from scripts/e2e, or from the project's root."""
    parser = argparse.ArgumentParser(prog="scripts/test", add_help=False, allow_abbrev=False)
    parser.add_argument("--long")
    name, others = parser.parse_known_args(words)
    if name.long == "steady":
        return steady(others)
    if name.long == "fuzz":
        return fuzz(others)
    if name.long == "model":
        if others:
            sys.exit(f"scripts/test --long model chooses no tests: leave out {' '.join(others)}")
        return [("model for an hour", model)]
    return [("build", build), ("tests", lambda: pytest("tests", *chain.from_iterable(map(files, words))))]


def files(word: str) -> list[str]:
    """Return the files that a pattern means, which the user's shell looks for in another folder; else the word."""
    path = word.removeprefix("scripts/e2e/")
    found = E2E.glob(path) if re.fullmatch(r"\w[\w./*]*\*[\w./*]*", path) else ()
    return sorted(str(file.relative_to(E2E)) for file in found) or [path]


def model() -> int:
    """Run the model of the backplanes for an hour, or for MUSTER_MODEL_SECONDS. It prints its seed."""
    os.environ.setdefault("MUSTER_MODEL_SECONDS", "3600")
    return run(*"cargo test --locked -p muster-node --test model -- --nocapture both_backplanes".split())


def fuzz(words: list[str]) -> list[Step]:
    """Return a run of each fuzz target, or of those that are named: `--long fuzz --seconds 60 websocket session`."""
    names = sorted(file.stem for file in (FUZZ / "fuzz_targets").glob("*.rs"))
    parser = argparse.ArgumentParser(prog="scripts/test --long fuzz", allow_abbrev=False)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(names)}; all by default")
    parser.add_argument("--seconds", type=int, default=600, help="how long each target runs; 600 by default")
    asked = parser.parse_args(words)
    if unknown := set(asked.targets) - set(names):
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(names)}")
    return [(f"fuzz {name}", partial(fuzz_target, name, asked.seconds)) for name in asked.targets or names]


def fuzz_target(name: str, seconds: int) -> int:
    """Run a fuzz target. What it finds, and the input of a failure, stay in target/fuzz."""
    programs.install({"c++": "g++"})
    home = programs.ROOT / "target" / "fuzz"
    found, failures = home / "corpus" / name, home / "failures" / name
    for folder in (found, failures):
        folder.mkdir(parents=True, exist_ok=True)
    # The compiler's flags for fuzzing are not stable. What is fuzzed has no unsafe code, so no sanitizer is needed.
    path = programs.cargo_tool("cargo-fuzz", "0.13.2")
    cargo = ["env", "RUSTC_BOOTSTRAP=1", f"PATH={path}", "cargo", "fuzz", "run", "--sanitizer", "none"]
    folders = [str(found), str(FUZZ / "corpus" / name)]
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]
    return run(*cargo, "--target-dir", str(home), name, *folders, "--", *limits, f"-artifact_prefix={failures}/")


def steady(words: list[str]) -> list[Step]:
    """Return three runs of all that does not measure, with each core busy. None has a second attempt."""

    def again(number: int) -> int:
        with busy_cores():
            return pytest(f"steady-{number}", "-n", AT_ONCE, "--dist", "worksteal", "-m", "not alone", *words)

    runs: list[Step] = [(f"steady {number} of {TIMES}", partial(again, number)) for number in range(1, TIMES + 1)]
    return [("build", build), *runs]


# The tests of crates that failed, in programs that passed at the second attempt.
flaky_crates: set[str] = set()


def crates() -> int:
    """Run the crates' own tests. A test program that fails is run once more."""
    os.environ.setdefault("RUST_TEST_THREADS", TEST_THREADS)
    said: list[str] = []
    code = run("cargo", "test", "--workspace", "--locked", "--no-fail-fast", said=said)
    failed = FAILED_PROGRAM.findall("".join(said))
    if code == 0 or not failed:
        return code
    print(f"failed, and are tried again: {', '.join(failed)}", flush=True)
    codes = [run("cargo", "test", "--locked", *words.split()) for words in failed]
    # One that a signal ended has a negative code.
    if (code := next(filter(None, codes), 0)) == 0:
        flaky_crates.update(FAILED_TEST.findall("".join(said)))
    return code


def run(*command: str, at: Path | None = None, said: list[str] | None = None) -> int:
    """Run one command and return its exit code. If this process is asked to end, the command cleans up first.

    Its lines are printed, and added to `said` if that is given.
    """
    hears: dict[str, Any] = {} if said is None else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    child = subprocess.Popen(command, cwd=at or programs.ROOT, text=True, errors="replace", **hears)
    try:
        for line in child.stdout or ():
            print(line, end="", flush=True)
            cast(list[str], said).append(line)
        return child.wait()
    except KeyboardInterrupt:
        # A Ctrl-C reaches the command too. `subprocess.run` would give it a quarter of a second and kill it.
        child.wait()
        raise
    except SystemExit:
        child.terminate()
        child.wait()
        raise


def build() -> int:
    """Compile all programs that the tests run."""
    others = ["-p", "muster-ctl", "-p", "muster-terminal", "-p", "muster-kit"]
    programs.build(*others, "-p", "muster-testkit", "--bins", "--features", "muster-testkit/nodes")
    return 0


# What the test of a client exits with if a tool is missing.
SKIPPED = 77


def clients() -> int:
    """Test the clients by their own tests and by the kit, whose table must be that of docs/clients.md."""
    if os.environ.get("CI"):
        programs.install(programs.CLIENT_PACKAGES)
    kit = programs.program("kit")
    os.environ.update(KIT=kit, PYTHON=sys.executable)
    codes = {test.parent.name: attempts(test) for test in sorted(programs.ROOT.glob("clients/*/test"))}
    code = judged(codes, strict=bool(os.environ.get("CI")))
    if code or SKIPPED in codes.values():
        return code
    reports = [str(programs.ROOT / "target" / "clients" / name / "kit.json") for name in codes]
    table = subprocess.run([kit, "table", *reports], check=True, capture_output=True, text=True).stdout
    if table not in (programs.ROOT / "docs" / "clients.md").read_text():
        print(f"docs/clients.md has another table than this one; replace it:\n{table}", file=sys.stderr)
        return 1
    return 0


def attempts(test: Path) -> int:
    """Run the test of a client, and once more if it fails: the kit's times are short, and a machine may be busy."""
    if (code := run(str(test))) in (0, SKIPPED):
        return code
    print(f"{test.parent.name}: failed, and is tried again", flush=True)
    return run(str(test))


def judged(codes: dict[str, int], strict: bool) -> int:
    """Return 0 if all tests of clients passed. What was skipped for a missing tool has passed, unless `strict`."""
    failed = [name for name, code in codes.items() if code not in (0, SKIPPED) or (strict and code == SKIPPED)]
    skipped = [name for name, code in codes.items() if code == SKIPPED]
    print(f"{len(codes)} clients: failed: {', '.join(failed) or 'none'}; skipped: {', '.join(skipped) or 'none'}")
    return 1 if failed or not codes else 0


def pytest(name: str, *words: str) -> int:
    """Run tests and leave a JUnit report in test_output/."""
    report = OUTPUT / f"{name}.xml"
    report.unlink(missing_ok=True)
    return run(sys.executable, "-m", "pytest", f"--junit-xml={report}", *words, at=E2E)


def timed(name: str, step: Callable[[], int]) -> bool:
    """Run one step; print and return whether it passed."""
    print(f"== {name}", flush=True)
    began = time.monotonic()
    try:
        passed = step() == 0
    except subprocess.CalledProcessError as error:
        print(error, file=sys.stderr)
        passed = False
    print(f"{'ok   ' if passed else 'FAIL '} {name} ({time.monotonic() - began:.0f} s)", flush=True)
    return passed


def flaky() -> list[str]:
    """Return the tests that passed at a later attempt. A report lists each attempt as a case of the test's name."""
    found = set(flaky_crates)
    for report in OUTPUT.glob("*.xml"):
        try:
            cases = list(ElementTree.parse(report).iter("testcase"))
        except ElementTree.ParseError as error:
            print(f"{report} is not whole ({error}): what was flaky in it is not known", file=sys.stderr)
            continue
        attempts: dict[str, list[bool]] = defaultdict(list)
        for case in cases:
            # A failed attempt has a child that says how it failed.
            bad = any(child.tag in ("failure", "error", "rerun") for child in case)
            attempts[f"{case.get('classname')}::{case.get('name')}"].append(not bad)
        found |= {name for name, passed in attempts.items() if len(passed) > 1 and passed[-1]}
    return sorted(found)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
