"""Nodes join, die and drain behind the proxy."""

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from muster import process, wait
from muster.cluster import Cluster, ProcessCluster
from muster.cluster.sidecar import Sidecar
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory, Scale
from muster.judge import peak, returns, span

# Nodes that join a cluster get its next terminals, cost few reloads, and cut nobody.

QUIET = "--quiet 3s"


@pytest.mark.cluster(nodes=2, sidecar_flags=QUIET)
def test_a_third_node_gets_most_of_the_next_terminals_before_any_reload(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory, scale: Scale
) -> None:
    cluster = process_cluster
    agents(2000).online()
    wait.until(lambda: cluster.sessions(1) + cluster.sessions(2), lambda sessions: sessions == 2000)
    cluster.start("node3")
    ready = time.time()
    third = cluster.id(3)

    knocking = knock(200, "--keep")
    wait.until(knocking.decided, lambda decided: decided >= 1000)
    wait.until(lambda: proxy.has(3), within=30)
    reloaded = (proxy.folder / "gen" / str(proxy.generation())).stat().st_mtime
    knocking.finish()

    next_ones = sorted(knocking.each(), key=lambda each: each.decided)[:1000]
    on_third = [each for each in next_ones if each.node == third]
    assert len(on_third) >= 800
    assert not knocking.failures()
    assert on_third[50].decided < reloaded
    scale.judge_time("from the third node's readiness to its first session", on_third[0].decided - ready, 3)
    begun = min(each.begun for each in next_ones)
    scale.judge_time("until it had 50 sessions", on_third[50].decided - begun, 1)


@pytest.mark.cluster(nodes=2, sidecar_flags=QUIET)
def test_ten_nodes_that_join_together_cost_one_reload(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    ten = range(3, 13)
    with ThreadPoolExecutor(len(ten)) as pool:
        list(pool.map(process_cluster.start, [f"node{number}" for number in ten]))
    wait.until(lambda: all(proxy.has(number) for number in ten))
    wait.until(lambda: proxy.reloads("confirmed"))
    assert proxy.reloads() == 1


@pytest.mark.cluster(nodes=2, sidecar_flags=QUIET)
def test_a_rebalance_moves_the_surplus_to_the_new_node(
    process_cluster: ProcessCluster, agents: AgentsFactory, scale: Scale
) -> None:
    cluster = process_cluster
    held = scale(600, 2000)
    fleet = agents(held).online()
    cluster.start("node3")
    wait.until(lambda: cluster.sessions(1) + cluster.sessions(2), lambda sessions: sessions == held)

    status, moving = cluster.api.ask("POST", f"/v1/nodes/rebalance?rate={scale(60, 200)}", at=cluster.node(3))
    assert status == 202
    surplus = sum(moving["moving"].values())
    assert surplus > held / 4
    wait.until(lambda: len(fleet.ends("with 4003")), lambda ends: ends >= surplus)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == held)
    assert len(fleet.ends()) == len(fleet.ends("with 4003")) == surplus
    wait.until(lambda: cluster.sessions(3), lambda sessions: sessions > held / 4)


@pytest.mark.takes(seconds=32)
@pytest.mark.cluster(nodes=3)
def test_a_node_that_flaps_costs_few_reloads_and_no_session(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory, scale: Scale
) -> None:
    fleet = agents(300).online()
    knocking = knock(20)
    flaps = scale(15, 60)
    lease.flap(process_cluster, flaps)
    knocking.finish()

    assert proxy.reloads() <= min(flaps // 5, 6)
    assert proxy.metric("suppressed_total") > 5
    assert len(proxy.state()["lingering"]) <= 12
    assert not fleet.ends()
    assert not knocking.failures()


# A node that is killed, or hangs, is out of Nginx's file within 10 s, and only its own sessions notice.


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
@pytest.mark.cluster(nodes=4)
def test_a_dead_node_leaves_the_file_and_no_other_handshake_fails(
    how: signal.Signals,
    process_cluster: ProcessCluster,
    proxy: Sidecar,
    agents: AgentsFactory,
    knock: KnockFactory,
    scale: Scale,
) -> None:
    cluster = process_cluster
    fleet = agents(400).online()
    dead = cluster.id(4)
    theirs = {line["terminal"] for line in fleet.lines("online") if line["node"] == dead}
    knocking = knock(100)
    wait.until(knocking.decided, lambda decided: decided >= 100)
    before = time.time()
    cluster.signal("node4", how)
    stopped = (before, time.time())

    wait.until(lambda: proxy.has(4), lambda has: not has, within=10)
    wait.until(knocking.decided, lambda decided: decided >= 1100)
    knocking.finish()
    with_it = [each for each in knocking.failures() if each.during(*stopped)]
    assert knocking.failures() == with_it
    assert len(with_it) <= 3
    scale.judge_time("the slowest handshake", knocking.slowest(), 3.1)
    assert {line["terminal"] for line in fleet.ends()} <= theirs
    assert proxy.nodes() == {cluster.node(number) for number in (1, 2, 3)}


# Nodes that drain: all their sessions move with 1012, evenly, with no reload and no handshake that fails.

SECONDS = 8


@pytest.mark.quiet
@pytest.mark.cluster(nodes=3, node_flags=f"--drain {SECONDS}s")
def test_a_drained_node_moves_its_sessions_evenly_and_fails_no_handshake(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory
) -> None:
    cluster = process_cluster
    fleet = agents(900).online()
    drained = cluster.id(1)
    theirs = sum(line["node"] == drained for line in fleet.lines("online"))
    # A node that has just begun counts after 6 s among those that stay.
    wait.until(lambda: youngest(cluster), lambda age: age > 6)
    knocking = knock(100)
    status, _ = cluster.api.ask("POST", f"/v1/nodes/{drained}/drain", at=cluster.node(2))
    assert status == 202
    # It first says that it is leaving, and waits until others stay.
    wait.until(lambda: cluster.api.is_ready(cluster.node(1)), lambda ready: not ready, within=7)
    began = time.time()
    assert process.gone(cluster.pid("node1"), SECONDS + 4)
    reloads = proxy.reloads()
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == 900)
    knocking.finish()

    assert reloads == 0
    assert knocking.decided() >= SECONDS * 90 and not knocking.failures()
    arrived = [each.decided for each in knocking.each() if each.node == drained]
    arrived += [line["at"] / 1000 for line in fleet.lines("online") if line["node"] == drained]
    assert max(arrived) < began + 0.5
    assert len(fleet.ends()) == len(fleet.ends("with 1012")) == theirs
    assert ", 0 cut off" in cluster.log("node1")
    back = returns(fleet.lines(), since=began)
    assert span(back) >= 0.8 * SECONDS and peak(back, SECONDS) <= 2


def youngest(cluster: Cluster) -> float:
    """Return the age of the node that started last, in seconds."""
    rows = cluster.api.get("/v1/nodes")["nodes"]
    return time.time() - max(datetime.fromisoformat(row["started_at"]).timestamp() for row in rows)


@pytest.mark.cluster(nodes=3, node_flags="--drain 5s")
def test_nodes_that_stop_at_the_same_moment_take_turns(
    process_cluster: ProcessCluster, agents: AgentsFactory, knock: KnockFactory, scale: Scale
) -> None:
    cluster = process_cluster
    nodes = ["node1", "node2", "node3"]
    fleet = agents(scale(300, 3000)).online()
    knocking = knock(20)
    wait.until(knocking.decided)
    since = time.time()
    for node in nodes:
        cluster.term(node)

    def restarted(node: str) -> str:
        """Start a node as soon as it has ended, as an orchestrator does; return what it said at its end."""
        assert process.gone(cluster.pid(node), within=60)
        log = cluster.log(node)
        cluster.start(node)
        return log

    with ThreadPoolExecutor() as pool:
        logs = list(pool.map(restarted, nodes))
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    knocking.finish()

    ends = [line["terminal"] for line in fleet.ends(since=since)]
    assert max(map(ends.count, fleet.names())) <= 2
    assert len(ends) == len(fleet.ends("with 1012", since)) >= fleet.terminals
    assert knocking.decided() > 100 and not knocking.failures()
    assert [re.findall(r", (\d+) cut off", log) for log in logs] == [["0"]] * 3
