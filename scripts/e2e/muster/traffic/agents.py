"""Terminals that write down what they run (testkit/src/bin/agents), and attackers (testkit/src/bin/attackers)."""

import json
import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from muster import process, programs, wait
from muster.api import Json
from muster.cluster import Cluster

# A mutant of the terminals: they drop, repeat or swap a command now and then, which the judge must find.
BUG = ["--bug", os.environ["MUSTER_AGENTS_BUG"]] if "MUSTER_AGENTS_BUG" in os.environ else []

Line = dict[str, Any]


@dataclass(frozen=True)
class AgentsConfig:
    """terminals: how many; flags: more flags of the program; url: where they connect, by default through Nginx.

    seed: decides when they come back after they were offline;
    prefix: terminals are called PREFIX0, PREFIX1, …; name: the name of the log, by default the prefix;
    memory: they remember in files what they had, and so do later terminals of the same prefix.
    """

    terminals: int
    flags: tuple[str, ...] = ()
    seed: int = 0
    url: str | None = None
    prefix: str = "agent-"
    name: str = ""
    memory: bool = False


class Agents:
    """So many terminals, from the moment this is made until `end`."""

    def __init__(self, cluster: Cluster, config: AgentsConfig) -> None:
        self.cluster, self.terminals, self.prefix = cluster, config.terminals, config.prefix
        name = config.name or config.prefix.strip("-")
        self.log = cluster.directory / f"{name}.jsonl"
        self._lines: list[Line] = []
        self._read = 0
        command = [str(programs.directory() / "agents"), "--url", config.url or cluster.url()]
        command += ["--terminals", str(config.terminals), "--prefix", config.prefix, "--log", str(self.log)]
        if config.memory:
            memory = cluster.directory / "memory"
            memory.mkdir(exist_ok=True)
            command += ["--memory", str(memory)]
        # A terminal that was often cut off would come back after half a minute, and a test would wait for nothing else.
        command += ["--cap", "3s", *BUG, *config.flags]
        self.log.touch()
        env = {"MUSTER_SECRET": cluster.secret, **programs.chance(config.seed, self.prefix)}
        self.process = process.launch(cluster.directory, name, command, env=env)

    def names(self) -> list[str]:
        """Return the ids of the terminals."""
        return [f"{self.prefix}{number}" for number in range(self.terminals)]

    def online(self, *, at: str | None = None) -> "Agents":
        """Wait until the registry shows all of them online."""
        path = f"/v1/terminals?status=online&prefix={self.prefix}"
        wait.until(lambda: len(self.cluster.api.pages(path, "terminals", at=at)), lambda n: n == self.terminals)
        return self

    def lines(self, what: str | None = None) -> list[Line]:
        """Return what they wrote so far: all, or the lines of one kind (online, offline, run, gap, …)."""
        with self.log.open() as file:
            file.seek(self._read)
            while (line := file.readline()).endswith("\n"):
                self._lines.append(json.loads(line))
                self._read = file.tell()
        return [line for line in self._lines if what in (None, line["what"])]

    def runs(self) -> dict[str, list[str]]:
        """Return the commands that each terminal has run, in its order."""
        by_terminal: dict[str, list[str]] = {name: [] for name in self.names()}
        for line in self.lines("run"):
            by_terminal[line["terminal"]].append(str(line.get("command")))
        return by_terminal

    def have_run(self, command: str) -> bool:
        """Return whether each terminal has run this command."""
        return len({line["terminal"] for line in self.lines("run") if line.get("command") == command}) == self.terminals

    def have_all_run(self, payload: str) -> bool:
        """Return whether each terminal has run a command with this payload, whose id nobody was told."""
        return len({line["terminal"] for line in self.lines("run") if line.get("payload") == payload}) == self.terminals

    def not_exactly(self, commands: list[str]) -> list[str]:
        """Return the terminals that have not run exactly these commands, each once and in this order."""
        return [terminal for terminal, ran in self.runs().items() if ran != commands]

    def connected(self) -> set[str]:
        """Return the terminals that are connected, by their own word."""
        kinds = ("online", "offline", "gone")
        last = {line["terminal"]: line["what"] for line in self.lines() if line["what"] in kinds}
        return {terminal for terminal, what in last.items() if what == "online"}

    def disconnected(self) -> set[str]:
        """Return the terminals that have been disconnected at least once."""
        return {line["terminal"] for line in self.lines("offline")}

    def seconds_away(self) -> list[float]:
        """Return how long each disconnected terminal was away, from its first cut to its last return, sorted."""
        lost = {line["terminal"]: line["at"] for line in reversed(self.lines("offline"))}
        back = {line["terminal"]: line["at"] for line in self.lines("online")}
        return sorted((back[terminal] - lost[terminal]) / 1000 for terminal in lost)

    def ends(self, how: str = "", since: float = 0) -> list[Line]:
        """Return the ends of sessions and of attempts to connect, at `since` (seconds since 1970) or later.

        `how` chooses among them by their text, for example "with 1012" or "HTTP status 429".
        """
        ends = [line for line in self.lines() if line["what"] in ("offline", "gone")]
        return [line for line in ends if how in line["end"] and line["at"] >= since * 1000]

    def freeze(self) -> None:
        """Stop reading and writing, with all connections open (SIGSTOP)."""
        process.freeze(self.process.pid)

    def end(self) -> None:
        """Kill the terminals: their connections end without a word."""
        self.process.kill()
        self.process.wait(process.PATIENCE)


@dataclass(frozen=True)
class Attack:
    """What attackers did and met: by kind how many connections were `begun`, how they `ended`, …; see `main.rs`.

    `cores` is the share of one core that the attackers took.
    """

    kinds: Json
    cores: float

    def met(self, kind: str, *hows: str) -> int:
        """Return how often connections of a kind ended in one of these ways, such as "close 4500", or "stalled"."""
        counts = self.kinds[kind]
        return sum(counts["ended"].get(how, 0) + (counts["stalled"] if how == "stalled" else 0) for how in hows)


class Attackers:
    """Attackers by the flags of `attackers run`, from the moment this is made. `url`: by default Nginx's."""

    def __init__(self, cluster: Cluster, seed: int, *flags: str, url: str = "", name: str = "attackers") -> None:
        self._out = cluster.directory / f"{name}.out"
        self._out.unlink(missing_ok=True)
        command = [programs.program("attackers"), "run", "--url", url or cluster.url(), *flags]
        secrets = {"MUSTER_SECRET": cluster.secret, "MUSTER_KEY": cluster.api.key}
        env = {**secrets, **programs.chance(seed, name)}
        self._process = process.launch(cluster.directory, name, command, env=env, stdout=self._out)

    def result(self, within: float) -> Attack:
        """Wait until their time is over, for at most so many seconds."""
        code = self._process.wait(within)
        assert code == 0, f"attackers ended with {code}"
        said = json.loads(self._out.read_text())
        return Attack(said["kinds"], said["cpu_seconds"] / said["seconds"])

    def stop(self) -> Attack:
        """Have them end now."""
        self._process.terminate()
        return self.result(process.PATIENCE)

    def end(self) -> None:
        """Kill them, if they are still there."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(process.PATIENCE)
