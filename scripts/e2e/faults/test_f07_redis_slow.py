"""F7: Redis hangs for 5 s; then each of its answers is 200 ms late, more or less by 100 ms."""

import time

import pytest

from muster import wait
from muster.cluster import Cluster, ProcessCluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale

HANGS = 5


@pytest.mark.fault("F7")
@pytest.mark.cluster(lines=True)
def test_what_has_piled_up_goes_out_in_order_and_no_node_ends(
    process_cluster: ProcessCluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    cluster = process_cluster
    fleet = agents(scale(100, 1000), url=cluster.url(1, 2, 3)).online()
    commands = load(fleet, commands=scale(500, 3000), pace=scale(60, 100))
    commands.reach(0.2)

    cluster.stop("redis")
    time.sleep(HANGS)
    cluster.cont("redis")
    commands.reach(0.4)
    for line in cluster.lines.values():
        line.delay(200, 100)
    time.sleep(scale(5, 20))

    late = str(cluster.api.post({"target": {"all": True}, "name": "late"})["id"])
    wait.until(lambda: fleet.have_run(late))
    for line in cluster.lines.values():
        line.heal()
    wait.until(lambda: ready(cluster), lambda nodes: nodes == [1, 2, 3])
    assert not fleet.disconnected()
    assert commands.judged(besides=(late,))


def ready(cluster: Cluster) -> list[int]:
    """Return the nodes that are there and ready."""
    return [n for n in (1, 2, 3) if cluster.runs(f"node{n}") and cluster.api.is_ready(cluster.node(n))]
