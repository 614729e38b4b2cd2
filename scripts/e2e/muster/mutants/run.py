"""A test against a mutant."""

import os
import re
import subprocess
import sys
from pathlib import Path

from muster.mutants.build import HOME, alone, environment, renew, reuse_dependencies
from muster.mutants.patches import E2E, FOLDERS, Mutant

Ran = subprocess.CompletedProcess[str]


def run_test(test: str, seed: int, bug: dict[str, str]) -> Ran:
    """Run a file of tests, or one test, against the programs with bugs, at small scale; return what pytest printed.

    What a failure leaves goes to target/mutants: it is wanted, and must not be taken for a failure of the project.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    told = {"MUSTER_BIN": str(HOME / "release"), "MUSTER_TEST_OUTPUT": str(HOME / "test_output"), **bug}
    command = [sys.executable, "-m", "pytest", test, "--scale", "small", "--seed", str(seed), "-x"]
    # A long test runs only if it is asked for.
    long = re.findall(r'mark\.long\("(\w+)"\)', (E2E / test.split("::")[0]).read_text())
    command += ["--long", long[0]] if long else []
    return _run([*command, "-p", "no:cacheprovider"], E2E, {**ours, **told})


def run_cargo(folder: str, mutant: Mutant | None) -> Ran:
    """Run the cargo command of a sub-folder, in a copy with one mutant or none; return what it printed."""
    with alone("source-of-one") as source:
        renew(source, mutant.applied() if mutant else [])
        reuse_dependencies("debug")
        bug = {"MUSTER_BUG": mutant.name} if mutant else {}
        command = ["cargo", "test", "--locked", *FOLDERS[folder]]
        return _run(command, source, {**environment(), **bug})


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
