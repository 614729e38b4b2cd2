"""Operators whose commands are under way while a fault is injected, and then the judgement."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from muster import wait
from muster.api import Json
from muster.cluster import Cluster
from muster.faults.line import Line
from muster.judge import LOST, Accepted, Run, Told, Verdict, judge
from muster.traffic.agents import Agents

POSTERS = 4
# The states of a target that nobody has confirmed yet.
OPEN = ("queued", "sent")
# Bytes that a node may owe to a session of `SlowReaders`, and a broadcast of which a few are more than that.
QUEUE = 128 << 10
LARGE = {"target": {"all": True}, "name": "large", "payload": "x" * (16 << 10), "expires_in": "10m"}
# The metric that counts those who were closed for it.
TOO_SLOW = 'muster_sessions_ended_total{end="too_slow"}'


@dataclass(frozen=True)
class LoadConfig:
    """commands: how many; pace: how many a second; at: a node's address, by default the proxy."""

    commands: int
    pace: float
    at: str | None = None


class Load:
    """Operators who post to `agents`: each tenth command of the first operator to all, the others to one terminal.

    Each operator posts one command after the other, until it is accepted, at a pace: so something is always under way
    when a fault strikes. A terminal's own commands come from one operator, and the broadcasts too: only so is their
    order known.
    """

    def __init__(self, cluster: Cluster, agents: Agents, seed: int, config: LoadConfig) -> None:
        self.cluster, self.agents, self.seed, self.config = cluster, agents, seed, config
        self.refused: Counter[str] = Counter()
        self.slowest = 0.0
        # For whom each command is, by its payload: also commands of which nobody knows yet whether they were accepted.
        self.asked: dict[str, set[str]] = {}
        self.times: dict[str, float] = {}
        # Commands that were answered with 504 first: they may have been lost before they were accepted.
        self.unsure: set[str] = set()
        # The state of each target as operators were told, once it is judged.
        self.told: list[Told] = []
        self._ids = sorted(agents.names())
        self._before = len(agents.lines())
        self._rows: list[list[Accepted]] = [[] for _ in range(POSTERS)]
        self._failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(POSTERS)]
        for thread in self._threads:
            thread.start()

    def _run(self, poster: int) -> None:
        try:
            self._post(poster)
        except BaseException as error:
            self._failed.append(error)

    def _post(self, poster: int) -> None:
        chance = random.Random(f"{self.seed} {poster}")
        own = self._ids[poster::POSTERS]
        for number in paced(self.config.pace / POSTERS, self.config.commands // POSTERS):
            to_all = poster == 0 and number % 10 == 0
            self._post_one(
                poster, f"{self.seed}-{poster}-{number}", self._ids if to_all else [chance.choice(own)], to_all
            )

    def _post_one(self, poster: int, key: str, targets: list[str], to_all: bool) -> None:
        target: Json = {"all": True} if to_all else {"terminal": targets[0]}
        self.asked[key] = set(targets)
        began = time.monotonic()
        body = {"target": target, "name": "work", "payload": key, "expires_in": "1h"}
        refused: Counter[str] = Counter()
        command = self.cluster.api.insist(body, key, at=self.config.at, refused=refused)
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.refused += refused
        if any(why.startswith("504") for why in refused):
            self.unsure.add(command)
        self.times[command] = time.time()
        self._rows[poster].append(Accepted(command, targets, "all" if to_all else targets[0]))

    def done(self) -> int:
        """Return how many commands were accepted so far."""
        return sum(map(len, self._rows))

    def reach(self, share: float) -> None:
        """Wait until this share of the commands was accepted."""
        enough = share * (self.config.commands // POSTERS * POSTERS)
        wait.until(self.done, lambda done: done >= enough or not self.under_way(), within=600)
        self._raise_failure()

    def under_way(self) -> bool:
        """Return whether operators still post."""
        return any(thread.is_alive() for thread in self._threads)

    def accepted(self) -> list[Accepted]:
        """Wait until all is posted; return the commands in the order in which each stream has them."""
        for thread in self._threads:
            thread.join()
        self._raise_failure()
        return [row for rows in self._rows for row in rows]

    def _raise_failure(self) -> None:
        if self._failed:
            raise self._failed[0]

    def judged(self, besides: tuple[str, ...] = (), patience: float = 60) -> Verdict:
        """Wait until all is posted and, for up to `patience` seconds, until all is run and confirmed; then judge.

        `besides` are the commands that others posted meanwhile.
        """
        accepted = self.accepted()
        owed = {Run(row.command, terminal) for row in accepted for terminal in row.targets}
        end = time.monotonic() + patience
        wait.happens(lambda: owed <= set(self._ran()), within=patience)
        self.told = [told for row in accepted for told in self._told(row, end)]
        return judge(accepted, [run for run in self._ran() if run.command not in besides], self.told)

    def write_ledger(self, file: Path) -> None:
        """Append what the judge compares, and why commands were refused: one JSON object a line."""
        rows = [row for rows in self._rows for row in rows]
        lines: list[dict[str, object]] = [
            {"what": "accepted", "at": self.times.get(row.command), **row._asdict()} for row in rows
        ]
        lines += [{"what": "ran", **run._asdict()} for run in self._ran()]
        lines += [{"what": "told", **told._asdict()} for told in self.told]
        lines += [{"what": "refused", "why": why, "times": times} for why, times in self.refused.items()]
        with file.open("a") as out:
            out.writelines(f"{json.dumps(line)}\n" for line in lines)

    def _ran(self) -> list[Run]:
        lines = self.agents.lines()[self._before :]
        return [Run(line["command"], line["terminal"]) for line in lines if line["what"] == "run" and "command" in line]

    def _told(self, row: Accepted, end: float) -> list[Told]:
        """Return what operators are told of a command, once all targets have confirmed it or it is too late."""
        command = row.command
        told: list[Told] = []

        def confirmed() -> bool:
            targets = self.cluster.api.pages(f"/v1/commands/{command}/targets", "targets", at=self.config.at)
            told[:] = [
                Told(command, each["terminal"], each["state"]) for each in targets if each["terminal"] in self._ids
            ]
            return bool(told) and all(each.state not in OPEN for each in told)

        wait.happens(confirmed, within=end - time.monotonic())
        if command in self.unsure:
            told += self._lost(row, {each.terminal for each in told})
        return told

    def _lost(self, row: Accepted, told: set[str]) -> list[Told]:
        """Return the targets that operators are told are lost: as many as the command says that it has not counted."""
        view = self.cluster.api.get(f"/v1/commands/{row.command}", at=self.config.at)
        untold = [terminal for terminal in row.targets if terminal not in told]
        if not view.get("lost") or len(untold) != view["targets"] - sum(view["counts"].values()):
            return []
        return [Told(row.command, terminal, LOST) for terminal in untold]


def paced(rate: float, times: int) -> Iterator[int]:
    """Yield 0, 1, … `times - 1`, at most `rate` a second. Time that was lost is not made up for."""
    due = time.monotonic()
    for number in range(times):
        due = max(due + 1 / rate, time.monotonic())
        time.sleep(max(0, due - time.monotonic()))
        yield number


class SlowReaders(NamedTuple):
    """Terminals of node 1: `fast` ones, and `slow` ones that are reached by the line `way`."""

    fast: Agents
    slow: Agents
    way: Line

    def closed(self) -> bool:
        """Return whether the node has closed the session of each slow terminal, because its queue was full."""
        cluster = self.slow.cluster
        return cluster.api.metric(TOO_SLOW, cluster.node(1)) >= self.slow.terminals


def paced_until(rate: float, least: int, done: Callable[[], bool]) -> Iterator[int]:
    """Yield 0, 1, … as `paced` does: `least` times, and then until it is done. More than 400 times beyond is an error.

    How much the kernel takes before the queue of a node grows depends on the system, and on how busy the machine is. A
    store takes 1,000 commands for many that have not expired.
    """
    most = least + 400
    for number in paced(rate, most):
        yield number
        if number + 1 >= least and done():
            return
    raise wait.WaitedInVain(f"{done.__qualname__} is not true after {most} times")
