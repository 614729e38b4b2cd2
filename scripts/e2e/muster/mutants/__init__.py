"""Mutants: bugs that are planted in a copy of the source, to see that a test finds them.

patches    what the patches of scripts/e2e/mutants are, and whether they fit
build      the copy of the source and the programs that are built of it
run        a test against a mutant
"""

from muster.mutants.build import build
from muster.mutants.patches import FOLDERS, Mutant, all_mutants
from muster.mutants.run import is_found, run_cargo, run_test

__all__ = ["FOLDERS", "Mutant", "all_mutants", "build", "is_found", "run_cargo", "run_test"]
