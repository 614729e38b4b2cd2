"""A seed decides the whole schedule."""

import re
import subprocess

from muster import programs

LOAD = (
    "--url ws://nowhere/ws --api http://nowhere --terminals 3000 --connects poisson --churn 5%/s"
    " --leave close:8,reset:1,blackhole:1 --commands poisson:20 --broadcasts ramp:1..10 --mute 1%"
)


def schedule(seed: int) -> tuple[str, str]:
    """Return the hash of the schedule and the hash of the intended deliveries, as a dry run prints them."""
    command = [programs.program("muster-loadgen"), "run", "--dry-run", "--seed", str(seed), *LOAD.split()]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"schedule (\w+), \d+ deliveries intended \(set (\w+)\)", done.stdout + done.stderr)
    assert found
    return found[1], found[2]


def test_the_same_seed_makes_the_same_schedule_and_the_same_deliveries() -> None:
    assert schedule(7) == schedule(7)


def test_another_seed_makes_another_schedule_and_other_deliveries() -> None:
    seven, eight = schedule(7), schedule(8)
    assert seven[0] != eight[0] and seven[1] != eight[1]
