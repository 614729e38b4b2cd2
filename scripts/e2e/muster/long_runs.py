"""The runs of `scripts/test --long NAME` that pytest has no part in: the model for an hour, and fuzzing."""

import argparse
import os
import sys
from functools import partial

from muster import programs
from muster.together import Step, run

# The workspace of the fuzz targets.
FUZZ = programs.ROOT / "fuzz"


def model(words: list[str]) -> list[Step]:
    """Return a run of the model of the backplanes for an hour, or for MUSTER_MODEL_SECONDS. It prints its seed."""
    if words:
        sys.exit(f"scripts/test --long model chooses no tests: leave out {' '.join(words)}")
    command = "cargo test --locked -p muster-node --test model -- --nocapture both_backplanes".split()
    seconds = os.environ.get("MUSTER_MODEL_SECONDS", "3600")
    return [("model for an hour", lambda: run(*command, MUSTER_MODEL_SECONDS=seconds))]


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
