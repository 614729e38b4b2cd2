"""A node that is killed, or hangs, is out of Nginx's file within 10 s, and only its own sessions notice."""

import signal
import time

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import Sidecar
from muster.fixtures import AgentsFactory, KnockFactory, Scale


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
@pytest.mark.cluster(nodes=4)
def test_a_dead_node_leaves_the_file_and_no_other_handshake_fails(
    how: signal.Signals,
    process_cluster: ProcessCluster,
    proxy: Sidecar,
    agents: AgentsFactory,
    knock: KnockFactory,
    scale: Scale,
) -> None:
    cluster = process_cluster
    fleet = agents(400).online()
    dead = cluster.id(4)
    theirs = {line["terminal"] for line in fleet.lines("online") if line["node"] == dead}
    knocking = knock(100)
    wait.until(knocking.decided, lambda decided: decided >= 100)
    before = time.time()
    cluster.signal("node4", how)
    stopped = (before, time.time())

    wait.until(lambda: proxy.has(4), lambda has: not has, within=10)
    wait.until(knocking.decided, lambda decided: decided >= 1100)
    knocking.finish()
    with_it = [each for each in knocking.failures() if each.during(*stopped)]
    assert knocking.failures() == with_it
    assert len(with_it) <= 3
    scale.judge_time("the slowest handshake", knocking.slowest(), 3.1)
    assert {line["terminal"] for line in fleet.ends()} <= theirs
    assert proxy.nodes() == {cluster.node(number) for number in (1, 2, 3)}
