"""F1: a node of three is killed with SIGKILL under load."""

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale


@pytest.mark.fault("F1")
def test_terminals_of_a_killed_node_come_back_and_nobody_else_notices(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(150, 3000), "--first", "2s").online()
    commands = load(fleet, commands=scale(600, 6000), pace=scale(60, 200))
    commands.reach(0.3)
    dead = cluster.id(2)
    theirs = {line["terminal"] for line in fleet.lines("online") if line["node"] == dead}
    assert theirs

    cluster.kill("node2")

    wait.until(fleet.disconnected, lambda cut: cut >= theirs)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    assert fleet.disconnected() == theirs, "others were disconnected too"
    away = fleet.seconds_away()
    scale.judge_time("95 % of them were ready again", away[len(away) * 95 // 100], 3)
    scale.judge_time("all of them were ready again", away[-1], 10)
    assert commands.judged()
