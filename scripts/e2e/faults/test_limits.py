"""Redis has no memory or no room left, and a node no files: F15, F16."""

import resource
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from muster import wait
from muster.api import Json
from muster.cluster import Cluster, ProcessCluster
from muster.fixtures import AgentsFactory, Scale
from muster.traffic.agents import Agents
from muster.traffic.terminal import Refused, Terminal

# F15: Redis has no memory left (maxmemory), or no room for its file.

WHY = "Redis is told how large its file may be"
ONE = "it has a bound for one server"
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class Filler:
    """An operator who posts commands to all terminals, each once, and knows which were accepted."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.accepted: list[str] = []

    def post(self, count: int, size: int = 0) -> list[tuple[int, Json]]:
        """Post so many commands with payloads of `size` bytes; return the answers of those that were refused."""
        refused = []
        body = {"target": {"all": True}, "name": "fill", "payload": "x" * size, "expires_in": "1h"}
        for number in range(count):
            at = self.cluster.node(1 + number % 3)
            status, answer = self.cluster.api.ask("POST", "/v1/commands", body, at=at)
            if status == 202:
                self.accepted.append(answer["id"])
            else:
                refused.append((status, answer))
        return refused

    def assert_all_was_run(self, fleet: Agents) -> None:
        """Wait until a command is accepted again; each terminal has run each accepted one, once and in order."""
        wait.until(lambda: self.post(1), lambda refused: not refused)
        wait.until(lambda: fleet.have_run(self.accepted[-1]))
        wrong = [terminal for terminal, ran in fleet.runs().items() if ran != self.accepted]
        assert not wrong, (
            f"they did not run each of {len(self.accepted)} commands that were accepted, once and in order"
        )
        assert not fleet.disconnected()


@pytest.mark.fault(id="F15")
@pytest.mark.cluster(processes_only=WHY, one_redis=ONE)
def test_without_memory_commands_are_refused_and_what_was_accepted_is_run(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    fleet, filler = agents(scale(50, 500), url=cluster.url(1, 2, 3)).online(), Filler(cluster)
    assert not filler.post(10)

    leave_no_memory(cluster)

    refused = filler.post(scale(200, 1000), size=1000)
    assert refused and all(status == 503 and problem["detail"] for status, problem in refused)
    # The states of what was accepted are written all the same.
    last = filler.accepted[-1]
    wait.until(lambda: cluster.api.counts(last)["acked"], lambda acked: acked == fleet.terminals)
    cluster.redis("CONFIG", "SET", "maxmemory", "0")
    filler.assert_all_was_run(fleet)


@pytest.mark.fault(id="F15")
@pytest.mark.cluster(processes_only=WHY, one_redis=ONE)
def test_without_memory_an_event_is_dropped_and_a_new_terminal_is_registered(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    agents(scale(50, 500), url=cluster.url(1, 2, 3)).online()
    at = cluster.node(1)
    dropped = 'muster_reports_dropped_total{reason="event_refused"}'
    leave_no_memory(cluster)
    assert Filler(cluster).post(scale(200, 1000), size=1000)

    with Terminal(cluster, at, "plain-1") as plain:
        plain.say("an event that Redis refuses")
        wait.until(lambda: cluster.api.metric(dropped, at), lambda count: count == 1)
        with Terminal(cluster, at, "plain-2"):
            wait.until(lambda: status_of(cluster, "plain-2"), lambda status: status == "online", within=5)


def leave_no_memory(cluster: Cluster) -> None:
    """Tell Redis that it may use no more memory than it does."""
    used = cluster.redis("INFO", "memory").split("used_memory:")[1].split()[0]
    cluster.redis("CONFIG", "SET", "maxmemory", used)


def status_of(cluster: Cluster, terminal: str) -> str | None:
    _, answer = cluster.api.ask("GET", f"/v1/terminals/{terminal}")
    return str(answer["status"]) if "status" in answer else None


@pytest.mark.fault(id="F15")
@pytest.mark.cluster(processes_only=WHY, one_redis=ONE)
def test_without_room_for_its_file_each_command_is_refused_and_all_goes_on_with_room_again(
    process_cluster: ProcessCluster, agents: AgentsFactory, scale: Scale
) -> None:
    cluster = process_cluster
    fleet, filler = agents(scale(50, 500), url=cluster.url(1, 2, 3)).online(), Filler(cluster)
    assert not filler.post(10)

    # To Redis this is a full disk: a write to its file fails. It ignores the signal that comes with this limit.
    resource.prlimit(cluster.pid("redis"), resource.RLIMIT_FSIZE, (cluster.stored(), resource.RLIM_INFINITY))

    wait.until(lambda: cluster.redis("INFO", "persistence"), lambda info: "aof_last_write_status:err" in info)
    count = scale(200, 1000)
    refused = filler.post(count, size=1000)
    assert len(refused) == count and all(status == 503 and problem["detail"] for status, problem in refused)
    resource.prlimit(cluster.pid("redis"), resource.RLIMIT_FSIZE, UNLIMITED)
    wait.until(lambda: cluster.redis("INFO", "persistence"), lambda info: "aof_last_write_status:ok" in info)
    filler.assert_all_was_run(fleet)


# F16: a node may open 256 files, and more terminals come than that.

FILES = 256


class Crowd:
    """Plain terminals of one node: those that are let in, and how many handshakes had which answer."""

    def __init__(self, cluster: ProcessCluster) -> None:
        self.cluster = cluster
        self.inside: list[Terminal] = []
        self.answers: Counter[int] = Counter()

    def knock(self, terminal: str) -> bool:
        """Return whether the terminal is let in."""
        try:
            self.inside.append(Terminal(self.cluster, self.cluster.node(1), terminal))
        except Refused as refused:
            self.answers[refused.status] += 1
            return False
        self.answers[101] += 1
        return True

    def leave(self, count: int) -> None:
        """Close the connections that were let in first."""
        for terminal in self.inside[:count]:
            terminal.close()
        del self.inside[:count]


@pytest.fixture
def crowd(process_cluster: ProcessCluster) -> Iterator[Crowd]:
    """Terminals of a node that may open few files."""
    process_cluster.kill("node1")
    process_cluster.start("node1", files=FILES)
    made = Crowd(process_cluster)
    yield made
    made.leave(len(made.inside))


@pytest.mark.fault(id="F16")
@pytest.mark.cluster(nodes=2, node_flags="--ping 60s", processes_only="a node is told how many files it may open")
def test_terminals_beyond_the_files_are_refused_with_429_and_the_others_are_served(
    process_cluster: ProcessCluster, crowd: Crowd, scale: Scale
) -> None:
    cluster = process_cluster
    for number in range(scale(300, 2000)):
        crowd.knock(f"t-{number}")
    assert set(crowd.answers) == {101, 429} and crowd.answers[101] < FILES, crowd.answers
    assert share_of_a_core(cluster, scale(3, 10)) < 0.5, "the full node runs hot"
    assert cluster.api.is_ready(cluster.node(1))
    Terminal(cluster, cluster.node(2), "elsewhere").close()

    half = len(crowd.inside) // 2
    crowd.leave(half)
    for number in range(half // 2):
        # The node may need a moment to notice who has left.
        wait.until(partial(crowd.knock, f"fresh-{number}"))

    # A terminal that was let in may not be registered yet, and is no target before.
    wait.until(cluster.online, lambda online: online == len(crowd.inside))
    cluster.api.post({"target": {"all": True}, "name": "tick", "payload": "still here"}, at=cluster.node(2))
    assert [terminal.receive() for terminal in crowd.inside] == ["still here"] * len(crowd.inside)


def share_of_a_core(cluster: ProcessCluster, seconds: float) -> float:
    """Return which part of a core the node uses for so many seconds."""
    before = cluster.cpu("node1")
    time.sleep(seconds)
    return (cluster.cpu("node1") - before) / seconds
