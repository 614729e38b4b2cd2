"""Nodes that join a cluster get its next terminals, cost few reloads, and cut nobody."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import Sidecar
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory, Scale

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


@pytest.mark.cluster(nodes=3)
def test_a_node_that_flaps_costs_few_reloads_and_no_session(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory, scale: Scale
) -> None:
    fleet = agents(300).online()
    knocking = knock(20)
    flaps = scale(15, 60)
    for _ in range(flaps):
        lease.publish(process_cluster, "flapping", "127.0.0.9:9")
        time.sleep(1)  # It is there for a second, and away for a second.
        lease.remove(process_cluster, "flapping")
        time.sleep(1)
    knocking.finish()

    assert proxy.reloads() <= min(flaps // 5, 6)
    assert proxy.metric("suppressed_total") > 5
    assert len(proxy.state()["lingering"]) <= 12
    assert not fleet.ends()
    assert not knocking.failures()
