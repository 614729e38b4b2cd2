"""F13: a node and Redis are parted: nothing comes through between them, and neither is told."""

import time

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale

EVERYONE = {"target": {"all": True}, "name": "x"}


@pytest.mark.fault("F13")
@pytest.mark.cluster(lines=True)
def test_a_parted_node_is_not_ready_and_its_terminals_stay_with_it(
    process_cluster: ProcessCluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    cluster, api = process_cluster, process_cluster.api
    fleet = agents(scale(90, 900), url=cluster.url(1, 2, 3)).online()
    commands = load(fleet, commands=scale(700, 3000), pace=scale(50, 100), at=cluster.node(2))
    commands.reach(0.2)

    cluster.lines[1].hole()

    began = time.monotonic()
    wait.until(lambda: api.ask("GET", "/readyz", at=cluster.node(1))[0], lambda status: status == 503)
    status, problem = api.ask("POST", "/v1/commands", EVERYONE, at=cluster.node(1))
    assert status == 503 and problem["detail"], problem
    time.sleep(max(0, began + 10 - time.monotonic()))
    # A terminal that the node holds is better than a storm on the other nodes.
    assert not fleet.disconnected()
    cluster.lines[1].heal()
    wait.until(lambda: api.is_ready(cluster.node(1)))
    wait.until(lambda: cluster.online(at=cluster.node(2)), lambda online: online == fleet.terminals)
    assert commands.judged()
    assert not fleet.disconnected()
