"""Two proxies agree on the nodes without a word between them, and the sessions of one that stops come back."""

import pytest

from muster import process, wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import Sidecar
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory
from muster.traffic.knock import Knock


def start_other(cluster: ProcessCluster) -> Sidecar:
    """Start a second proxy."""
    cluster.processes.flags["other"] = ["--edge", "other", "--resolve", "off"]
    cluster.start("other")
    return Sidecar(cluster, "other")


@pytest.mark.cluster(nodes=3, node_flags="--placement sticky")
def test_two_proxies_write_the_same_file_and_send_each_terminal_to_the_same_node(
    process_cluster: ProcessCluster, proxy: Sidecar, knock: KnockFactory
) -> None:
    for port in (5, 1, 9, 3):
        lease.publish(process_cluster, f"ghost-{port}", f"127.0.0.9:{port}")
    wait.until(lambda: len(proxy.nodes()), lambda nodes: nodes == 7)
    # It learns of all of them at once.
    other = start_other(process_cluster)
    assert len(other.nodes()) == 7
    assert proxy.nodes_file() == other.nodes_file()

    by_one = nodes_by_terminal(knock(100, name="one", prefix="same", url=f"ws://{proxy.address}/ws"))
    by_other = nodes_by_terminal(knock(100, name="two", prefix="same", url=f"ws://{other.address}/ws"))
    assert by_one == by_other
    assert len(set(by_one.values())) == 3


def nodes_by_terminal(knocking: Knock) -> dict[str, str]:
    """Return on which node each of the first 300 terminals came."""
    wait.until(knocking.decided, lambda decided: decided >= 300)
    knocking.finish()
    assert not knocking.failures()
    return {each.terminal: each.node for each in knocking.each()[:300]}


@pytest.mark.cluster(nodes=3, node_flags="--ping 25s")
def test_a_proxy_that_stops_has_the_nodes_move_its_sessions(
    process_cluster: ProcessCluster, agents: AgentsFactory
) -> None:
    other = start_other(process_cluster)
    fleet = agents(300, url=f"ws://{other.address}/ws").online()
    process_cluster.term("other")
    assert process.gone(process_cluster.pid("other"), within=6)
    first_ends = {line["terminal"]: line["end"] for line in reversed(fleet.ends())}
    assert len(first_ends) == 300
    assert all("with 1012" in end for end in first_ends.values())
    assert process_cluster.log("other").endswith(": stopped")

    process_cluster.start("other")
    # Nobody was there meanwhile, so they come less and less often.
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == 300, within=60)
