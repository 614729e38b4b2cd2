"""P4: a terminal id has one live session in the cluster, and the newer one wins. F14 has terminals that race."""

import time
from collections.abc import Iterable

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, ListenFactory, Scale
from muster.traffic.agents import Agents
from muster.traffic.load import paced
from muster.traffic.terminal import Listener


class Ticks:
    """Numbered messages to all terminals, ten a second, posted at node 2."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.sent: list[str] = []

    def go_on(self, seconds: float) -> None:
        """Post for so many seconds."""
        for _ in paced(10, int(10 * seconds)):
            body = {"target": {"all": True}, "name": "tick", "payload": f"tick {len(self.sent)}", "expires_in": "5m"}
            self.sent.append(self.cluster.api.post(body, at=self.cluster.node(2))["id"])

    def have_come(self, fleet: Agents, listeners: Iterable[Listener]) -> bool:
        """Return whether everyone has the last message."""
        last = f"tick {len(self.sent) - 1}"
        return fleet.have_run(self.sent[-1]) and all(last in each.heard for each in listeners)


# Without pings, which would end sessions before the lease does: the lease alone must hold the node back.
@pytest.mark.promise(id="P4")
@pytest.mark.cluster(node_flags="--ping 60s")
def test_a_node_that_wakes_up_after_its_lease_delivers_nothing(
    cluster: Cluster, agents: AgentsFactory, listen: ListenFactory, scale: Scale
) -> None:
    fleet = agents(scale(60, 600), url=cluster.url(2, 3)).online()
    names = [f"patient-{number}" for number in range(20)]
    old = [listen(1, name) for name in names]
    everyone = fleet.terminals + len(names)
    wait.until(lambda: cluster.online(at=cluster.node(2)), lambda online: online == everyone)
    ticks = Ticks(cluster)
    ticks.go_on(0.1)
    wait.until(lambda: ticks.have_come(fleet, old))
    before = delivered_by_node1(cluster)

    cluster.stop("node1")
    # Longer than its lease. Its terminals then connect once more elsewhere, and keep the old connections.
    began = time.monotonic()
    while time.monotonic() - began < scale(9, 15):
        ticks.go_on(0.1)
        # What the store still sends to the stopped node, which will read it before it hears of the newer sessions.
        cluster.api.post({"target": {"terminals": names}, "name": "own", "payload": "own"}, at=cluster.node(2))
    new = [listen(2, name) for name in names]
    wait.until(lambda: sum(cluster.sessions(n, at=cluster.node(2)) for n in (2, 3)), lambda n: n == everyone)
    ticks.go_on(1)
    cluster.cont("node1")
    wait.until(lambda: cluster.api.is_ready(cluster.node(1)))
    ticks.go_on(2)

    wait.until(lambda: ticks.have_come(fleet, new))
    assert delivered_by_node1(cluster) == before
    assert [heard for each in old for heard in each.heard[1:] if isinstance(heard, str)] == []
    wait.until(lambda: [each.heard[-1] for each in old], lambda last: all(isinstance(end, int) for end in last))
    assert fleet.not_exactly(ticks.sent) == []


def delivered_by_node1(cluster: Cluster) -> int:
    """Return how many messages node 1 has delivered, by its own count."""
    return cluster.api.metric("muster_delivered_total", cluster.node(1))
