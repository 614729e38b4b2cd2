"""Redis stops, comes back empty, or loses a lease: Nginx's file stays as it is while the nodes answer."""

import shutil
import time

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import Sidecar
from muster.fixtures import AgentsFactory, KnockFactory, Scale


@pytest.mark.cluster(nodes=3)
def test_nothing_changes_while_redis_is_away_and_when_it_comes_back_empty(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory, scale: Scale
) -> None:
    cluster = process_cluster
    fleet = agents(300).online()
    before = (proxy.generation(), proxy.nodes_file())
    knocking = knock(50)
    away = scale(15, 60)
    cluster.kill("redis")
    gone = time.time()
    wait.until(lambda: proxy.metric("redis_age_seconds"), lambda age: age >= away, within=2 * away)
    assert time.time() - gone >= away - 1
    assert (proxy.generation(), proxy.nodes_file()) == before

    shutil.rmtree(cluster.directory / "appendonlydir")
    cluster.start("redis")
    wait.until(lambda: proxy.metric("registry_nodes"), lambda nodes: nodes == 3)
    # After that it would be told of a node that left, if there was one.
    wait.until(lambda: proxy.state()["frozen"], lambda frozen: not frozen)
    knocking.finish()

    assert (proxy.generation(), proxy.nodes_file()) == before
    assert knocking.decided() > 50 * away and not knocking.failures()
    assert not fleet.ends()
    assert not any("panicked" in cluster.log(f"node{number}") for number in (1, 2, 3))


@pytest.mark.cluster(nodes=3)
def test_a_flush_of_redis_removes_no_node(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory
) -> None:
    cluster = process_cluster
    fleet = agents(300).online()
    before = (proxy.generation(), proxy.nodes_file())
    knocking = knock(50)
    cluster.redis("FLUSHALL")
    # So long the sidecar may be without some leases. It may also miss that all were gone: nodes write them anew.
    time.sleep(3)
    wait.until(lambda: proxy.metric("registry_nodes"), lambda nodes: nodes == 3)
    wait.until(lambda: proxy.state()["frozen"], lambda frozen: not frozen)
    knocking.finish()

    assert (proxy.generation(), proxy.nodes_file()) == before
    assert not knocking.failures() and not fleet.ends()
    assert not any("panicked" in cluster.log(f"node{number}") for number in (1, 2, 3))


@pytest.mark.cluster(nodes=3, lines=True)
def test_a_node_that_lost_its_lease_and_answers_stays(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory
) -> None:
    cluster = process_cluster
    fleet = agents(300).online()
    before = (proxy.generation(), proxy.nodes_file())
    knocking = knock(50)
    # It cannot renew its lease.
    cluster.lines[3].hole()
    wait.until(lambda: proxy.state()["kept"], lambda kept: kept == [cluster.node(3)])
    assert not proxy.state()["frozen"]
    assert proxy.metric("probe_disagree_total") >= 1
    cluster.lines[3].heal()
    wait.until(lambda: proxy.leased(cluster.node(3)))
    knocking.finish()

    assert (proxy.generation(), proxy.nodes_file()) == before
    assert not knocking.failures() and not fleet.ends()
