"""An Nginx that the system runs: the sidecar only signals it, goes on while it is down, and does not end it."""

import time

import pytest

from muster import process, wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar
from muster.cluster.system_nginx import SystemNginx
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory

GHOST = "127.0.0.9:9"

pytestmark = pytest.mark.cluster(nodes=2, sidecar_flags=AT_ONCE)


def test_a_sidecar_reloads_it_and_leaves_it_running(
    system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory
) -> None:
    fleet = agents(50).online()
    lease.publish(process_cluster, "ghost", GHOST)
    wait.until(proxy.nodes, lambda nodes: GHOST in nodes)
    wait.until(lambda: proxy.reloads("confirmed"))
    assert proxy.reloads("confirmed") == 1 and not fleet.ends()
    proxy.end()
    knocking = knock(50)
    wait.until(knocking.decided, lambda decided: decided >= 100)
    knocking.finish()
    assert not knocking.failures() and not fleet.ends()


def test_a_sidecar_goes_on_while_it_is_down(
    system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar, knock: KnockFactory
) -> None:
    lease.publish(process_cluster, "ghost", GHOST)
    wait.until(lambda: proxy.reloads("confirmed"))
    reloads = proxy.reloads()
    system.end()
    wait.until(lambda: "Nginx ended" in process_cluster.log("sidecar"))
    lease.remove(process_cluster, "ghost")
    wait.until(lambda: proxy.leased(GHOST), lambda leased: not leased, within=2)
    time.sleep(1)  # It must not try to reload an Nginx that is not there, however long it could.
    assert proxy.reloads() == reloads

    system.start()
    wait.until(proxy.nodes, lambda nodes: GHOST not in nodes, within=5)
    knocking = knock(50)
    wait.until(knocking.decided, lambda decided: decided >= 90)
    knocking.finish()
    assert not knocking.failures()


def test_a_sidecar_can_be_stopped_while_it_is_down(
    system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    system.end()
    wait.until(lambda: "Nginx ended" in process_cluster.log("sidecar"))
    process_cluster.term("sidecar")
    assert process.gone(process_cluster.pid("sidecar"), within=1)
