"""Redis is killed, emptied, slow, out of reach, or refuses to write: F4, F5, F6, F7, F13, F21."""

import random
import time

import pytest

from muster import wait
from muster.cluster import Cluster, ProcessCluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale
from muster.judge import Verdict

# F4: Redis is killed with SIGKILL and started again, with its file synced at each write, or every second.

EVERYONE = {"target": {"all": True}, "name": "x"}


@pytest.mark.fault(id="F4")
@pytest.mark.cluster(durable=True)
def test_nothing_that_was_accepted_is_lost_where_each_write_is_synced(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    assert kill_and_restart(cluster, agents, load, scale, patience=60)


@pytest.mark.fault(id="F4")
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


# F5: Redis is emptied, and with it what was not delivered. P1 has a log that ends before what a terminal missed.


@pytest.mark.fault(id="F5")
@pytest.mark.promise(id="P1")
def test_everyone_is_told_of_a_gap_after_redis_was_emptied(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    fleet = agents(scale(60, 510), "--first", "2s", url=cluster.url(1, 2)).online()
    sent: list[str] = []

    def broadcast() -> None:
        body = {"target": {"all": True}, "name": "tick", "expires_in": "10m"}
        sent.append(cluster.api.post(body, at=cluster.node(3))["id"])
        wait.until(lambda: fleet.have_run(sent[-1]))

    for _ in range(scale(20, 200)):
        broadcast()

    cluster.redis("FLUSHALL")

    # Nobody knows what was lost, so everyone is told.
    wait.until(
        lambda: {line["terminal"] for line in fleet.lines("gap") if "store" in line["reason"]},
        lambda told: len(told) == fleet.terminals,
    )
    wait.until(lambda: cluster.online(at=cluster.node(3)), lambda online: online == fleet.terminals)
    broadcast()
    assert fleet.not_exactly(sent) == [], "something was replayed that had been run"


# F6: the nodes' subscriptions in Redis are cut (CLIENT KILL TYPE pubsub), again and again, under load.


@pytest.mark.fault(id="F6")
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


# F7: Redis hangs for 5 s; then each of its answers is 200 ms late, more or less by 100 ms.

HANGS = 5


@pytest.mark.fault(id="F7")
@pytest.mark.cluster(lines=True)
def test_what_has_piled_up_goes_out_in_order_and_no_node_ends(
    process_cluster: ProcessCluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    cluster = process_cluster
    fleet = agents(scale(100, 1000), url=cluster.url(1, 2, 3)).online()
    commands = load(fleet, commands=scale(500, 3000), pace=scale(60, 100))
    commands.reach(0.2)

    cluster.stop("redis")
    time.sleep(HANGS)
    cluster.cont("redis")
    commands.reach(0.4)
    for line in cluster.lines.values():
        line.delay(200, 100)
    time.sleep(scale(5, 20))

    late = str(cluster.api.post({"target": {"all": True}, "name": "late"})["id"])
    wait.until(lambda: fleet.have_run(late))
    for line in cluster.lines.values():
        line.heal()
    wait.until(lambda: ready(cluster), lambda nodes: nodes == [1, 2, 3])
    assert not fleet.disconnected()
    assert commands.judged(besides=(late,))


def ready(cluster: Cluster) -> list[int]:
    """Return the nodes that are there and ready."""
    return [n for n in (1, 2, 3) if cluster.runs(f"node{n}") and cluster.api.is_ready(cluster.node(n))]


# F13: a node and Redis are parted: nothing comes through between them, and neither is told.


@pytest.mark.fault(id="F13")
@pytest.mark.cluster(lines=True)
def test_a_parted_node_is_not_ready_and_its_terminals_stay_with_it(
    process_cluster: ProcessCluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    cluster, api = process_cluster, process_cluster.api
    fleet = agents(scale(90, 900), url=cluster.url(1, 2, 3)).online()
    commands = load(fleet, commands=scale(700, 3000), pace=scale(50, 100), at=cluster.node(2))
    commands.reach(0.2)

    cluster.lines[1].hole()

    began = time.monotonic()
    wait.until(lambda: api.ask("GET", "/readyz", at=cluster.node(1))[0], lambda status: status == 503)
    status, problem = api.ask("POST", "/v1/commands", EVERYONE, at=cluster.node(1))
    assert status == 503 and problem["detail"], problem
    time.sleep(max(0, began + 10 - time.monotonic()))
    # A terminal that the node holds is better than a storm on the other nodes.
    assert not fleet.disconnected()
    cluster.lines[1].heal()
    wait.until(lambda: api.is_ready(cluster.node(1)))
    wait.until(lambda: cluster.online(at=cluster.node(2)), lambda online: online == fleet.terminals)
    assert commands.judged()
    assert not fleet.disconnected()


# F21: Redis misses the replicas without which it refuses each write (min-replicas-to-write), and still answers reads.


@pytest.mark.fault(id="F21")
@pytest.mark.cluster(one_redis="it has no replicas")
def test_while_redis_refuses_each_write_nothing_is_accepted_and_no_terminal_is_cut(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(100, 1000), url=cluster.url(1, 2, 3)).online()
    commands = load(fleet, commands=scale(300, 3000), pace=60)
    commands.reach(0.3)

    cluster.redis("CONFIG", "SET", "min-replicas-to-write", "1")
    # Longer than a lease, which can't be renewed either.
    time.sleep(scale(8, 20))
    for number in (1, 2, 3):
        status, answer = cluster.api.ask("POST", "/v1/commands", EVERYONE, at=cluster.node(number))
        assert status == 503 and answer["detail"], answer
    cluster.redis("CONFIG", "SET", "min-replicas-to-write", "0")

    wait.until(lambda: [n for n in (1, 2, 3) if cluster.api.is_ready(cluster.node(n))], lambda ready: len(ready) == 3)
    wait.until(cluster.online, lambda online: online == fleet.terminals)
    assert commands.judged() and not fleet.disconnected()
