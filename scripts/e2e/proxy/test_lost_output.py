"""The reader of an output goes away, or the disk of the log is full: sidecar and node start, live and do their work."""

import os
from pathlib import Path

import pytest

from muster import process, programs, wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar, sidecar_program

FULL, PIPE, LOG = "/dev/full", "pipe", "log"


@pytest.mark.parametrize(("out", "err"), [(FULL, FULL), (PIPE, LOG), (PIPE, PIPE)])
@pytest.mark.cluster(nodes=1, sidecar_flags=AT_ONCE)
def test_a_sidecar_lives_and_follows_the_nodes_without_its_output(
    out: str, err: str, process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    cluster = process_cluster
    proxy.end()
    files = {PIPE: unread_pipe(cluster.directory / "pipe"), LOG: str(cluster.directory / "other.log"), FULL: FULL}
    flags = cluster.processes.flags["sidecar"]
    status = cluster.processes.read("sidecar.status")
    command: list[str | Path] = [sidecar_program(), "--listen", proxy.address, "--dir", proxy.folder]
    command += ["--redis", cluster.processes.redis_url(), "--status", status, *flags]
    shell = ["sh", "-c", f'exec "$@" >{files[out]} 2>{files[err]}', "sh"]
    process.launch(cluster.directory, "sidecar", [*shell, *command])

    wait.until(lambda: proxy.state()["served"])
    cluster.start("node2")
    wait.until(lambda: proxy.has(2), within=5)
    assert cluster.runs("sidecar")
    wait.until(lambda: proxy.metric("dropped_lines_total"))


def unread_pipe(path: Path) -> str:
    """Make a pipe of which one line is read, and then nobody reads."""
    os.mkfifo(path)
    process.launch(path.parent, "reader", ["sh", "-c", 'read -r line <"$0"', path])
    return str(path)


@pytest.mark.cluster(nodes=1)
def test_a_node_starts_with_a_full_log(process_cluster: ProcessCluster) -> None:
    cluster = process_cluster
    address = cluster.node(1)
    cluster.kill("node1")
    node: list[str | Path] = [programs.directory() / "muster-node", "--listen", address]
    node += ["--redis", cluster.processes.redis_url()]
    shell = ["sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh"]
    process.launch(cluster.directory, "node1", [*shell, *node], env={"MUSTER_SECRET": cluster.secret})
    wait.until(lambda: cluster.api.is_ready(address), within=10)
