"""P6: after SIGTERM a node is not ready, takes no new sessions, closes its sessions in slices with hints that spread
the return, and exits within 30 s."""

import itertools
import time
from collections import Counter

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, KnockFactory, LoadFactory, Scale
from muster.traffic.agents import Line
from muster.traffic.terminal import Refused, Terminal

# Seconds over which a node spreads the closing of its sessions, at small and at full scale.
DRAIN = (5, 20)


@pytest.mark.promise(id="P6")
@pytest.mark.cluster(node_flags=f"--drain {DRAIN[0]}s", full_node_flags=f"--drain {DRAIN[1]}s")
def test_a_node_that_stops_closes_its_sessions_in_slices(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, knock: KnockFactory, scale: Scale
) -> None:
    fleet = agents(scale(300, 3000)).online()
    handshakes = knock(20)
    commands = load(fleet, commands=scale(600, 3000), pace=scale(60, 100), at=cluster.node(2))
    commands.reach(0.1)
    sessions = agents_at(cluster, cluster.id(1))
    began = time.time()

    cluster.term("node1")

    wait.until(lambda: cluster.api.ask("GET", "/readyz", at=cluster.node(1))[0], lambda status: status == 503)
    answers = handshakes_until_it_ends(cluster, "node1", cluster.node(1))
    assert time.time() - began < 30
    # 0: no answer, in its last moment.
    assert 503 in answers and answers <= {503, 0}
    assert " 0 cut off" in cluster.log("node1")
    closed = fleet.lines("offline")
    assert len(closed) == len(fleet.disconnected()), "a terminal was closed twice"
    assert Counter(line["end"].split()[5] for line in closed) == {"1012": sessions}
    judge_schedule(closed, began, scale(*DRAIN))
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    assert handshakes.finish() > 0
    assert handshakes.failed() == []
    assert commands.judged()


def agents_at(cluster: Cluster, node: str) -> int:
    """Return how many of the agents have their session at a node."""
    path = "/v1/terminals?status=online&prefix=agent-"
    return sum(row["node"] == node for row in cluster.api.pages(path, "terminals", at=cluster.node(2)))


def handshakes_until_it_ends(cluster: Cluster, name: str, address: str) -> set[int]:
    """Try to connect to a node that stops, again and again; return the answers."""
    answers: set[int] = set()
    numbers = itertools.count()
    while cluster.runs(name):
        try:
            Terminal(cluster, address, f"late-{next(numbers)}").close()
            answers.add(101)
        except Refused as refused:
            answers.add(refused.status)
        # Ten a second are enough: the node must not be busy with them.
        time.sleep(0.1)
    return answers


def judge_schedule(closed: list[Line], began: float, drain: float) -> None:
    """Demand that sessions were closed in slices, and told to come back at times that are spread over the drain."""
    times = [line["at"] / 1000 - began for line in closed]
    tenths = Counter(int(at / drain * 10) for at in times)
    assert max(tenths.values()) <= len(closed) / 4 + 2, "a tenth of the drain has more than a quarter of them"
    # The time at which a terminal is told to be back, whenever this machine gets round to it.
    told = sorted(at + line["retry_ms"] / 1000 for at, line in zip(times, closed, strict=True))
    assert told[-1 - len(told) // 100] - told[len(told) // 100] >= 0.8 * drain
