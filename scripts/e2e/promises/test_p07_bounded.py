"""P7: over a limit the answer is 429 with Retry-After, before the upgrade.

To a handshake, 503 means draining and nothing else, so that a proxy may try the next node.
"""

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, Scale
from muster.traffic.terminal import Refused, Terminal

# At small and at full scale: terminals that are connected before, handshakes that come at once, handshakes that a node
# takes in a second, and commands that may wait for one terminal.
TERMINALS, STORM, RATE, BACKLOG = (100, 500), (500, 5000), (50, 200), (30, 1000)
# The sessions that a node takes.
ROOM = tuple(terminals + storm // 5 for terminals, storm in zip(TERMINALS, STORM, strict=True))
# The bytes that the store keeps in all, the least that nodes take, and a payload of which it has no room for many.
STORED, PAYLOAD = 16 << 20, "x" * 20_000
# Handshakes under way at the same time.
AT_ONCE = 64


def flags(index: int) -> str:
    """Return the nodes' limits, at small (0) or at full scale (1)."""
    limits = f"--handshakes {RATE[index]} --max-sessions {ROOM[index]} --backlog {BACKLOG[index]}"
    return f"{limits} --max-stored {STORED} --ping 60s"


limited = pytest.mark.cluster(nodes=2, node_flags=flags(0), full_node_flags=flags(1))


@dataclass(frozen=True)
class Answers:
    """How handshakes that came at once were answered.

    statuses: how often each status; hints: the Retry-After of each 429, in seconds; took: how long it took, in seconds.
    """

    statuses: Counter[int]
    hints: list[int]
    took: float


class Storm:
    """Terminals of which many connect to node 1 at once. Those that are let in stay until the end."""

    def __init__(self, cluster: Cluster, size: int) -> None:
        self.cluster, self.size = cluster, size
        self.inside: list[Terminal] = []
        self._numbers = itertools.count()

    def wave(self) -> Answers:
        """Connect `size` terminals, and return how they were answered."""
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(self._connect, itertools.islice(self._numbers, self.size)))
        hints = [int(hint) for status, hint in answers if status == 429]
        return Answers(Counter(status for status, _ in answers), hints, time.monotonic() - began)

    def _connect(self, number: int) -> tuple[int, str]:
        try:
            self.inside.append(Terminal(self.cluster, self.cluster.node(1), f"storm-{number}"))
            return 101, ""
        except Refused as refused:
            return refused.status, refused.headers.get("retry-after", "0")

    def fill(self, sessions: int) -> None:
        """Send waves until the node has so many sessions."""

        def wave() -> int:
            self.wave()
            return self.held()

        wait.until(wave, lambda held: held >= sessions, within=120)

    def held(self) -> int:
        """Return how many sessions the node has."""
        return self.cluster.api.metric("muster_sessions", self.cluster.node(1))


@pytest.fixture
def storm(cluster: Cluster, scale: Scale) -> Iterator[Storm]:
    """Ten times as many handshakes as a node takes in a second."""
    with ExitStack() as stack:
        made = Storm(cluster, scale(*STORM))
        yield made
        for terminal in made.inside:
            stack.enter_context(terminal)


@pytest.mark.promise(id="P7")
@limited
def test_handshakes_beyond_the_rate_are_refused_with_429_and_a_time_to_come_back(storm: Storm, scale: Scale) -> None:
    answers = storm.wave()

    assert set(answers.statuses) == {101, 429}
    # A second's budget is there at once, and more is earned while they come.
    assert answers.statuses[101] <= scale(*RATE) * (answers.took + 2)
    assert min(answers.hints) >= 1
    assert len(set(answers.hints)) > 1, "all were told to come back at the same time"


@pytest.mark.promise(id="P7")
@limited
def test_a_full_node_refuses_with_429_and_who_is_connected_notices_nothing(
    cluster: Cluster, agents: AgentsFactory, storm: Storm, scale: Scale
) -> None:
    room = scale(*ROOM)
    nothing = carried_by_redis(cluster)
    fleet = agents(scale(*TERMINALS), url=cluster.url(1)).online(at=cluster.node(2))
    # They too were let in only as fast as the node takes them.
    turned_away = len(fleet.lines("offline"))
    storm.wave()
    memory = cluster.memory("node1")

    storm.fill(room)
    answers = storm.wave()

    assert set(answers.statuses) == {429}
    assert all(5 <= hint <= 30 for hint in answers.hints)
    # Those that were being let in together were not counted yet.
    assert room <= storm.held() < room + AT_ONCE
    # It grew with the sessions that it took, at most 64 KiB each, and not with those that it refused.
    assert cluster.memory("node1") - memory < room * (64 << 10) + (4 << 20)
    Terminal(cluster, cluster.node(2), "elsewhere").close()
    tick = cluster.api.post({"target": {"all": True}, "name": "tick"}, at=cluster.node(2))["id"]
    wait.until(lambda: fleet.have_run(tick))
    assert len(fleet.lines("offline")) == turned_away, "who was connected was disconnected"
    assert all(now <= then for now, then in zip(carried_by_redis(cluster), nothing, strict=True))


def carried_by_redis(cluster: Cluster) -> tuple[int, int]:
    """Return how many channels and how many connections the nodes have in Redis."""
    connections = [line for line in cluster.redis("CLIENT", "LIST").splitlines() if " cmd=client" not in line]
    return len(cluster.redis("PUBSUB", "SHARDCHANNELS").split()), len(connections)


@pytest.mark.promise(id="P7")
@limited
def test_commands_for_a_terminal_that_is_away_wait_up_to_the_backlog(cluster: Cluster, scale: Scale) -> None:
    backlog = scale(*BACKLOG)
    Terminal(cluster, cluster.node(2), "away").close()
    wait.until(lambda: cluster.api.get("/v1/terminals/away")["status"], lambda status: status == "offline")
    body = {"target": {"terminal": "away"}, "name": "wait", "expires_in": "1h"}

    answers = [cluster.api.ask("POST", "/v1/commands", body) for _ in range(backlog + 5)]

    assert [status for status, _ in answers] == [202] * backlog + [409] * 5
    assert answers[-1][1]["detail"]


@pytest.mark.promise(id="P7")
@limited
def test_a_command_for_which_there_is_no_room_is_refused_with_503_and_a_reason(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    fleet = agents(scale(*TERMINALS)).online()
    assert fleet.terminals > 1
    body = {"target": {"all": True}, "name": "tick", "payload": PAYLOAD, "expires_in": "1h"}

    answers = [cluster.api.ask("POST", "/v1/commands", body) for _ in range(STORED // len(PAYLOAD))]

    assert answers[0][0] == 202
    assert answers[-1][0] == 503
    assert "--max-stored" in answers[-1][1]["detail"]
