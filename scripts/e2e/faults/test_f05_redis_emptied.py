"""F5: Redis is emptied, and with it what was not delivered. P1 has a log that ends before what a terminal missed."""

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, Scale


@pytest.mark.fault("F5")
@pytest.mark.promise("P1")
def test_everyone_is_told_of_a_gap_after_redis_was_emptied(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    fleet = agents(scale(60, 510), "--first", "2s", url=cluster.url(1, 2)).online()
    sent: list[str] = []

    def broadcast() -> None:
        body = {"target": {"all": True}, "name": "tick", "expires_in": "10m"}
        sent.append(cluster.api.post(body, at=cluster.node(3))["id"])
        wait.until(lambda: fleet.have_run(sent[-1]))

    for _ in range(scale(20, 200)):
        broadcast()

    cluster.redis("FLUSHALL")

    # Nobody knows what was lost, so everyone is told.
    wait.until(
        lambda: {line["terminal"] for line in fleet.lines("gap") if "store" in line["reason"]},
        lambda told: len(told) == fleet.terminals,
    )
    wait.until(lambda: cluster.online(at=cluster.node(3)), lambda online: online == fleet.terminals)
    broadcast()
    assert fleet.not_exactly(sent) == [], "something was replayed that had been run"
