"""The patches of scripts/e2e/mutants, each of which is one bug.

A patch has lines of the form `KEY: VALUE` before its first file:

    found by: [1-9][0-9]* lost          a regular expression, which one line of the failure must match
    test: promises/test_p02_once.py     what must find the bug: files of scripts/e2e, each with or without a ::name

All patches of the folder itself go into one copy of the source, which is built once: the environment variable
MUSTER_BUG names the bug that a program then has. A patch in a sub-folder needs no `test`: the cargo command of that
folder (`FOLDERS`) finds it, in a copy that has this patch alone.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from muster import programs

E2E = programs.ROOT / "scripts" / "e2e"
HERE = E2E / "mutants"
# The patch by which programs are told which bug to have. It is applied first.
SWITCH = HERE / "switch.patch"
# By sub-folder: the words after `cargo test` that find its mutants.
FOLDERS = {
    "model": ["-p", "muster-node", "--test", "model"],
    "concurrency": ["--workspace", "--lib", "--features", "muster-node/shuttle", "models::"],
}


class DoesNotFit(Exception):
    """A patch does not fit the source any more."""


@dataclass(frozen=True)
class Mutant:
    """One bug: the tests that must find it, and the text by which they do. `folder` is its sub-folder or ""."""

    patch: Path
    folder: str
    tests: tuple[str, ...]
    found_by: str

    @property
    def name(self) -> str:
        """What MUSTER_BUG has."""
        return self.patch.stem

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}".removeprefix("/")

    def applied(self) -> list[Path]:
        """Return the patches that a copy for this mutant alone needs, in their order."""
        return [*([SWITCH] if "::bug(" in self.patch.read_text() else []), self.patch]


def all_mutants() -> list[Mutant]:
    """Return what the patches say of themselves."""
    return [_read(patch) for patch in sorted(HERE.rglob("*.patch")) if patch != SWITCH]


def switched() -> list[Path]:
    """Return the patches that go into one copy, in their order."""
    return [SWITCH, *(mutant.patch for mutant in all_mutants() if not mutant.folder)]


def _read(patch: Path) -> Mutant:
    head = patch.read_text().split("\n--- ", 1)[0]
    said = dict(re.findall(r"^(test|found by): (.+)$", head, re.MULTILINE))
    folder = str(patch.parent.relative_to(HERE)).removeprefix(".")
    return Mutant(patch, folder, tuple(said.get("test", "").split()), said["found by"])


def plant(patches: list[Path], directory: Path) -> None:
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


def apply(patch: Path, directory: Path, *flags: str) -> None:
    """Apply one patch without fuzz. Raises `DoesNotFit`."""
    command = ["patch", "--strip", "0", "--quiet", "--fuzz", "0", "--no-backup-if-mismatch", *flags]
    done = subprocess.run([*command, "--input", str(patch)], cwd=directory, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise DoesNotFit(f"{patch.relative_to(E2E)} does not fit the source; make it anew:\n{done.stdout}")
