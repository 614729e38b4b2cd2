"""Leases that say what no node says reach neither Nginx's file nor Nginx."""

import re

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar
from muster.faults import lease

ADDRESSES = [
    *("127.0.0.1:9; } server { listen 127.0.0.1:7777; }", "127.0.0.1:9\nserver 127.0.0.1:10", "127.0.0.1:9 backup"),
    *("localhost:9000", "127.0.0.1:0", "0.0.0.0:9", "127.0.0.1", "127.0.0.1:99999", "[::1]:9000", "8.8.8.8:53"),
    *("224.0.0.1:9", "$host:80", "unix:/tmp/x", "127.1:9", "", "#", '"', "\\"),
]
# What else stands for a lease, by the id of its node.
TEXTS = {"long": "x" * 10_000, "; } server {": "[]", "binary": "\udcff\udcfe\x00"}

FRAME = re.compile(r"#.*|upstream muster_nodes \{|  zone muster_nodes 256k;|\}|")
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
