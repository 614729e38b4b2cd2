"""What the proxy shows to the outside, and whose address counts there."""

import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import Sidecar, own_memory, sidecar_program
from muster.fixtures import AgentsFactory, KnockFactory, Scale
from muster.traffic.terminal import UPGRADE, token

# What the proxy shows to the outside: limits, no way into its inner locations, and who may say an address.

FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "X-Edge": "forged/1/1"}


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
def test_the_largest_body_is_the_limit(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    headers = {"Authorization": f"Bearer {process_cluster.api.key}"}
    assert proxy.status("/v1/commands", body=bytes(262144), headers=headers) == 400, "it is no command"
    assert proxy.status("/v1/commands", body=bytes(262145), headers=headers) == 413


@pytest.mark.cluster(nodes=1)
def test_nginx_tells_its_version_to_the_log_alone(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    answers = replies(proxy.address, ["/livez", "/_node/x"], {})
    answers += replies(proxy.address, ["/livez"], {"X-Long": "x" * 9000})
    assert [answer.status for answer in answers] == [200, 404, 400]
    for answer in answers:
        assert answer.headers["Server"] == "nginx"
        assert b"nginx/" not in answer.body
    assert "nginx version: nginx/" in process_cluster.log(proxy.name)


@pytest.mark.cluster(nodes=1)
def test_a_token_in_the_url_is_refused_and_not_logged(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    log = proxy.folder / "access.log"
    assert proxy.status("/ws?terminal_id=t1&token=geheim", headers=UPGRADE) == 400
    wait.until(lambda: '"path":"/ws"' in log.read_text())
    assert "geheim" not in log.read_text()


@pytest.mark.cluster(nodes=1)
def test_the_console_passes_with_its_policy_and_its_session(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    moved = httpx.get(f"http://{proxy.address}/console")
    # Nginx by itself would answer with the port that it listens on, which need not be the one that a browser knows.
    assert (moved.status_code, moved.headers["Location"]) == (308, "/console/")
    page = httpx.get(f"http://{proxy.address}/console/")
    assert page.status_code == 200 and "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert proxy.status("/console/", headers={"If-None-Match": page.headers["ETag"]}) == 304
    assert proxy.status("/console/nowhere.js") == 404
    key = {"Authorization": f"Bearer {process_cluster.api.key}"}
    session = httpx.post(f"http://{proxy.address}/v1/session", headers=key)
    assert session.status_code == 201
    assert proxy.status("/v1/nodes", headers={"Authorization": f"Bearer {session.json()['token']}"}) == 200


SECRET_NAMES = ("token", "auth", "api_key", "secret", "ticket", "code", "to%6ben")


def logs(directory: Path) -> Iterable[str]:
    """Return what is in all logs of a cluster."""
    return (file.read_text(errors="replace") for file in directory.rglob("*.log"))


@pytest.mark.takes(seconds=40)
@pytest.mark.cluster(nodes=1)
def test_no_query_is_in_any_log_whatever_goes_wrong(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    def ask(path: str, name: str) -> int:
        return proxy.status(
            f"{path}?terminal_id=t1&{name}=geheim", headers={**UPGRADE, "Referer": "http://x/?k=geheim"}
        )

    assert ask("/ws", "token") == 400
    assert ask("/nowhere", "token") == 404
    process_cluster.stop("node1")
    # Nginx gives up after 2 s, and the node counts as failed for 5 s from the second time on.
    assert all(ask("/ws", name) in (502, 504) for name in SECRET_NAMES)
    process_cluster.cont("node1")
    process_cluster.kill("node1")
    assert all(ask(path, name) == 502 for name in SECRET_NAMES for path in ("/ws", "/livez"))
    counts_as(proxy, "unreachable", 3 * len(SECRET_NAMES))
    assert httpx.get(f"http://{proxy.address}/ws?a=geheim", headers={"X-Long": "x" * 9000}).status_code == 400
    wait.until(lambda: process_cluster.log("sidecar").count("?[cut]"), lambda cut: cut >= 4)
    assert "upstream timed out" in process_cluster.log("sidecar")
    assert "connect() failed" in process_cluster.log("sidecar")
    assert not [log for log in logs(process_cluster.directory) if "geheim" in log]


# Limits for each address, of what is not let in.


class Reply(NamedTuple):
    """An answer of HTTP."""

    status: int
    headers: Message
    body: bytes


def counts_as(proxy: Sidecar, cause: str, answers: int) -> None:
    """Wait until the proxy has counted so many errors of this cause that it answered."""
    wait.until(lambda: proxy.metric("errors_answered_total", cause=cause), lambda counted: counted == answers)


def replies(address: str, paths: list[str], headers: dict[str, str], source: str = "127.0.0.1") -> list[Reply]:
    """Return the answers to all these requests, which are sent at once from one address."""
    host, port = address.rsplit(":", 1)
    asked, made = [], []
    for path in paths:
        connection = HTTPConnection(host.strip("[]"), int(port), timeout=30, source_address=(source, 0))
        connection.request("GET", path, headers=headers)
        asked.append(connection)
    for connection in asked:
        with closing(connection):
            answer = connection.getresponse()
            made.append(Reply(answer.status, answer.headers, answer.read()))
    return made


@pytest.mark.cluster(nodes=2, node_flags="--ping 25s")
def test_refused_handshakes_of_an_address_are_slowed_down_and_good_ones_are_not(
    process_cluster: ProcessCluster, proxy: Sidecar, knock: KnockFactory
) -> None:
    knocking = knock(20)
    wait.until(knocking.decided)
    bad = {**UPGRADE, "Authorization": "Bearer no.t.oken"}
    paths = [f"/ws?terminal_id=bad-{number}" for number in range(150)]
    began = time.monotonic()
    answers = replies(proxy.address, paths, bad)
    took = time.monotonic() - began
    count = Counter(answer.status for answer in answers)
    assert count.keys() == {401, 429} and count[401] <= 60 + 10 * took
    assert all("Retry-After" in answer.headers for answer in answers if answer.status == 429)
    counts_as(proxy, "refusals", count[429])
    other = replies(proxy.address, paths[:5], bad, "127.0.0.2")
    assert [answer.status for answer in other] == 5 * [401]
    knocking.finish()
    assert not knocking.failures() and knocking.slowest() < 2


@pytest.mark.cluster(nodes=1, sidecar_flags="--calls-per-address 20")
def test_the_calls_of_an_address_have_a_rate(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    headers = {"Authorization": f"Bearer {process_cluster.api.key}"}
    began = time.monotonic()
    answers = replies(proxy.address, 90 * ["/v1/nodes"], headers)
    took = time.monotonic() - began
    count = Counter(answer.status for answer in answers)
    assert count.keys() == {200, 429} and 20 <= count[200] <= 21 + 20 * took
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.headers["Retry-After"] == "1" and b"20 API calls a second" in refused.body
    counts_as(proxy, "calls", count[429])
    assert replies(proxy.address, ["/v1/nodes"], headers, "127.0.0.2")[0].status == 200
    with dial(process_cluster, "t1"):
        address_of(process_cluster, "t1")


@pytest.mark.cluster(nodes=1, sidecar_flags="--calls-per-address 20 --real-ip-from 127.0.0.0/8")
def test_ipv6_addresses_count_by_their_network(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    def accepted(client: str) -> int:
        answers = replies(proxy.address, 40 * ["/livez"], {"X-Forwarded-For": client})
        return sum(answer.status == 200 for answer in answers)

    for one, same, other in (
        ("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:3::1"),
        ("2001:db8::1", "2001:db8::2:0:0:1", "2001:db9::1"),
    ):
        began = time.monotonic()
        together = accepted(one) + accepted(same)
        assert together <= 21 + 20 * (time.monotonic() - began)
        assert accepted(other) >= 20


@pytest.mark.cluster(nodes=1, node_flags="--ping 60s", sidecar_flags="--sessions 2 --workers 1")
def test_sessions_beyond_what_the_proxy_holds_get_429(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    headers = {**UPGRADE, "Authorization": f"Bearer {token(process_cluster.secret, 't3')}"}
    # The one worker has connections for half as many again.
    with dial(process_cluster, "t1"), dial(process_cluster, "t2"), dial(process_cluster, "t4"):
        answer = replies(proxy.address, ["/ws?terminal_id=t3"], headers)[0]
        assert answer.status == 429 and answer.headers["Retry-After"] == "1" and b"--sessions" in answer.body
        counts_as(proxy, "sessions", 1)
        assert proxy.status() == 200
    wait.until(lambda: process_cluster.online(at=process_cluster.node(1)), lambda online: online == 0)
    with dial(process_cluster, "t3"):
        address_of(process_cluster, "t3")


# A load balancer in front of the proxy says in a PROXY header where a connection comes from.


def from_client(proxy: Sidecar, client: str) -> socket.socket:
    """Connect to the proxy as a load balancer does for a client."""
    host, port = proxy.address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(f"PROXY TCP4 {client} 127.0.0.1 1000 80\r\n".encode())
    return connection


def call_from(proxy: Sidecar, client: str, key: str) -> int:
    """Return the status of an API call of this client."""
    with from_client(proxy, client) as connection:
        head = f"GET /v1/nodes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        with connection.makefile("rb") as answer:
            return int(answer.readline().split()[1])


@pytest.mark.cluster(nodes=1, node_flags="--ping 60s", sidecar_flags="--calls-per-address 20")
def test_limits_and_nodes_take_the_address_in_a_proxy_header(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    proxy.restart("--real-ip-from 127.0.0.0/8 --proxy-protocol")
    key = process_cluster.api.key
    began = time.monotonic()
    count = Counter(call_from(proxy, "203.0.113.9", key) for _ in range(90))
    assert count.keys() == {200, 429} and count[200] <= 21 + 20 * (time.monotonic() - began)
    assert call_from(proxy, "203.0.113.10", key) == 200

    headers = {"Authorization": f"Bearer {token(process_cluster.secret, 't1')}", **FORGED}
    url = f"ws://{proxy.address}/ws?terminal_id=t1"
    with connect(url, sock=from_client(proxy, "203.0.113.11"), additional_headers=headers):
        assert address_of(process_cluster, "t1").startswith("203.0.113.11")


@pytest.mark.cluster(nodes=1, node_flags="--ping 60s", sidecar_flags="--sessions-per-address 2")
def test_the_sessions_of_an_address_are_limited_if_a_flag_says_so(
    process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    headers = {**UPGRADE, "Authorization": f"Bearer {token(process_cluster.secret, 't3')}"}

    def third() -> int:
        return proxy.status("/ws?terminal_id=t3", headers=headers)

    with dial(process_cluster, "t1"):
        with dial(process_cluster, "t2"):
            assert third() == 429
        with dial(process_cluster, "t4"):
            assert third() == 429


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


@pytest.mark.cluster(nodes=1, node_flags="--ping 60s")
def test_an_unspecified_ipv6_address_takes_both_families(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    port = proxy.address.rpartition(":")[2]
    proxy.end()
    (process_cluster.directory / "sidecar.address").write_text(f"[::]:{port}")
    process_cluster.start("sidecar")
    for address in (f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert replies(address, ["/livez"], {}, address.rpartition(":")[0].strip("[]"))[0].status == 200
    headers = {"Authorization": f"Bearer {token(process_cluster.secret, 't1')}"}
    with connect(f"ws://127.0.0.1:{port}/ws?terminal_id=t1", additional_headers=headers):
        assert address_of(process_cluster, "t1") == "127.0.0.1"


@pytest.mark.cluster(nodes=1, sidecar_flags="--quiet 10s --quiet-urgent 10s")
def test_render_shows_what_would_change(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    cluster = process_cluster
    cluster.start("node2")
    wait.until(lambda: proxy.leased(cluster.node(2)))
    command = [str(sidecar_program()), *"render --once --diff --redis".split(), cluster.processes.redis_url()]
    command += ["--secret-file", str(cluster.directory / "secret"), "--dir", str(proxy.folder)]
    command += ["--listen", proxy.address, *cluster.processes.flags["sidecar"]]
    diff = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    changed = [line for line in diff if line[:2] in ("+ ", "- ")]
    assert changed == [line for line in changed if cluster.node(2) in line] and len(changed) == 1


@pytest.mark.cluster(nodes=2, node_flags="--ping 60s")
def test_a_session_costs_nginx_what_its_start_reckons_with(
    process_cluster: ProcessCluster, agents: AgentsFactory, scale: Scale
) -> None:
    before = own_memory(process_cluster)
    fleet = agents(scale(500, 5000)).online()
    grown = (own_memory(process_cluster) - before) / fleet.terminals
    print(f"{grown:.0f} bytes for each session")
    # Beside these, nginx/src/memory.rs reckons with two sockets of the kernel.
    assert 16 << 10 < grown < 34 << 10
