"""The series of patches of scripts/e2e/mutants: a file for each kind, and in it a patch for each bug.

A file begins with what it is about, and with the change that all its bugs need, if there is one. Then come its bugs:

    # bug: once                         its name
    Commands are lost.                  what it is
    test: promises/test_p02_once.py     what must find it: files, each with or without a ::name, or faults, as F5
    found by: [1-9][0-9]* lost          a regular expression, which one line of the failure must match

and after an empty line the patch. All bugs of `promises.patch` go into one copy of the source, which is built once: the
environment variable MUSTER_BUG names the bug that a program then has. A bug of another file is found by the cargo
command of that kind (`CARGO`), in a copy that has this bug alone. There `test`, if it is given, is a part of the names
of cargo's tests: no others are run.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from muster import programs

E2E = programs.ROOT / "scripts" / "e2e"
# By kind: the words after `cargo test` that find its mutants.
CARGO = {
    "model": ["-p", "muster-node", "--test", "model"],
    "partitioned": ["-p", "muster-node", "--lib", "--test", "partition", "--test", "partitioned"],
    "concurrency": ["--workspace", "--lib", "--features", "muster-node/shuttle", "models::"],
}
# The kind whose bugs are built together.
TOGETHER = "promises"


class DoesNotFit(Exception):
    """A patch does not fit the source any more."""


@dataclass(frozen=True)
class Mutant:
    """One bug of a kind: the tests that must find it, and the text by which they do."""

    kind: str
    name: str
    tests: tuple[str, ...]
    found_by: str
    patch: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def all_mutants() -> list[Mutant]:
    """Return what the files say of their bugs."""
    return [_read(kind, text) for kind in (TOGETHER, *CARGO) for text in _series(kind)[1:]]


def together() -> list[str]:
    """Return the patches that go into one copy, in their order: first the one by which programs are told their bug."""
    begin = _series(TOGETHER)[0]
    return [begin, *(mutant.patch for mutant in all_mutants() if mutant.kind == TOGETHER)]


def next_version() -> str:
    """Return the patch that makes a next version of the programs. The text before it says what that version changes."""
    return (E2E / "mutants" / "next_schema.patch").read_text()


def _series(kind: str) -> list[str]:
    """Return the texts of one file: its beginning, and one for each bug."""
    return re.split("^# bug: ", (E2E / "mutants" / f"{kind}.patch").read_text(), flags=re.MULTILINE)


def _read(kind: str, text: str) -> Mutant:
    head, patch = text.split("\n\n", 1)
    said = dict(re.findall(r"^(test|found by): (.+)$", head, re.MULTILINE))
    return Mutant(kind, head.splitlines()[0], tuple(said.get("test", "").split()), said["found by"], patch)


def plant(patches: list[str], directory: Path) -> None:
    """Make a copy of the source outside scripts in `directory`, and apply the patches without fuzz.

    Raises `DoesNotFit`.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", ":!scripts"], cwd=programs.ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (programs.ROOT / name).exists():
            to = directory / name
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes((programs.ROOT / name).read_bytes())
    for patch in patches:
        apply(patch, directory)


def apply(patch: str, directory: Path, *flags: str) -> None:
    """Apply one patch without fuzz. Raises `DoesNotFit`."""
    programs.install({"patch": programs.TEST_PACKAGES["patch"]})
    command = ["patch", "--strip", "0", "--quiet", "--fuzz", "0", "--no-backup-if-mismatch", *flags]
    done = subprocess.run(command, input=patch, cwd=directory, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise DoesNotFit(f"this patch does not fit the source; make it anew:\n{patch}\n{done.stdout}")
