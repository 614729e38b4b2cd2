"""F12: one terminal in ten reads 1 KB/s. P5 has what the others notice."""

import pytest

from muster import wait
from muster.cluster import Cluster, ContainerCluster
from muster.fixtures import AgentsFactory, LineFactory, Scale
from muster.traffic.pace import paced

QUEUE, PAYLOAD = 128 << 10, 16 << 10


@pytest.mark.fault("F12")
@pytest.mark.promise("P5")
@pytest.mark.cluster(nodes=1, node_flags=f"--queue {QUEUE} --ping 30s")
def test_slow_terminals_catch_up_when_their_lines_are_good_again(
    cluster: Cluster, agents: AgentsFactory, line: LineFactory, scale: Scale
) -> None:
    fast = agents(scale(60, 990), prefix="fast-", url=cluster.url(1)).online()
    way = line(cluster.node(1))
    slow = agents(scale(6, 10), "--first", "1s", prefix="slow-", url=way.url).online()
    # The kernel takes more than 1 MB of what goes from a container to this machine, before a queue grows.
    count = max(scale(60, 600), 240 if isinstance(cluster, ContainerCluster) else 0)
    body = {"target": {"all": True}, "name": "large", "payload": "x" * PAYLOAD, "expires_in": "10m"}

    assert way.bandwidth(1000) == slow.terminals
    sent = [cluster.api.post(body, at=cluster.node(1))["id"] for _ in paced(10, count)]
    wait.until(
        lambda: cluster.api.metric('muster_sessions_ended_total{end="too_slow"}', cluster.node(1)),
        lambda ended: ended == slow.terminals,
    )
    way.heal()

    wait.until(lambda: all(set(ran) >= set(sent) for ran in slow.runs().values()))
    assert slow.not_exactly(sent) == [], "each once and in order"
    wait.until(lambda: fast.have_run(sent[-1]))
    assert fast.not_exactly(sent) == []
    assert not fast.lines("offline")
