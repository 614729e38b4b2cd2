"""F9: Nginx is killed with SIGKILL, with every terminal's connection; the sidecar starts it again."""

from collections import Counter

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale

# Handshakes that each node takes a second, at small and at full scale.
RATE = (100, 500)


@pytest.mark.fault("F9")
@pytest.mark.cluster(node_flags=f"--handshakes {RATE[0]}", full_node_flags=f"--handshakes {RATE[1]}")
def test_all_terminals_come_back_no_faster_than_the_nodes_take_them(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(300, 5000), "--first", "2s").online()
    commands = load(fleet, commands=scale(500, 3000), pace=scale(60, 100))
    commands.reach(0.3)

    cluster.kill("nginx")

    wait.until(lambda: len(fleet.disconnected()), lambda cut: cut == fleet.terminals)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals, within=120)
    away = fleet.seconds_away()
    scale.judge_time("95 % of them were ready again", away[len(away) * 95 // 100], 5)
    seconds = Counter((line["node"], line["at"] // 1000) for line in fleet.lines("online"))
    # A second's budget may be there at once, and a second of this clock may have parts of two of the node's.
    assert max(seconds.values()) <= 2 * scale(*RATE)
    assert commands.judged()
