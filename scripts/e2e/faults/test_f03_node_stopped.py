"""F3: a node is stopped with SIGSTOP for longer than its lease, and goes on. P4 has what it must not do then."""

import time

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale

# Seconds between the pings by which terminals notice.
PING = 1


@pytest.mark.fault("F3")
@pytest.mark.cluster(node_flags=f"--ping {PING}s")
def test_terminals_leave_a_stopped_node_and_nothing_is_wrong_when_it_goes_on(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(90, 900), "--first", "500ms", url=cluster.url(1, 2, 3)).online()
    stopped = cluster.id(1)
    held = {line["terminal"] for line in fleet.lines("online") if line["node"] == stopped}
    assert held
    commands = load(fleet, commands=scale(700, 3000), pace=scale(50, 100), at=cluster.node(2))
    commands.reach(0.1)

    cluster.stop("node1")

    began = time.monotonic()
    wait.until(fleet.disconnected, lambda cut: cut >= held)
    scale.judge_time("its terminals had noticed", time.monotonic() - began, 3 * PING + 1)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    assert fleet.disconnected() == held, "terminals of other nodes were disconnected too"
    # Longer than the lease.
    time.sleep(max(0, began + scale(9, 10) - time.monotonic()))
    cluster.cont("node1")
    wait.until(lambda: cluster.api.is_ready(cluster.node(1)))
    assert commands.judged()
