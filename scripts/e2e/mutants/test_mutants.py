"""Each test can fail: it finds a bug of its own, and finds nothing where there is none.

A promise's test must find the bug that is planted for that promise. The test of a fault must find the bug of a promise
that it is about, or terminals that drop, repeat or swap a command now and then.
"""

import re
from pathlib import Path

import pytest

from muster import mutants, programs
from muster.mutants import FOLDERS, Mutant, patches

# A race is not lost each time.
ATTEMPTS = 4
PROMISES = {f"P{number}" for number in range(1, 11)}
# What the judge says of terminals with each bug.
TERMINALS = {
    "drop": "[1-9][0-9]* accepted lost",
    "repeat": "[1-9][0-9]* run twice",
    "swap": "[1-9][0-9]* out of order",
}
# Tests of faults that compare by themselves what terminals have run: a bug that they must find, and by what.
UNJUDGED = {"faults/test_f15_redis_full.py": ("repeat", "did not run each of")}

MUTANTS = mutants.all_mutants()
# Tests of faults that are named by a patch meet its bug, and not a bug of the terminals.
ABOUT = {test.split("::")[0] for mutant in MUTANTS for test in mutant.tests}
FAULTS = sorted(
    path
    for path in (f"faults/{file.name}" for file in (patches.E2E / "faults").glob("test_f*.py"))
    if path not in ABOUT
)


def test_patches_that_are_built_together_fit_the_source(tmp_path: Path) -> None:
    patches.plant(patches.switched(), tmp_path)


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.folder], ids=str)
def test_a_patch_that_is_built_alone_fits_the_source(mutant: Mutant) -> None:
    assert mutant.folder in FOLDERS
    patches.apply(mutant.patch, programs.ROOT, "--dry-run")


def test_each_promise_has_a_mutant_that_its_own_test_finds() -> None:
    numbers = re.findall(r"promises/test_p(\d+)_", " ".join(test for mutant in MUTANTS for test in mutant.tests))
    assert {f"P{int(number)}" for number in numbers} == PROMISES


def test_the_tests_that_find_mutants_are_there() -> None:
    for mutant in MUTANTS:
        assert mutant.folder or mutant.tests, f"{mutant}: say by `test:` what finds it"
        for test in mutant.tests:
            assert (patches.E2E / test.split("::")[0]).exists(), f"{mutant}: {test} is not there"


@pytest.fixture(scope="session")
def planted() -> None:
    """The programs with all bugs, built."""
    programs.install({"patch": "patch"})
    mutants.build()


@pytest.mark.long("mutants")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mutant", [m for m in MUTANTS if not m.folder], ids=str)
def test_a_planted_bug_is_found(mutant: Mutant, planted: None, seed: int) -> None:
    for test in mutant.tests:
        assert_found(test, seed, {"MUSTER_BUG": mutant.name}, mutant.found_by)


@pytest.mark.long("mutants")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS)
def test_terminals_that_drop_repeat_or_swap_are_found(fault: str, planted: None, seed: int) -> None:
    bug = sorted(TERMINALS)[FAULTS.index(fault) % len(TERMINALS)]
    bug, found_by = UNJUDGED.get(fault, (bug, TERMINALS[bug]))
    assert_found(fault, seed, {"MUSTER_AGENTS_BUG": bug}, found_by)


def assert_found(test: str, seed: int, bug: dict[str, str], found_by: str) -> None:
    """Demand that the test fails with what `found_by` says where there is the bug, and passes where there is none."""
    without = mutants.run_test(test, seed, {})
    if without.returncode != 0:
        without = mutants.run_test(test, seed, {})
    assert without.returncode == 0, f"without a bug, {test} fails:\n{without.stdout}"
    for _ in range(ATTEMPTS):
        result = mutants.run_test(test, seed, bug)
        if mutants.is_found(result, found_by):
            return
    pytest.fail(f"{test} does not find {bug}, or not by {found_by!r}:\n{result.stdout}")


@pytest.mark.long("mutants")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("folder", sorted({m.folder for m in MUTANTS if m.folder}))
def test_planted_bugs_are_found_by_cargo(folder: str) -> None:
    programs.install({"patch": "patch"})
    without = mutants.run_cargo(folder, None)
    assert without.returncode == 0, without.stdout
    for mutant in (m for m in MUTANTS if m.folder == folder):
        result = mutants.run_cargo(folder, mutant)
        assert mutants.is_found(result, mutant.found_by), f"{mutant}:\n{result.stdout}"
