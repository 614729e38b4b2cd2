"""P10: nodes join, drain and die with no open connection cut by Nginx and no handshake failed.

The folder `proxy` tries each part alone, and more.
"""

import time

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, KnockFactory, Scale
from muster.traffic.agents import Agents
from muster.traffic.knock import Knock

FOLLOW = "--quiet 500ms --quiet-urgent 500ms --reload-every 500ms"


@pytest.mark.promise(id="P10")
@pytest.mark.cluster(node_flags="--drain 3s", sidecar_flags=FOLLOW)
def test_the_proxy_follows_nodes_that_join_drain_and_die(
    cluster: Cluster, agents: AgentsFactory, knock: KnockFactory, scale: Scale
) -> None:
    fleet = agents(scale(200, 2000)).online()
    rate = scale(40, 200)
    handshakes = knock(rate)

    cluster.reload()
    nobody_notices(fleet, handshakes, scale(2, 10))

    cluster.start("node4")
    wait.until(cluster.upstream, lambda upstream: cluster.node(4) in upstream)
    nobody_notices(fleet, handshakes, scale(2, 10))

    drain_node1(cluster)
    sent_away = fleet.lines("offline")
    assert handshakes.failed() == []
    assert sent_away and all(" 1012 " in line["end"] for line in sent_away), "or one was refused when it came back"
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)

    last = {line["terminal"]: line["node"] for line in fleet.lines("online")}
    dead, killed_at = kill_node2(cluster, scale)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    # Whoever was cut off wrongly would be so within this time.
    time.sleep(scale(2, 10))
    cut = {line["terminal"] for line in fleet.lines("offline")[len(sent_away) :]}
    assert cut and cut <= {terminal for terminal, node in last.items() if node == dead}
    assert handshakes.finish() > rate
    # A handshake that was with the node when it died, died with it, as its sessions did.
    assert handshakes.failed(since=killed_at) == []


def nobody_notices(fleet: Agents, handshakes: Knock, seconds: float) -> None:
    """Demand that for so many seconds no connection is cut and no handshake fails."""
    time.sleep(seconds)
    assert fleet.lines("offline") == []
    assert handshakes.failed() == []


def drain_node1(cluster: Cluster) -> None:
    """Drain node 1, and wait until it has ended and Nginx knows it no more."""
    address = cluster.node(1)
    cluster.api.ask("POST", f"/v1/nodes/{cluster.id(1, at=cluster.node(2))}/drain", at=cluster.node(2))
    wait.until(lambda: cluster.runs("node1"), lambda runs: not runs)
    wait.until(cluster.upstream, lambda upstream: address not in upstream)


def kill_node2(cluster: Cluster, scale: Scale) -> tuple[str, float]:
    """Kill node 2, wait until Nginx knows it no more, and return its id and when it was killed (seconds since 1970)."""
    address, dead = cluster.node(2), cluster.id(2, at=cluster.node(3))
    killed_at = time.time()
    cluster.kill("node2")
    wait.until(cluster.upstream, lambda upstream: address not in upstream)
    scale.judge_time("the dead node was out of Nginx's file", time.time() - killed_at, 10)
    return dead, killed_at
