"""What the proxy shows to the outside: limits, no way into its inner locations, and who may say an address."""

import subprocess
import time

import pytest
from websockets.sync.client import ClientConnection, connect

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import Sidecar, sidecar_program
from muster.traffic.token import token

FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "X-Edge": "forged/1/1"}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def dial(cluster: ProcessCluster, terminal: str) -> ClientConnection:
    """Connect a terminal that says that it comes from 203.0.113.9."""
    headers = {"Authorization": f"Bearer {token(cluster.secret, terminal)}", **FORGED}
    return connect(f"ws://{cluster.proxy()}/ws?terminal_id={terminal}", additional_headers=headers)


def address_of(cluster: ProcessCluster, terminal: str) -> str:
    """Return the address that its node has of a terminal that is online."""
    return str(wait.until(lambda: cluster.api.get(f"/v1/terminals/{terminal}", at=cluster.node(1))["address"]))


@pytest.mark.cluster(nodes=1)
def test_requests_beyond_the_limits_and_to_inner_locations_are_refused(
    process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    key = {"Authorization": f"Bearer {process_cluster.api.key}"}
    assert proxy.status("/v1/nodes", headers=key) == 200
    assert proxy.status(f"/_node/{process_cluster.node(1)}") == 404
    assert proxy.status("/v1/commands", body=bytes(1_200_000)) == 413
    assert proxy.status("/livez", headers={"X-Long": "x" * 9000}) == 400


@pytest.mark.cluster(nodes=1)
def test_a_token_in_the_url_is_refused_and_not_logged(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    log = proxy.folder / "access.log"
    assert proxy.status("/ws?terminal_id=t1&token=geheim", headers=UPGRADE) == 400
    wait.until(lambda: '"path":"/ws"' in log.read_text())
    assert "geheim" not in log.read_text()


@pytest.mark.cluster(nodes=1, node_flags="--ping 60s")
def test_a_forged_address_is_not_believed(process_cluster: ProcessCluster) -> None:
    with dial(process_cluster, "t1"):
        assert address_of(process_cluster, "t1").startswith("127.0.0.1")


@pytest.mark.cluster(nodes=1, node_flags="--ping 60s", sidecar_flags="--real-ip-from 127.0.0.0/8")
def test_an_address_from_a_proxy_that_may_say_it_is_believed(process_cluster: ProcessCluster) -> None:
    with dial(process_cluster, "t1"):
        assert address_of(process_cluster, "t1").startswith("203.0.113.9")


@pytest.mark.cluster(nodes=1, node_flags="--ping 60s --trusted-proxy 10.0.0.0/8")
def test_a_session_lives_through_a_proxy_that_its_node_does_not_trust(process_cluster: ProcessCluster) -> None:
    with dial(process_cluster, "t1") as session:
        time.sleep(6)  # The proxy waits 2 s for a node's first answer.
        session.send("{}")
        address_of(process_cluster, "t1")
    log = process_cluster.log("node1").splitlines()
    assert sum("--trusted-proxy" in line and "127.0.0.1" in line for line in log) == 1


@pytest.mark.cluster(nodes=1, sidecar_flags="--quiet 10s --quiet-urgent 10s")
def test_render_shows_what_would_change(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    cluster = process_cluster
    cluster.start("node2")
    wait.until(lambda: proxy.leased(cluster.node(2)))
    command = [str(sidecar_program()), *"render --once --diff --redis".split(), cluster.processes.redis_url()]
    command += ["--dir", str(proxy.folder), "--listen", proxy.address, *cluster.processes.flags["sidecar"]]
    diff = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    changed = [line for line in diff if line[:2] in ("+ ", "- ")]
    assert changed == [line for line in changed if cluster.node(2) in line] and len(changed) == 1
