"""F4: Redis is killed with SIGKILL and started again, with its file synced at each write, or every second."""

import time

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale
from muster.judge import Verdict

EVERYONE = {"target": {"all": True}, "name": "x"}


@pytest.mark.fault("F4")
@pytest.mark.cluster(durable=True)
def test_nothing_that_was_accepted_is_lost_where_each_write_is_synced(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    assert kill_and_restart(cluster, agents, load, scale, patience=60)


@pytest.mark.fault("F4")
def test_terminals_stay_connected_where_the_file_is_synced_every_second(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    # Redis may put a write off for up to 2 s while the disk is busy, and a kill loses what was put off: most often
    # nothing. What was lost is printed, and is no failure.
    print(kill_and_restart(cluster, agents, load, scale, patience=5))


def kill_and_restart(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale, patience: float
) -> Verdict:
    """Return the verdict on commands under way. Everything else that must hold is asserted."""
    fleet = agents(scale(100, 2000), url=cluster.url(1, 2, 3)).online()
    commands = load(fleet, commands=scale(500, 4000), pace=scale(80, 100))
    commands.reach(0.3)

    cluster.kill("redis")
    time.sleep(scale(2, 5))

    asked = time.monotonic()
    status, answer = cluster.api.ask("POST", "/v1/commands", EVERYONE, at=cluster.node(1))
    assert status == 503, answer
    scale.judge_time("a command is refused", time.monotonic() - asked, 2)
    cluster.start("redis")
    began = time.monotonic()
    wait.until(lambda: [n for n in (1, 2, 3) if cluster.api.is_ready(cluster.node(n))], lambda ready: len(ready) == 3)
    scale.judge_time("all nodes are ready again", time.monotonic() - began, 2)
    verdict = commands.judged(patience=patience)
    assert not fleet.disconnected()
    return verdict
