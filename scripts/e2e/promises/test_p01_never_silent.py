"""P1: a terminal gets each message that is meant for it, or a `gap` that says what is missing.

The other half of the attack, a store that was emptied, is F5's.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, Scale
from muster.traffic.load import paced

# How many messages the nodes keep for terminals that were away, at small and at full scale.
LOG = (300, 2000)
LOG_FLAGS = {"node_flags": f"--log {LOG[0]}", "full_node_flags": f"--log {LOG[1]}"}


def broadcast(cluster: Cluster, sent: list[str], **more: object) -> None:
    """Post one message to all terminals at the last node, and note its id in `sent`."""
    body = {"target": {"all": True}, "name": "tick", "payload": len(sent), **more}
    sent.append(cluster.api.post(body, at=cluster.node(cluster.nodes))["id"])


@pytest.mark.promise(id="P1")
@pytest.mark.cluster(**LOG_FLAGS)
def test_terminals_of_a_killed_node_find_on_another_what_they_missed(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    fleet = agents(scale(50, 500), "--first", "2s", url=cluster.url(1, 2)).online()
    sent: list[str] = []
    rate, count = scale(40, 50), scale(320, 1500)

    def post() -> None:
        for _ in paced(rate, count):
            broadcast(cluster, sent)

    with ThreadPoolExecutor(1) as operator:
        posted = operator.submit(post)
        wait.until(lambda: posted.done() or len(sent) >= count / 4)
        cluster.kill("node1")
        posted.result()

    wait.until(lambda: fleet.have_run(sent[-1]))
    assert fleet.disconnected(), "no terminal was on the killed node"
    assert fleet.not_exactly(sent) == []


@pytest.mark.promise(id="P1")
@pytest.mark.fault(id="F5")
@pytest.mark.cluster(nodes=2, **LOG_FLAGS)
def test_terminals_that_were_away_for_longer_than_the_log_are_told_of_a_gap(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    log = scale(*LOG)
    stayed = agents(scale(50, 500), url=cluster.url(1, 2)).online()
    away = agents(10, prefix="late-", url=cluster.url(1), memory=True).online()
    sent: list[str] = []
    broadcast(cluster, sent)
    wait.until(lambda: away.have_run(sent[0]) and stayed.have_run(sent[0]))
    away.end()
    for _ in range(log + 100):
        broadcast(cluster, sent, expires_in="10m")

    back = agents(10, prefix="late-", name="late-again", url=cluster.url(1), memory=True)

    wait.until(lambda: back.have_run(sent[-1]))
    assert sorted(line["terminal"] for line in back.lines("gap")) == back.names(), "each is told once"
    for ran in back.runs().values():
        assert log - 1 <= len(ran) < log + 100
        assert ran == sent[-len(ran) :], "they run what the log still had, in order"
    wait.until(lambda: stayed.have_run(sent[-1]))
    assert stayed.not_exactly(sent) == []
    assert not stayed.lines("gap"), "those who stayed missed nothing, and are told of nothing"
