"""F10: 30 % of the terminals' connections are reset, again and again. P3 has terminals that change their node so."""

import time

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LineFactory, LoadFactory, Scale


@pytest.mark.fault("F10")
def test_nothing_is_lost_and_all_come_back_when_connections_to_the_proxy_are_reset(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, line: LineFactory, scale: Scale
) -> None:
    way = line(cluster.proxy())
    fleet = agents(scale(60, 600), "--first", "1s", url=way.url).online()
    commands = load(fleet, commands=scale(450, 6000), pace=scale(90, 100))

    resets = 0
    while commands.under_way():
        # The time between two resets.
        time.sleep(scale(1, 5))
        resets += way.reset(0.3)

    assert commands.judged()
    assert resets > fleet.terminals / 2
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    wait.until(cluster.online, lambda online: online == fleet.terminals)
