"""Nodes that drain: all their sessions move with 1012, evenly, with no reload and no handshake that fails."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from muster import process, wait
from muster.cluster import Cluster, ProcessCluster
from muster.cluster.sidecar import Sidecar
from muster.fixtures import AgentsFactory, KnockFactory, Scale
from muster.judge import peak, returns, span

SECONDS = 8


@pytest.mark.alone
@pytest.mark.cluster(nodes=3, node_flags=f"--drain {SECONDS}s")
def test_a_drained_node_moves_its_sessions_evenly_and_fails_no_handshake(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory
) -> None:
    cluster = process_cluster
    fleet = agents(900).online()
    drained = cluster.id(1)
    theirs = sum(line["node"] == drained for line in fleet.lines("online"))
    # A node that has just begun counts after 6 s among those that stay.
    wait.until(lambda: youngest(cluster), lambda age: age > 6)
    knocking = knock(100)
    status, _ = cluster.api.ask("POST", f"/v1/nodes/{drained}/drain", at=cluster.node(2))
    assert status == 202
    # It first says that it is leaving, and waits until others stay.
    wait.until(lambda: cluster.api.is_ready(cluster.node(1)), lambda ready: not ready, within=7)
    began = time.time()
    assert process.gone(cluster.pid("node1"), SECONDS + 4)
    reloads = proxy.reloads()
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == 900)
    knocking.finish()

    assert reloads == 0
    assert knocking.decided() >= SECONDS * 90 and not knocking.failures()
    arrived = [each.decided for each in knocking.each() if each.node == drained]
    arrived += [line["at"] / 1000 for line in fleet.lines("online") if line["node"] == drained]
    assert max(arrived) < began + 0.5
    assert len(fleet.ends()) == len(fleet.ends("with 1012")) == theirs
    assert ", 0 cut off" in cluster.log("node1")
    back = returns(fleet.lines(), since=began)
    assert span(back) >= 0.8 * SECONDS and peak(back, SECONDS) <= 2


def youngest(cluster: Cluster) -> float:
    """Return the age of the node that started last, in seconds."""
    rows = cluster.api.get("/v1/nodes")["nodes"]
    return time.time() - max(datetime.fromisoformat(row["started_at"]).timestamp() for row in rows)


@pytest.mark.cluster(nodes=3, node_flags="--drain 5s")
def test_nodes_that_stop_at_the_same_moment_take_turns(
    process_cluster: ProcessCluster, agents: AgentsFactory, knock: KnockFactory, scale: Scale
) -> None:
    cluster = process_cluster
    nodes = ["node1", "node2", "node3"]
    fleet = agents(scale(300, 3000)).online()
    knocking = knock(20)
    wait.until(knocking.decided)
    since = time.time()
    for node in nodes:
        cluster.term(node)

    def restarted(node: str) -> str:
        """Start a node as soon as it has ended, as an orchestrator does; return what it said at its end."""
        assert process.gone(cluster.pid(node), within=60)
        log = cluster.log(node)
        cluster.start(node)
        return log

    with ThreadPoolExecutor() as pool:
        logs = list(pool.map(restarted, nodes))
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    knocking.finish()

    ends = [line["terminal"] for line in fleet.ends(since=since)]
    assert max(map(ends.count, fleet.names())) <= 2
    assert len(ends) == len(fleet.ends("with 1012", since)) >= fleet.terminals
    assert knocking.decided() > 100 and not knocking.failures()
    assert [re.findall(r", (\d+) cut off", log) for log in logs] == [["0"]] * 3
