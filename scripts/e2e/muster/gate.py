"""The steps of scripts/test, and how long they may take."""

import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections import defaultdict
from functools import partial
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

from muster import long_runs, programs, together
from muster.process import busy_cores
from muster.reporting import OUTPUT
from muster.together import Part, Step, run, say

E2E = programs.ROOT / "scripts" / "e2e"
# Seconds that the gate may take on two cores: from a warm build, and on a fresh clone.
WARM, FRESH = 20 * 60, 45 * 60
# Clusters mostly wait: so many of them share this machine's cores.
AT_ONCE = "4"
# What pytest chooses for them. Tests that are `quiet` run in pairs, and each that is `alone` by itself.
CLUSTERS = ["-n", AT_ONCE, "--dist", "worksteal", "-m", "not alone and not quiet"]
# Tests of the crates mostly wait too: so many of a program run at once.
CRATES = "cargo test --workspace --locked --no-fail-fast".split()
TEST_THREADS = "3"
# A program of such tests whose name begins so runs with what measures. Beside others it would be late.
QUIET = "quiet_"
# What cargo says of a test program that failed, and what such a program says of its tests.
FAILED_PROGRAM = re.compile(r"^    `-p \S+ (.+)`$", re.MULTILINE)
FAILED_TEST = re.compile(r"^test (\S+) .*FAILED$", re.MULTILINE)
# What fails twice is not the machine's fault. What failed once is listed as flaky.
RERUNS = ["--reruns", "1"]
# The models of what threads share. `--workspace` keeps the dependencies' features, so that they are not compiled again.
MODELS = "cargo test --workspace --locked --lib --features muster-node/shuttle models::".split()
# How often `--long steady` runs everything.
TIMES = 3


def main(words: list[str]) -> int:
    """Run the gate, or with words only the tests that they choose."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, together.end)
    os.chdir(programs.ROOT)
    # What a test needs besides it asks for itself (`fixtures.need`).
    programs.install(programs.PACKAGES)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for report in OUTPUT.glob("*.xml"):
        report.unlink()
    flaky_crates.clear()
    began, fresh = time.monotonic(), not programs.directory().with_name("debug").exists()
    passed, failed = together.run_all([[chosen(words)]] if words else everything())
    print(f"flaky: {', '.join(flaky()) or 'none'}")
    print(f"{len(passed)} steps passed, {len(failed)} failed{': ' if failed else ''}{', '.join(failed)}")
    if not words:
        print(duration(time.monotonic() - began, fresh))
    return 1 if failed else 0


def duration(seconds: float, fresh: bool) -> str:
    """Return the line that says how long the gate took, and whether that is longer than it may."""
    limit, kind = (FRESH, "on a fresh clone") if fresh else (WARM, "from a warm build")
    took = f"the gate took {seconds // 60:.0f} min {seconds % 60:.0f} s {kind}"
    return f"{took}; its limit on two cores is {limit // 60} min{': TOO LONG' if seconds > limit else ''}"


def everything() -> list[Part]:
    """Return what every change needs."""
    # Cargo has a lock for each of the two kinds of build. Each waits for one crate now and then, and the other goes on.
    prepare: Part = [
        [("build", build)],
        [
            ("rustfmt", rustfmt),
            ("clippy", lambda: run(*"cargo clippy --workspace --all-targets --locked -- -D warnings".split())),
            ("compile tests", lambda: run(*CRATES, "--no-run")),
            ("compile models", lambda: run(*MODELS, "--no-run")),
        ],
        [
            ("tools", tools),
            ("ruff format", lambda: run(sys.executable, "-m", "ruff", "format", "--check", str(E2E))),
            ("ruff check", lambda: run(sys.executable, "-m", "ruff", "check", str(E2E))),
            ("mypy", lambda: run(sys.executable, "-m", "mypy", ".", at=E2E)),
        ],
    ]
    # All mostly wait.
    whole: Part = [
        [("clusters", lambda: pytest("clusters", *CLUSTERS, *RERUNS))],
        [("clients", clients)],
        [
            ("crates", lambda: crates("--lib", "--bins", *test_programs(quiet=False))),
            ("examples in docs", lambda: run(*CRATES, "--doc")),
            ("orders of threads", lambda: run(*MODELS)),
        ],
    ]
    measure: Part = [
        [
            ("quiet crates", lambda: crates(*test_programs(quiet=True))),
            ("quiet", lambda: pytest("quiet", "-n", "2", "-m", "quiet", *RERUNS)),
            ("measurements", lambda: pytest("measurements", "-m", "alone", *RERUNS)),
        ]
    ]
    return [prepare, whole, measure]


def chosen(words: list[str]) -> list[Step]:
    """Return the tests that pytest's words choose. Paths are given from scripts/e2e, or from the project's root."""
    parser = argparse.ArgumentParser(prog="scripts/test", add_help=False, allow_abbrev=False)
    parser.add_argument("--long")
    name, others = parser.parse_known_args(words)
    runs = {"steady": steady, "fuzz": long_runs.fuzz, "model": long_runs.model}
    if name.long in runs:
        return runs[name.long](others)
    return [("build", build), ("tests", lambda: pytest("tests", *chain.from_iterable(map(files, words))))]


def files(word: str) -> list[str]:
    """Return the files that a pattern means, which the user's shell looks for in another folder; else the word."""
    path = word.removeprefix("scripts/e2e/")
    found = E2E.glob(path) if re.fullmatch(r"\w[\w./*]*\*[\w./*]*", path) else ()
    return sorted(str(file.relative_to(E2E)) for file in found) or [path]


def steady(words: list[str]) -> list[Step]:
    """Return three runs of all that does not measure, with each core busy. None has a second attempt."""

    def again(number: int) -> int:
        with busy_cores():
            return pytest(f"steady-{number}", *CLUSTERS, *words)

    runs: list[Step] = [(f"steady {number} of {TIMES}", partial(again, number)) for number in range(1, TIMES + 1)]
    return [("build", build), *runs]


def rustfmt() -> int:
    """Check that the crates' sources are formatted. What cargo lacks for that, and for clippy, is installed."""
    programs.install_rust_components()
    return run("cargo", "fmt", "--all", "--check")


def build() -> int:
    """Compile all programs that the tests run."""
    others = ["-p", "muster-ctl", "-p", "muster-terminal", "-p", "muster-kit"]
    testkit = ["-p", "muster-testkit", "--bins", "--features", "muster-testkit/nodes"]
    command = programs.build_command(*others, *testkit)
    return run(*command) if command else 0


def tools() -> int:
    """Install what the tests need. MUSTER_TOOLS names a program that brings what no package has, such as images."""
    programs.install(programs.TEST_PACKAGES)
    if os.environ.get("CI"):
        programs.install(programs.CLIENT_PACKAGES)
    if (more := os.environ.get("MUSTER_TOOLS")) and run(more) != 0:
        say(f"{more} failed: the tests that need what it brings fail too")
    return 0


def test_programs(quiet: bool) -> list[str]:
    """Return cargo's words for the crates' test programs: those that must run by themselves, or all others."""
    metadata = "cargo metadata --locked --no-deps --format-version 1".split()
    told = json.loads(subprocess.run(metadata, cwd=programs.ROOT, check=True, capture_output=True, text=True).stdout)
    targets = chain.from_iterable(package["targets"] for package in told["packages"])
    names = {target["name"] for target in targets if "test" in target["kind"]}
    return [f"--test={name}" for name in sorted(names) if name.startswith(QUIET) == quiet]


# The tests of crates that failed, in programs that passed at the second attempt.
flaky_crates: set[str] = set()


def crates(*targets: str) -> int:
    """Run tests of the crates, of the targets that cargo's words choose. A test program that fails is run once more."""
    threads = os.environ.get("RUST_TEST_THREADS", TEST_THREADS)
    said: list[str] = []
    code = run(*CRATES, *targets, said=said, RUST_TEST_THREADS=threads)
    failed = FAILED_PROGRAM.findall("".join(said))
    if code == 0 or not failed:
        return code
    say(f"failed, and are tried again: {', '.join(failed)}")
    # In the whole workspace, as at first: a crate by itself has dependencies with other features, compiled anew.
    codes = [run(*CRATES, *words.split(), RUST_TEST_THREADS=threads) for words in dict.fromkeys(failed)]
    # One that a signal ended has a negative code.
    if (code := next(filter(None, codes), 0)) == 0:
        flaky_crates.update(FAILED_TEST.findall("".join(said)))
    return code


# What the test of a client exits with if a tool is missing.
SKIPPED = 77


def clients() -> int:
    """Test the clients by their own tests and by the kit, whose table must be that of docs/clients.md."""
    kit = programs.program("kit")
    codes = {test.parent.name: attempts(test, kit) for test in sorted(programs.ROOT.glob("clients/*/test"))}
    code = judged(codes, strict=bool(os.environ.get("CI")))
    if code or SKIPPED in codes.values():
        return code
    reports = [str(programs.ROOT / "target" / "clients" / name / "kit.json") for name in codes]
    table = subprocess.run([kit, "table", *reports], check=True, capture_output=True, text=True).stdout
    if table not in (programs.ROOT / "docs" / "clients.md").read_text():
        say(f"docs/clients.md has another table than this one; replace it:\n{table}")
        return 1
    return 0


def attempts(test: Path, kit: str) -> int:
    """Run the test of a client, and once more if it fails: the kit's times are short, and a machine may be busy."""
    if (code := run(str(test), KIT=kit, PYTHON=sys.executable)) in (0, SKIPPED):
        return code
    say(f"{test.parent.name}: failed, and is tried again")
    return run(str(test), KIT=kit, PYTHON=sys.executable)


def judged(codes: dict[str, int], strict: bool) -> int:
    """Return 0 if all tests of clients passed. What was skipped for a missing tool has passed, unless `strict`."""
    failed = [name for name, code in codes.items() if code not in (0, SKIPPED) or (strict and code == SKIPPED)]
    skipped = [name for name, code in codes.items() if code == SKIPPED]
    say(f"{len(codes)} clients: failed: {', '.join(failed) or 'none'}; skipped: {', '.join(skipped) or 'none'}")
    return 1 if failed or not codes else 0


def pytest(name: str, *words: str) -> int:
    """Run tests and leave a JUnit report in test_output/."""
    report = OUTPUT / f"{name}.xml"
    report.unlink(missing_ok=True)
    return run(sys.executable, "-m", "pytest", f"--junit-xml={report}", *words, at=E2E)


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
