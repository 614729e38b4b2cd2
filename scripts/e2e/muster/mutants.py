"""Mutants: bugs that are planted in a copy of the source, to see that a test finds them.

All patches of scripts/e2e/mutants go into one copy, which is built once. The environment variable MUSTER_BUG names the
bug that a program then has. A patch begins with what the bug is, and with lines of the form `KEY: VALUE`:

    test: promises/test_p02_once.py     what must find the bug: files of scripts/e2e, each with or without a ::name
    found by: [1-9][0-9]* lost          a regular expression, which one line of the failure must match

A patch in a sub-folder is found by the cargo command of that folder (`CARGO`), and needs no `test`.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from filecmp import cmp
from pathlib import Path

from muster import programs

E2E = programs.ROOT / "scripts" / "e2e"
FOLDER = E2E / "mutants"
# The patch by which programs are told which bug to have. It is applied first.
SWITCH = FOLDER / "switch.patch"
HOME = programs.ROOT / "target" / "mutants"
SOURCE = HOME / "source"
# By sub-folder: what finds its mutants.
CARGO = {
    "model": ["cargo", "test", "--locked", "-p", "muster-node", "--test", "model"],
    "concurrency": ["cargo", "test", "--locked", "-p", "muster-node", "--features", "shuttle", "--lib"],
}
CRATES = ("protocol", "client", "redis", "node", "sidecar", "loadgen", "testkit")


class DoesNotFit(Exception):
    """A patch does not fit the source any more."""


@dataclass(frozen=True)
class Mutant:
    """One patch: its name, which MUSTER_BUG has; its sub-folder or ""; the test that finds it, and by what text."""

    name: str
    folder: str
    test: str
    found_by: str

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}".removeprefix("/")


def patches() -> list[Path]:
    """Return all patches in the order in which they are applied."""
    return [SWITCH, *sorted(set(FOLDER.rglob("*.patch")) - {SWITCH})]


def all_mutants() -> list[Mutant]:
    """Return what the patches say of themselves."""
    return [_read(patch) for patch in patches() if patch != SWITCH]


def _read(patch: Path) -> Mutant:
    head = patch.read_text().split("\n--- ", 1)[0]
    said = dict(re.findall(r"^(test|found by): (.+)$", head, re.MULTILINE))
    folder = str(patch.parent.relative_to(FOLDER)).removeprefix(".")
    return Mutant(patch.stem, folder, said.get("test", ""), said["found by"])


def plant(directory: Path) -> None:
    """Make a copy of the source outside scripts in `directory`, and apply all patches without fuzz.

    Raises `DoesNotFit`.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", ":!scripts"], cwd=programs.ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (programs.ROOT / name).exists():
            _copy(programs.ROOT / name, directory / name)
    for patch in patches():
        fit = ["patch", "--strip", "0", "--quiet", "--fuzz", "0", "--no-backup-if-mismatch", "--input", str(patch)]
        done = subprocess.run(fit, cwd=directory, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise DoesNotFit(f"{patch.relative_to(E2E)} does not fit the source; make it anew:\n{done.stdout}")


def _copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, to)


def build() -> Path:
    """Build the programs with all bugs, unless they are built already; return the folder that they are in.

    The copy of the source is renewed only where it differs, and dependencies are taken from the release build: so only
    the project's own crates are compiled, without optimisation.
    """
    HOME.mkdir(parents=True, exist_ok=True)
    with _alone():
        _renew()
        _reuse_dependencies("release")
        command = ["cargo", "build", "--release", "--locked", "--quiet", *_unoptimised(), *programs.PROGRAMS]
        subprocess.run([*command, "-p", "muster-testkit", "--bins"], cwd=SOURCE, env=_cargo_environment(), check=True)
    return HOME / "release"


@contextmanager
def _alone() -> Iterator[None]:
    """Hold a lock: tests that run side by side need the same build."""
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _renew() -> None:
    new = HOME / "new"
    shutil.rmtree(new, ignore_errors=True)
    plant(new)
    wanted = _files(new)
    for name in _files(SOURCE) - wanted:
        (SOURCE / name).unlink()
    for name in wanted:
        if not (SOURCE / name).exists() or not cmp(new / name, SOURCE / name, shallow=False):
            (SOURCE / name).parent.mkdir(parents=True, exist_ok=True)
            # A new time makes cargo compile what has changed, also where a file has become what it was.
            shutil.copyfile(new / name, SOURCE / name)
    shutil.rmtree(new)


def _files(directory: Path) -> set[Path]:
    return {path.relative_to(directory) for path in directory.rglob("*") if path.is_file()}


def _reuse_dependencies(profile: str) -> None:
    built, to = programs.directory().parent / profile, HOME / profile
    if to.exists() or not (built / ".fingerprint").exists():
        return
    for folder in (".fingerprint", "build"):
        shutil.copytree(built / folder, to / folder, symlinks=True)
    # Links take no room: these are gigabytes.
    shutil.copytree(built / "deps", to / "deps", copy_function=_link)


def _link(file: str, to: str) -> str:
    try:
        os.link(file, to)
    except OSError:
        shutil.copy2(file, to)
    return to


def _unoptimised() -> list[str]:
    # Nothing else of the profile is changed, or all dependencies would be compiled again.
    crates = [f"profile.release.package.muster-{crate}" for crate in CRATES]
    return [word for crate in crates for word in _config(f"{crate}.opt-level=0", f"{crate}.codegen-units=16")]


def _config(*values: str) -> list[str]:
    return [word for value in values for word in ("--config", value)]


def _cargo_environment() -> dict[str, str]:
    return {**os.environ, "CARGO_TARGET_DIR": str(HOME)}


def run_test(test: str, seed: int, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a file of tests, or one test, against the programs with bugs, at small scale; return what pytest printed.

    What a failure leaves goes to target/mutants: it is wanted, and must not be taken for a failure of the project.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    told = {"MUSTER_BIN": str(HOME / "release"), "MUSTER_TEST_OUTPUT": str(HOME / "test_output"), **environment}
    command = [sys.executable, "-m", "pytest", test, "--scale", "small", "--seed", str(seed), "-x"]
    # A long test runs only if it is asked for.
    long = re.findall(r'mark\.long\("(\w+)"\)', (E2E / test.split("::")[0]).read_text())
    command += ["--long", long[0]] if long else []
    return _run([*command, "-p", "no:cacheprovider"], E2E, {**ours, **told})


def run_cargo(folder: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the cargo command of a sub-folder in the copy of the source, and return what it printed."""
    with _alone():
        _reuse_dependencies("debug")
        return _run(CARGO[folder], SOURCE, {**_cargo_environment(), **environment})


def _run(command: list[str], at: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=at, env=environment, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
