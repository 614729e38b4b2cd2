"""P3: a terminal runs its own commands in order, and broadcasts in order, across reconnects and nodes too."""

import time

import pytest

from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LineFactory, LoadFactory, Scale


@pytest.mark.promise(id="P3")
@pytest.mark.fault(id="F10")
@pytest.mark.cluster(nodes=2)
def test_commands_stay_in_order_when_terminals_reconnect_to_another_node(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, line: LineFactory, scale: Scale
) -> None:
    lines = [line(cluster.node(number)) for number in (1, 2)]
    fleet = agents(scale(60, 600), "--first", "1s", url=",".join(each.url for each in lines)).online()
    commands = load(fleet, commands=scale(900, 6000), pace=scale(90, 100))

    resets = 0
    while commands.under_way():
        # The time between two resets.
        time.sleep(scale(1, 5))
        resets += sum(each.reset(0.3) for each in lines)

    assert commands.judged()
    assert resets > fleet.terminals
    visited: dict[str, set[str]] = {}
    for row in fleet.lines("online"):
        visited.setdefault(row["terminal"], set()).add(row["node"])
    assert any(len(nodes) == 2 for nodes in visited.values()), "no terminal changed its node"
