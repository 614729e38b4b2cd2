"""The proxy and a registry that cannot be trusted."""

import re
import shutil
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from muster import process, wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory, Scale

# Redis stops, comes back empty, or loses a lease: Nginx's file stays as it is while the nodes answer.


@pytest.mark.takes(seconds=30)
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
    proxy.wait_until_it_trusts()
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
    proxy.wait_until_it_trusts()
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


@pytest.mark.cluster(nodes=1)
def test_a_redis_that_evicts_is_told_and_its_nodes_are_served(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    cluster = process_cluster
    assert proxy.state()["redis_unfit"] is None
    cluster.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    told = wait.until(lambda: proxy.state()["redis_unfit"], lambda unfit: unfit is not None)
    assert "maxmemory-policy is allkeys-lru: set `maxmemory-policy noeviction`" in told
    assert proxy.serves(cluster.node(1))
    cluster.redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    wait.until(lambda: proxy.state()["redis_unfit"], lambda unfit: unfit is None)


@pytest.mark.cluster(nodes=1, node_flags="--partitions 5", sidecar_flags=AT_ONCE)
def test_a_node_with_another_secret_gets_no_terminals(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    cluster = process_cluster
    assert proxy.state()["foreign"] is None
    secret = cluster.directory / "other-secret"
    secret.write_text(f"k1={'x' * 40}\n")
    cluster.processes.flags["node"] += ["--cluster-secret-file", str(secret)]
    cluster.start("node2")
    foreign = wait.until(lambda: proxy.state()["foreign"], lambda foreign: foreign is not None)
    assert "compare the --cluster-secret-file of both" in foreign["why"]
    assert foreign["why"] in cluster.log("sidecar")
    assert proxy.metric("foreign_nodes") == 1
    # A change that comes after it has been applied.
    lease.publish(cluster, "good", "127.0.0.9:9")
    wait.until(proxy.nodes, lambda nodes: nodes == {cluster.node(1), "127.0.0.9:9"})
    assert proxy.metric("leases_refused_total", reason="foreign") == 1


# Leases that say what no node says reach neither Nginx's file nor Nginx.

ADDRESSES = [
    *("127.0.0.1:9; } server { listen 127.0.0.1:7777; }", "127.0.0.1:9\nserver 127.0.0.1:10", "127.0.0.1:9 backup"),
    *("localhost:9000", "127.0.0.1:0", "0.0.0.0:9", "127.0.0.1", "127.0.0.1:99999", "[::1]:9000", "8.8.8.8:53"),
    *("224.0.0.1:9", "$host:80", "unix:/tmp/x", "127.1:9", "", "#", '"', "\\"),
]
# What else stands for a lease, by the id of its node.
TEXTS = {"long": "x" * 10_000, "; } server {": "[]", "binary": "\udcff\udcfe\x00"}

FRAME = re.compile(
    r" *#.*|upstream muster_nodes \{|  zone muster_nodes 256k;|  keepalive(_timeout|_requests)? \d+s?;|\}|"
)
SERVER = re.compile(r"  server 127\.0\.0\.1:\d+ max_fails=2 fail_timeout=5s;")


# 10,000 random leases are tried by the sidecar's own tests.
@pytest.mark.cluster(nodes=1, sidecar_flags=AT_ONCE)
def test_nothing_of_a_hostile_lease_reaches_the_file(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    cluster = process_cluster
    for number, address in enumerate(ADDRESSES):
        lease.publish(cluster, f"hostile-{number}", address)
    for node, text in TEXTS.items():
        lease.write(cluster, node, text)
    assert len(ADDRESSES) + len(TEXTS) >= 20

    # The leases have been looked at once a good node that came after them is in the file.
    cluster.start("node2")
    wait.until(lambda: proxy.has(2))
    assert proxy.metric("leases_refused_total") == len(ADDRESSES) + len(TEXTS)
    assert proxy.nodes() == {cluster.node(1), cluster.node(2)}
    strange = [
        line for line in proxy.nodes_file().splitlines() if not FRAME.fullmatch(line) and not SERVER.fullmatch(line)
    ]
    assert not strange
    assert proxy.can_start()


@pytest.mark.cluster(nodes=1, sidecar_flags=AT_ONCE)
def test_a_good_lease_written_the_same_way_is_believed(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    """Without this, the test above would pass as well if its leases were at keys that nobody reads."""
    lease.publish(process_cluster, "good", "127.0.0.9:9")
    wait.until(proxy.nodes, lambda nodes: "127.0.0.9:9" in nodes)


# A node believes a lease with an address that this proxy may not send to.


class FakeNode(ThreadingHTTPServer):
    """A node at 127.0.0.66 that is alive and takes each handshake; `paths` are those that it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.66", 0), _FakeAnswer)
        self.paths: list[str] = []


class _FakeAnswer(BaseHTTPRequestHandler):
    server: FakeNode

    def do_GET(self) -> None:  # noqa: N802
        self.server.paths.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def fake_node() -> Iterator[FakeNode]:
    """A fake node that serves."""
    with FakeNode() as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.mark.cluster(nodes=1, node_flags="--ping 25s", sidecar_flags="--allow 127.0.0.1/32")
def test_no_handshake_goes_to_an_address_that_is_not_allowed(
    process_cluster: ProcessCluster, proxy: Sidecar, fake_node: FakeNode, agents: AgentsFactory, knock: KnockFactory
) -> None:
    fleet = agents(50).online()
    knocking = knock(50)
    lease.publish(process_cluster, "elsewhere", process.address(fake_node.socket), sessions=0, accepts=1000)
    wait.until(lambda: proxy.metric("leases_refused_total", reason="not_allowed"), lambda refused: refused == 1)
    # The node asks whether it is alive, and sends handshakes there.
    wait.until(lambda: fake_node.paths)
    begun = knocking.decided()
    wait.until(knocking.decided, lambda decided: decided >= begun + 50)
    knocking.finish()
    assert set(fake_node.paths) == {"/livez"}
    assert not knocking.failures() and not fleet.ends()


BOTH_FAMILIES = "--allow 127.0.0.0/8,::1/128"


@pytest.mark.cluster(nodes=1, node_flags=BOTH_FAMILIES, sidecar_flags=f"{AT_ONCE} {BOTH_FAMILIES}")
def test_a_node_of_ipv6_gets_sessions_if_it_is_allowed_and_one_that_is_not_is_shown(
    process_cluster: ProcessCluster, proxy: Sidecar, knock: KnockFactory
) -> None:
    cluster = process_cluster
    (cluster.directory / "node2.address").write_text(f"[::1]:{process.free_port()}")
    cluster.start("node2")
    second = cluster.id(2)
    wait.until(lambda: proxy.serves(cluster.node(2)))
    lease.publish(cluster, "elsewhere", "[2001:db8::9]:9000")
    assert wait.until(lambda: proxy.state()["outside"]) == {"elsewhere": "[2001:db8::9]:9000"}
    why = next(each["why"] for each in proxy.state()["differs"] if each["what"] == "leases")
    assert "[2001:db8::9]:9000" in why and "--allow" in why
    assert "[2001:db8::9]:9000" in cluster.log("sidecar")
    assert proxy.metric("leases_refused_total", reason="not_allowed") == 1

    knocking = knock(20)
    wait.until(lambda: second in {each.node for each in knocking.each()})
    knocking.finish()
    assert not knocking.failures()
    lease.remove(cluster, "elsewhere")
    wait.until(lambda: proxy.state()["outside"], lambda outside: outside == {})


@pytest.mark.cluster(nodes=1, node_flags="--max-body 1000 --trusted-proxy 10.0.0.0/8")
def test_what_a_node_and_the_proxy_do_not_agree_on_is_shown_until_they_agree(
    process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    cluster = process_cluster
    shown = wait.until(lambda: proxy.state()["mismatches"])
    what = "; ".join(shown[0]["what"])
    assert shown[0]["node"] == cluster.node(1)
    assert "add 127.0.0.1 to its --trusted-proxy" in what and "--max-body is 1000 at the node" in what
    assert what in cluster.log("sidecar")
    assert proxy.metric("mismatched_nodes") == 1

    cluster.term("node1")
    wait.until(lambda: cluster.runs("node1"), lambda runs: not runs)
    for flag in ("--max-body", "--trusted-proxy"):
        at = cluster.processes.flags["node"].index(flag)
        del cluster.processes.flags["node"][at : at + 2]
    cluster.start("node1")
    wait.until(lambda: "all nodes and this proxy agree again" in cluster.log("sidecar"))
    wait.until(lambda: proxy.serves(cluster.node(1)))
    assert proxy.state()["mismatches"] == []
