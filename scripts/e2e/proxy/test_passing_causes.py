"""A change fails for a reason that has nothing to do with the nodes: it is applied soon after the reason is gone."""

import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar
from muster.cluster.system_nginx import SystemNginx
from muster.faults import lease
from muster.fixtures import AgentsFactory, missing

NODE = "127.0.0.9:9"

pytestmark = pytest.mark.cluster(nodes=2, sidecar_flags=AT_ONCE)


@pytest.fixture
def small_disk(proxy: Sidecar) -> Iterator[None]:
    """A disk of 512 kB, for the files of the sidecar."""
    proxy.end()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(proxy.folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        missing("no disk can be mounted here")
    yield
    subprocess.run(["umount", "-l", str(proxy.folder)], check=True)


def nothing_fails(proxy: Sidecar) -> bool:
    """Return whether the metrics say that no change is failing."""
    return proxy.metric("failing_attempts") == 0 and proxy.metric("failing_seconds") == 0


def failing(proxy: Sidecar) -> str:
    """Return with which result a change fails."""
    return str((proxy.state()["failing"] or {}).get("result"))


def test_a_full_disk(
    small_disk: None, system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory
) -> None:
    fleet = agents(50).online()
    filler = proxy.folder / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    lease.publish(process_cluster, "node", NODE)
    wait.until(lambda: failing(proxy), lambda result: result == "not_written")
    assert proxy.state()["failing"]["joined"] == [NODE]
    wait.until(lambda: proxy.metric("failing_attempts"), lambda attempts: attempts >= 2)
    wait.until(lambda: proxy.metric("failing_seconds"), lambda seconds: seconds >= 2)

    filler.unlink()
    wait.until(lambda: proxy.serves(NODE), within=6)
    wait.until(lambda: nothing_fails(proxy), within=5)
    assert not fleet.ends()


def test_a_configuration_that_only_the_master_refuses(
    system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory
) -> None:
    fleet = agents(50).online()
    lease.publish(process_cluster, "leaves", "127.0.0.9:8")
    wait.until(lambda: proxy.serves("127.0.0.9:8"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # `nginx -t` does not try whether the address is free.
        system.configure(f"server {{ listen 127.0.0.1:{taken.getsockname()[1]}; }}")
        lease.publish(process_cluster, "joins", NODE)
        wait.until(lambda: failing(proxy), lambda result: result == "rolled_back")
        lease.remove(process_cluster, "leaves")
        system.configure()
    wait.until(lambda: proxy.serves(NODE), within=20)
    wait.until(lambda: proxy.serves("127.0.0.9:8"), lambda serves: not serves, within=20)
    wait.until(lambda: nothing_fails(proxy), within=20)
    assert not fleet.ends()


def test_an_upgrade_of_nginx(
    system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory
) -> None:
    fleet = agents(50).online()
    # Two masters answer on the same ports, until the old one is told to quit. Its sessions keep its workers for long.
    system.upgrade()
    lease.publish(process_cluster, "node", NODE)
    time.sleep(3)  # So long the two are there, with a change to apply.
    system.retire_old()
    wait.until(lambda: proxy.serves(NODE), within=25)
    wait.until(lambda: nothing_fails(proxy), within=20)
    assert not fleet.ends()
