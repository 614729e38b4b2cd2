"""F6: the nodes' subscriptions in Redis are cut (CLIENT KILL TYPE pubsub), again and again, under load."""

import random

import pytest

from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale


@pytest.mark.fault("F6")
def test_a_node_takes_from_the_log_what_its_subscription_missed(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale, seed: int
) -> None:
    fleet = agents(scale(100, 1000)).online()
    commands = load(fleet, commands=scale(800, 6000), pace=100)
    strikes = scale(8, 20)
    chance, cut = random.Random(seed), 0

    for share in sorted(chance.uniform(0.05, 0.95) for _ in range(strikes)):
        commands.reach(share)
        cut += int(cluster.redis("CLIENT", "KILL", "TYPE", "pubsub"))

    assert cut >= strikes
    assert commands.judged()
    assert not fleet.disconnected()
