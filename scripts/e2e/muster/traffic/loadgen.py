"""Runs of muster-loadgen: as processes, as containers, and against the server that does nothing but deliver.

At the end are the fixtures of the generator's tests.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from muster import process, programs, wait
from muster.api import Json
from muster.cluster import Cluster
from muster.cluster.project import Project

# Exit codes of muster-loadgen.
OK, DELIVERED_WRONGLY, TIMES_UNTRUSTED = 0, 11, 16
# What must not happen, whatever is done to the cluster.
LEDGER = "lost==0,dup_app==0,reorder_app==0,never_recovered==0"
# What must not happen either while nobody is to notice anything.
UNNOTICED = f"{LEDGER},refused==0,indeterminate==0,failed_attempts==0"


@dataclass(frozen=True)
class Run:
    """What a run left: its exit code, its report, and what it printed."""

    code: int
    report: Json
    out: str
    err: str

    def owed(self) -> int:
        """Return how many deliveries the ledger holds."""
        return sum(account["expected"] for account in self.report["ledger"].values())

    def closes(self) -> bool:
        """Return whether all equations of the ledger close."""
        return bool(self.report["verdict"]["gates"][0]["ok"])

    def live(self, point: str) -> float:
        """Return a percentile of the live deliveries' response times in milliseconds, for example of "p99"."""
        return float(self.report["latencies"]["live"]["points"][point])


class Generator:
    """Runs of muster-loadgen, whose files are in `directory`. `env` holds the cluster's secret and key."""

    def __init__(self, directory: Path, env: dict[str, str] | None = None) -> None:
        self.directory, self.env = directory, env or {}
        self._running: list[Running] = []

    def start(self, verb: str, *flags: str, priority: bool = True) -> "Running":
        """Begin a run. `priority`: with a higher priority than the servers it shares the machine with."""
        number = len(self._running)
        files = RunFiles(self.directory, f"load{number}")
        first = programs.PRIORITY if priority else []
        command = [*first, programs.program("muster-loadgen"), verb, "--json", str(files.report), *flags]
        running = Running(files, process.launch(self.directory, files.name, command, env=self.env, stdout=files.out))
        self._running.append(running)
        return running

    def run(self, *flags: str, verb: str = "run", priority: bool = True) -> Run:
        """Run to the end."""
        return self.start(verb, *flags, priority=priority).wait()

    def end(self) -> None:
        """Interrupt what still runs."""
        for running in self._running:
            process.end(running.process.pid, signal.SIGINT)


@dataclass(frozen=True)
class RunFiles:
    """The files of one run."""

    directory: Path
    name: str

    @property
    def report(self) -> Path:
        """The report, as JSON."""
        return self.directory / f"{self.name}.json"

    @property
    def out(self) -> Path:
        """What the run prints."""
        return self.directory / f"{self.name}.out"

    @property
    def err(self) -> Path:
        """What the run tells while it goes on."""
        return self.directory / f"{self.name}.log"


class Running:
    """A run that goes on."""

    def __init__(self, files: RunFiles, process: "subprocess.Popen[bytes]") -> None:
        self.files, self.process = files, process

    def sends(self) -> None:
        """Wait until the first messages are sent."""
        wait.until(lambda: " sent" in self.files.err.read_text() and " 0 sent" not in self.files.err.read_text()[-200:])

    def wait(self) -> Run:
        """Wait for its end; a run takes at most five minutes."""
        code = self.process.wait(300)
        text = self.files.report.read_text() if self.files.report.exists() else "null"
        return Run(code, json.loads(text), self.files.out.read_text(), self.files.err.read_text())


class Server:
    """A program that says `… on HOST:PORT` once it serves, and ends with `end`."""

    def __init__(
        self, directory: Path, name: str, command: Sequence[str | Path], env: dict[str, str] | None = None
    ) -> None:
        self._process = process.launch(directory, name, command, env={**os.environ, **(env or {})})
        log = directory / f"{name}.log"
        said = wait.until(
            lambda: [line for line in log.read_text().splitlines() if " on 127.0.0.1:" in line], within=20
        )
        self.address = said[-1].split()[-1]

    def end(self) -> None:
        """End the program."""
        process.end(self._process.pid)


def null_server(directory: Path, *flags: str) -> Server:
    """Start a server that does nothing but deliver, and makes the mistake that `flags` name."""
    name = f"null{len(list(directory.glob('null*.pid')))}"
    return Server(directory, name, [programs.program("muster-loadgen"), "null-server", *flags])


def against(server: Server) -> list[str]:
    """Return the flags of a run against the null server."""
    return ["--url", f"ws://{server.address}/ws", "--api", f"http://{server.address}"]


class ContainerLoad:
    """So many terminals and their operator, from the moment this is made. All have been online once it is made.

    They are a container of the cluster's project, beside its proxy. `slo` is what `judge` demands. The log is
    `load.log`, the report `report.json`.
    """

    def __init__(self, project: Project, terminals: int, flags: tuple[str, ...], slo: str) -> None:
        self._log = project.directory / "load.log"
        run = project.command("run", "--rm", "--no-deps", "-T", "loadgen", "--terminals", str(terminals))
        command = [*run, "--ramp", "3s", "--no-tui", "--slo", slo, *flags]
        self.process = process.launch(
            project.directory, "load", ["env", "-C", programs.ROOT, *command], env=project.environment()
        )
        wait.until(lambda: int(project.api.get("/v1/fleet")["online"]), lambda online: online >= terminals, within=60)

    def under_way(self) -> bool:
        """Return whether the generator still runs."""
        return self.process.poll() is None

    def finish(self, within: float = 300) -> int:
        """Wait until the generator has ended, and return its exit code."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the generator still runs after {within:g} s:\n{self._tail()}") from None

    def judge(self) -> None:
        """Wait until the generator has ended; demand that all of `slo` held."""
        assert self.finish() == 0, self._tail()

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-45:])

    def end(self) -> None:
        """Kill the command. Its container ends with the project."""
        self.process.kill()
        self.process.wait(process.PATIENCE)


# `play(300, "--for", "30s")` of the tests of compose/.
PlayFactory = Callable[..., ContainerLoad]


@pytest.fixture
def generator(directory: Path) -> Iterator[Generator]:
    """Runs against servers that are no cluster."""
    made = Generator(directory)
    yield made
    made.end()


@pytest.fixture
def cluster_generator(cluster: Cluster) -> Iterator[Generator]:
    """Runs with the secret and the key of the cluster."""
    made = Generator(cluster.directory, {"MUSTER_SECRET": cluster.secret, "MUSTER_KEY": cluster.api.key})
    yield made
    made.end()


@pytest.fixture(name="null_server")
def null_servers(directory: Path) -> Iterator[Callable[..., Server]]:
    """A server that does nothing but deliver: `null_server("--fault", "drop:3000")`."""
    made: list[Server] = []

    def start(*flags: str) -> Server:
        made.append(null_server(directory, *flags))
        return made[-1]

    yield start
    for server in made:
        server.end()


@pytest.fixture
def cluster_flags(cluster: Cluster) -> list[str]:
    """The flags of a run against the cluster, through its Nginx."""
    return ["--url", cluster.url(), "--api", f"http://{cluster.proxy()}"]


@pytest.fixture
def generator_agents(directory: Path) -> Iterator[list[str]]:
    """The addresses of two agents that a coordinator may use."""
    command = [*programs.PRIORITY, programs.program("muster-loadgen"), "agent", "--listen", "127.0.0.1:0"]
    made = [Server(directory, f"agent{number}", command) for number in (1, 2)]
    yield [agent.address for agent in made]
    for agent in made:
        agent.end()
