"""Compares what operators were told with what terminals did, by their own logs and nothing else.

Each accepted command must be run by each of its targets, once, in order, and be reported so.
`returns`, `span` and `peak` say how evenly terminals came back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

CONFIRMED = {"acked", "running", "succeeded"}
# An operator was told that what became of the target is not known any more.
LOST = "lost"


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
    lost = {pair for pair, state in states.items() if state == LOST}
    faults = {
        "accepted lost": expected - runs.keys(),
        "run twice": {pair for pair, count in runs.items() if count > 1},
        "run and not asked for": runs.keys() - expected,
        "out of order": _out_of_order(accepted, ran),
        "confirmed and not run": confirmed - runs.keys(),
        "run and not confirmed": (runs.keys() & expected) - confirmed - lost,
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


def returns(lines: Iterable[Mapping[str, Any]], since: float = 0) -> list[float]:
    """Return when terminals came back online after they were offline, in seconds after `since`, from agents' lines.

    `since` is in seconds since 1970; what happened before is left out.
    """
    offline: set[str] = set()
    times = []
    for line in lines:
        at = line["at"] / 1000 - since
        if at < 0:
            continue
        if line["what"] == "offline":
            offline.add(line["terminal"])
        elif line["what"] == "online" and line["terminal"] in offline:
            offline.remove(line["terminal"])
            times.append(at)
    return sorted(times)


def span(times: list[float]) -> float:
    """Return the time in which all but the first and the last hundredth happened."""
    cut = len(times) // 100
    return times[-1 - cut] - times[cut]


def peak(times: list[float], seconds: float) -> float:
    """Return how many times as many happened in the busiest second as in the mean one of `seconds`."""
    return max(Counter(int(at) for at in times).values()) * seconds / len(times)
