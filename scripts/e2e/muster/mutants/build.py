"""The changed copies of the source, of which programs are built: those with bugs, and that of a next version.

Tests are run against the programs with bugs.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from filecmp import cmp
from pathlib import Path

from muster import programs
from muster.mutants import patches
from muster.mutants.patches import CARGO, E2E, Mutant

Ran = subprocess.CompletedProcess[str]

HOME = programs.ROOT / "target" / "mutants"
# Of the next version, whose programs have the same names.
NEXT = programs.ROOT / "target" / "next"
CRATES = ("protocol", "client", "net", "redis", "node", "sidecar", "loadgen", "testkit")


def build() -> None:
    """Build the programs with all bugs among which MUSTER_BUG chooses, unless they are built already.

    The copy of the source is renewed only where it differs, and dependencies are taken from the release build: so only
    the project's own crates are compiled, without optimisation.
    """
    with alone("source") as source:
        renew(source, patches.together())
        _compile(source, HOME, "-p", "muster-testkit", "--bins")


def build_next() -> Path:
    """Build the programs of a next version (`mutants/next_schema.patch`), and return their folder."""
    with alone("source", NEXT) as source:
        renew(source, [patches.next_version()])
        _compile(source, NEXT)
    return NEXT / "release"


def _compile(source: Path, home: Path, *besides: str) -> None:
    reuse_dependencies("release", home)
    command = ["cargo", "build", "--release", "--locked", "--quiet", *_unoptimised(), *programs.PROGRAMS, *besides]
    subprocess.run(command, cwd=source, env=environment(home), check=True)


@contextmanager
def alone(copy: str, home: Path = HOME) -> Iterator[Path]:
    """Hold a lock on a copy of the source, and return its folder. Tests may run side by side."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{copy}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield home / copy


def renew(source: Path, applied: list[str]) -> None:
    """Make `source` a copy of the source with these patches. Only files that differ are written."""
    new = source.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    patches.plant(applied, new)
    wanted = _files(new)
    for name in _files(source) - wanted:
        (source / name).unlink()
    for name in wanted:
        if not (source / name).exists() or not cmp(new / name, source / name, shallow=False):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            # Its time is new, so cargo compiles it also where the file has become what it was.
            shutil.copyfile(new / name, source / name)
    shutil.rmtree(new)


def _files(directory: Path) -> set[Path]:
    return {path.relative_to(directory) for path in directory.rglob("*") if path.is_file()}


def reuse_dependencies(profile: str, home: Path = HOME) -> None:
    """Take what a build of the project itself has compiled, if there is any. `profile` is release or debug."""
    built, to = programs.directory().parent / profile, home / profile
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
    values = [value for crate in crates for value in (f"{crate}.opt-level=0", f"{crate}.codegen-units=16")]
    return [word for value in values for word in ("--config", value)]


def environment(home: Path = HOME) -> dict[str, str]:
    """Return the environment of cargo in a copy."""
    return {**os.environ, "CARGO_TARGET_DIR": str(home)}


def run_test(test: str, seed: int, bug: dict[str, str]) -> Ran:
    """Run a file of tests, one test or the tests of a fault against the programs with bugs; return what pytest printed.

    The scale is small. What a failure leaves goes to target/mutants: it is wanted, and must not be taken for a failure
    of the project.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    told = {"MUSTER_BIN": str(HOME / "release"), "MUSTER_TEST_OUTPUT": str(HOME / "test_output"), **bug}
    command = [sys.executable, "-m", "pytest", *chosen(test), "--scale", "small", "--seed", str(seed), "-x"]
    return _run([*command, "-p", "no:cacheprovider"], E2E, {**ours, **told})


def chosen(test: str) -> list[str]:
    """Return pytest's words for a file, a test of it, or a fault. The soak, which is F17, runs only if it is named."""
    if re.fullmatch(r"F\d+", test):
        return ["faults", "-m", f'fault(id="{test}")', *(["--long", "soak"] if test == "F17" else [])]
    return [test]


def run_cargo(kind: str, mutant: Mutant | None) -> Ran:
    """Run the cargo command of a kind, in a copy with one mutant or none; return what it printed.

    The model draws the same sequences each time, for a minute.
    """
    with alone("source-of-one") as source:
        renew(source, [mutant.patch] if mutant else [])
        reuse_dependencies("debug")
        chosen = mutant.tests if mutant else ()
        told = {**environment(), "MUSTER_MODEL_SECONDS": "60", "MUSTER_MODEL_SEED": "1"}
        return _run(["cargo", "test", "--locked", *CARGO[kind], *chosen], source, told)


def _run(command: list[str], at: Path, told: dict[str, str]) -> Ran:
    return subprocess.run(
        command, cwd=at, env=told, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def is_found(result: Ran, found_by: str) -> bool:
    """Return whether pytest or cargo ran tests that failed with such a text.

    Tests that could not be run or compiled have found nothing.
    """
    lines = result.stdout.splitlines()
    if "test result: FAILED" in result.stdout:
        shown = [line for line in lines if not line.endswith("... ok")]
    else:
        shown = [line for line in lines if line.startswith("E ")] if result.returncode == 1 else []
    return any(re.search(found_by, line) for line in shown)
