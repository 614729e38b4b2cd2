"""P9: after `kill -9` of a node no terminal is shown online on it for longer than its lease + 1 s.

A terminal that moved is never shown offline.
"""

import time
from collections import Counter

import pytest

from muster import wait
from muster.api import Events, Json
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, Scale

# Seconds of a node's lease.
LEASE = 6


def listed(cluster: Cluster, query: str = "") -> list[Json]:
    """Return the registry's terminals, as node 1 tells them."""
    return cluster.api.pages(f"/v1/terminals?{query}", "terminals", at=cluster.node(1))


@pytest.mark.promise(id="P9")
def test_no_terminal_is_left_on_a_dead_node_and_none_that_moved_is_shown_offline(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    movers = agents(scale(150, 1500), "--first", "1s", prefix="mover-").online()
    frozen = agents(scale(150, 1500), prefix="frozen-").online()
    dead = cluster.id(2)
    theirs = {row["id"] for row in listed(cluster) if row["node"] == dead}
    # Those that cannot move must be found lost, and the others must not.
    stuck = {terminal for terminal in theirs if terminal.startswith("frozen-")}
    assert stuck and theirs - stuck
    events = Events(cluster.api, cluster.node(1))
    frozen.freeze()

    cluster.kill("node2")

    began = time.monotonic()
    wait.until(lambda: [row["id"] for row in listed(cluster) if row["node"] == dead], lambda left: not left, within=30)
    scale.judge_time("no terminal was shown on the dead node", time.monotonic() - began, LEASE + 1)
    online = "prefix=mover-&status=online"
    wait.until(lambda: len(listed(cluster, online)), lambda shown: shown == movers.terminals)
    assert {row["id"] for row in listed(cluster, online)} == movers.connected()

    def lost() -> Counter[str]:
        return Counter(row["terminal"] for row in events.of("terminal.offline") if row["reason"] == "node_lost")

    # The events follow the registry in portions.
    wait.until(lambda: stuck - lost().keys(), lambda untold: not untold)
    # An event that should not come would come within this time.
    time.sleep(1)
    assert {terminal: lost()[terminal] for terminal in stuck} == dict.fromkeys(stuck, 1)
    assert [row for row in events.of("terminal.offline") if row["terminal"].startswith("mover-")] == []


@pytest.mark.promise(id="P9")
def test_the_registry_answers_while_another_node_hangs(cluster: Cluster, agents: AgentsFactory, scale: Scale) -> None:
    # With a third of them on the node that hangs, the others are more than a page even when its lease has run out.
    agents(scale(300, 1500), "--label", "kind=mover").online()
    times = []

    cluster.stop("node3")

    for _ in range(21):
        asked = time.monotonic()
        # A terminal's own word, which its token does not have.
        path = "/v1/terminals?selector=self.kind=mover&status=online&limit=100"
        page = cluster.api.get(path, at=cluster.node(1))["terminals"]
        times.append(time.monotonic() - asked)
        assert len(page) == 100
    cluster.cont("node3")
    scale.judge_time("the registry answered in the median", sorted(times)[10], 0.05)
