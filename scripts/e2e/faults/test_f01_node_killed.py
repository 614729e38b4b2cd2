"""F1: a node of three is killed with SIGKILL under load."""

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale
from muster.traffic.agents import Line


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

    wait.until(lambda: {line["terminal"] for line in fleet.lines("offline")}, lambda cut: cut >= theirs)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    assert {line["terminal"] for line in fleet.lines("offline")} == theirs, "others were disconnected too"
    back = sorted(seconds_away(fleet.lines("offline"), fleet.lines("online")))
    scale.judge_time("95 % of them were ready again", back[len(back) * 95 // 100], 3)
    scale.judge_time("all of them were ready again", back[-1], 10)
    assert commands.judged()


def seconds_away(offline: list[Line], online: list[Line]) -> list[float]:
    """Return how long each terminal was away, from its first cut to when it was first back."""
    lost = {line["terminal"]: line["at"] for line in reversed(offline)}
    back = {line["terminal"]: line["at"] for line in reversed(online) if line["at"] >= lost.get(line["terminal"], 1e18)}
    return [(back[terminal] - lost[terminal]) / 1000 for terminal in back]
