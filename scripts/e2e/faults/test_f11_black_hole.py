"""F11: the connections of some terminals become black holes: nothing comes through, and nobody is told."""

import time

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LineFactory, LoadFactory, Scale

# Seconds between the pings by which the node notices.
PING = 1
MIB = 1 << 20


@pytest.mark.fault("F11")
@pytest.mark.cluster(nodes=1, node_flags=f"--ping {PING}s")
def test_a_node_frees_what_lost_terminals_held_and_they_miss_nothing(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, line: LineFactory, scale: Scale
) -> None:
    others = agents(scale(50, 200), prefix="other-", url=cluster.url(1)).online()
    files, memory = cluster.files("node1"), cluster.memory("node1")
    way = line(cluster.node(1))
    lost = agents(scale(50, 200), "--first", "1s", prefix="lost-", url=way.url).online()
    commands = load(lost, commands=scale(500, 6000), pace=scale(60, 100))
    commands.reach(0.2)

    way.hole()

    began = time.monotonic()
    wait.until(lambda: ended_by_silence(cluster), lambda ended: ended >= lost.terminals)
    scale.judge_time("the node has freed them", time.monotonic() - began, 2.5 * PING)
    wait.until(lambda: cluster.files("node1"), lambda now: now <= files * 1.05 + 2)
    time.sleep(max(0, began + scale(6, 60) - time.monotonic()))
    assert not scale.full or cluster.memory("node1") <= memory * 1.05 + MIB
    assert not others.disconnected()
    way.heal()
    way.reset()
    wait.until(lambda: len(lost.connected()), lambda connected: connected == lost.terminals)
    assert commands.judged()


def ended_by_silence(cluster: Cluster) -> int:
    return cluster.api.metric('muster_sessions_ended_total{end="no_heartbeat"}', cluster.node(1))
