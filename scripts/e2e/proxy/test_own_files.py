"""An operator's snippet is broken: what last ran goes on, nodes come and go, and it is used once it is right."""

from pathlib import Path

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar
from muster.faults import lease
from muster.fixtures import AgentsFactory

RIGHT, BROKEN, MENDED = (
    "location = /own { return 204; }\n",
    "location = /own { return 205\n",
    "location = /own { return 201; }\n",
)

pytestmark = pytest.mark.cluster(nodes=2, sidecar_flags=AT_ONCE)


@pytest.fixture
def broken(proxy: Sidecar) -> Path:
    """A snippet that was right, is applied, and is broken now."""
    snippet = proxy.folder / "snippets" / "server" / "own.conf"
    snippet.write_text(RIGHT)
    wait.until(lambda: proxy.status("/own"), lambda status: status == 204, within=15)
    snippet.write_text(BROKEN)
    return snippet


def joins(proxy: Sidecar, port: int, within: float) -> None:
    """Add a node, and wait until it is in the file."""
    lease.publish(proxy.cluster, f"node-{port}", f"127.0.0.9:{port}")
    wait.until(proxy.nodes, lambda nodes: f"127.0.0.9:{port}" in nodes, within)


def refused(proxy: Sidecar, within: float) -> None:
    """Wait until the metric says that the operator's files are refused."""
    wait.until(lambda: proxy.metric("own_files_refused"), lambda refused: refused == 1, within)


def test_nodes_join_beside_a_broken_snippet_and_no_session_is_lost(
    process_cluster: ProcessCluster, proxy: Sidecar, broken: Path, agents: AgentsFactory
) -> None:
    fleet = agents(50).online()
    refused(proxy, within=15)
    assert "own.conf" in proxy.state()["own_files_error"]
    joins(proxy, 9, within=3)

    process_cluster.kill("sidecar")
    process_cluster.start("sidecar")
    refused(proxy, within=2)
    joins(proxy, 8, within=5)

    process_cluster.kill("sidecar")
    proxy.set_flags("--sessions 5000")
    process_cluster.start("sidecar")
    joins(proxy, 7, within=5)
    assert not fleet.ends()


def test_nginx_starts_with_the_snippet_of_before_and_takes_the_right_one(
    process_cluster: ProcessCluster, proxy: Sidecar, broken: Path
) -> None:
    joins(proxy, 8, within=15)
    proxy.restart()
    assert proxy.status("/own") == 204
    lease.remove(process_cluster, "node-8")
    wait.until(lambda: proxy.serves("127.0.0.9:8"), lambda serves: not serves, within=20)
    process_cluster.kill("nginx")
    wait.until(lambda: proxy.status("/own"), lambda status: status == 204, within=5)
    broken.write_text(MENDED)
    wait.until(lambda: proxy.status("/own"), lambda status: status == 201, within=40)
    wait.until(lambda: proxy.metric("own_files_refused"), lambda refused: refused == 0, within=5)
