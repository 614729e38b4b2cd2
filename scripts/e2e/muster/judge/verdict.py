"""The comparison: each accepted command must be run by each of its targets, once, in order, and be reported so."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

CONFIRMED = {"acked", "running", "succeeded"}


class Accepted(NamedTuple):
    """A command that was accepted. Commands of one `stream` have one order: the order in which they are given."""

    command: str
    targets: Sequence[str]
    stream: str


class Run(NamedTuple):
    """A command that a terminal wrote down as run."""

    command: str
    terminal: str


class Told(NamedTuple):
    """The state of a target as an operator was told."""

    command: str
    terminal: str
    state: str


@dataclass(frozen=True)
class Verdict:
    """What is wrong, by kind: pairs of command and terminal. `deliveries` is how many were owed."""

    deliveries: int
    faults: Mapping[str, Sequence[tuple[str, str]]]

    def __bool__(self) -> bool:
        return self.deliveries > 0 and not any(self.faults.values())

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(found)} {kind}" for kind, found in self.faults.items())
        examples = [f"{kind}: {found[:3]}" for kind, found in self.faults.items() if found]
        return "\n  ".join([f"{self.deliveries} deliveries: {counts}", *examples])


def judge(accepted: Sequence[Accepted], ran: Sequence[Run], told: Iterable[Told]) -> Verdict:
    """Compare the three logs. `ran` is in the order in which each terminal wrote it."""
    expected = {(row.command, terminal) for row in accepted for terminal in row.targets}
    runs = Counter((run.command, run.terminal) for run in ran)
    states = {(row.command, row.terminal): row.state for row in told}
    confirmed = {pair for pair, state in states.items() if state in CONFIRMED}
    faults = {
        "accepted lost": expected - runs.keys(),
        "run twice": {pair for pair, count in runs.items() if count > 1},
        "run and not asked for": runs.keys() - expected,
        "out of order": _out_of_order(accepted, ran),
        "confirmed and not run": confirmed - runs.keys(),
        "run and not confirmed": (runs.keys() & expected) - confirmed,
        "targets not told of": expected - states.keys(),
    }
    return Verdict(len(expected), {kind: sorted(found) for kind, found in faults.items()})


def _out_of_order(accepted: Sequence[Accepted], ran: Sequence[Run]) -> set[tuple[str, str]]:
    place = {row.command: number for number, row in enumerate(accepted)}
    stream = {row.command: row.stream for row in accepted}
    last: dict[tuple[str, str], int] = {}
    found = set()
    for run in ran:
        if run.command not in place:
            continue
        of = (run.terminal, stream[run.command])
        if place[run.command] < last.get(of, -1):
            found.add((run.command, run.terminal))
        last[of] = max(place[run.command], last.get(of, -1))
    return found
