"""Each test can fail: it finds a bug of its own, and finds nothing where there is none.

A promise's test must find the bug that is planted for that promise. The test of a fault must find the bug of a promise
that it is about, or terminals that drop, repeat or swap a command now and then.
"""

import re
from pathlib import Path

import pytest

from muster import programs
from muster.mutants import build, patches
from muster.mutants.patches import CARGO, E2E, TOGETHER, Mutant

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
UNJUDGED = {"F15": ("repeat", "did not run each of")}

MUTANTS = patches.all_mutants()
BUILT_TOGETHER = [mutant for mutant in MUTANTS if mutant.kind == TOGETHER]
BUILT_ALONE = [mutant for mutant in MUTANTS if mutant.kind != TOGETHER]
# Where each fault is tested.
FAULTS = {
    fault: file
    for file in (E2E / "faults").glob("test_*.py")
    for fault in re.findall(r'\bfault\(id="(F\d+)"\)', file.read_text())
}
# Faults that are named by a patch meet its bug, and not a bug of the terminals. F8 is named by its test.
ABOUT = {"F8"} | {test for mutant in MUTANTS for test in mutant.tests}
JUDGED = sorted(FAULTS.keys() - ABOUT, key=lambda fault: int(fault[1:]))


def test_patches_that_are_built_together_fit_the_source(tmp_path: Path) -> None:
    patches.plant(patches.together(), tmp_path)


@pytest.mark.parametrize("mutant", BUILT_ALONE, ids=str)
def test_a_patch_that_is_built_alone_fits_the_source(mutant: Mutant) -> None:
    patches.apply(mutant.patch, programs.ROOT, "--dry-run")


def test_the_patch_of_the_next_version_fits_the_source() -> None:
    patches.apply(patches.next_version(), programs.ROOT, "--dry-run")


def test_each_promise_has_a_mutant_that_its_own_test_finds() -> None:
    numbers = re.findall(r"promises/test_p(\d+)_", " ".join(test for mutant in MUTANTS for test in mutant.tests))
    assert {f"P{int(number)}" for number in numbers} == PROMISES


def test_the_tests_that_find_mutants_are_there() -> None:
    for mutant in BUILT_TOGETHER:
        assert mutant.tests, f"{mutant}: say by `test:` what finds it"
        for test in mutant.tests:
            assert is_there(test), f"{mutant}: {test} is not there"


def is_there(test: str) -> bool:
    """Return whether there is such a fault, file, or test of a file."""
    file, _, name = test.partition("::")
    return test in FAULTS or ((E2E / file).is_file() and f"def {name}" in (E2E / file).read_text())


@pytest.fixture(scope="session")
def planted() -> None:
    """The programs with all bugs, built."""
    build.build()


@pytest.mark.long("mutants")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mutant", BUILT_TOGETHER, ids=str)
def test_a_planted_bug_is_found(mutant: Mutant, planted: None, seed: int) -> None:
    for test in mutant.tests:
        assert_found(test, seed, {"MUSTER_BUG": mutant.name}, mutant.found_by)


@pytest.mark.long("mutants")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", JUDGED)
def test_terminals_that_drop_repeat_or_swap_are_found(fault: str, planted: None, seed: int) -> None:
    bug = sorted(TERMINALS)[JUDGED.index(fault) % len(TERMINALS)]
    bug, found_by = UNJUDGED.get(fault, (bug, TERMINALS[bug]))
    assert_found(fault, seed, {"MUSTER_AGENTS_BUG": bug}, found_by)


def assert_found(test: str, seed: int, bug: dict[str, str], found_by: str) -> None:
    """Demand that the test fails with what `found_by` says where there is the bug, and passes where there is none."""
    without = build.run_test(test, seed, {})
    if without.returncode != 0:
        without = build.run_test(test, seed, {})
    assert without.returncode == 0, f"without a bug, {test} fails:\n{without.stdout}"
    for _ in range(ATTEMPTS):
        result = build.run_test(test, seed, bug)
        if build.is_found(result, found_by):
            return
    pytest.fail(f"{test} does not find {bug}, or not by {found_by!r}:\n{result.stdout}")


@pytest.mark.long("mutants")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", sorted(CARGO))
def test_planted_bugs_are_found_by_cargo(kind: str) -> None:
    without = build.run_cargo(kind, None)
    assert without.returncode == 0, without.stdout
    for mutant in (m for m in BUILT_ALONE if m.kind == kind):
        result = build.run_cargo(kind, mutant)
        assert build.is_found(result, mutant.found_by), f"{mutant}:\n{result.stdout}"
