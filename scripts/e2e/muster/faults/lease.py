"""Leases of nodes that do not exist. Only this file of the tests knows keys of Redis."""

import json
import time

from muster.cluster import Cluster

NODES, LEASE = "{muster}:nodes", "{muster}:node:"
FOREVER = "99999999999999"


def write(cluster: Cluster, node: str, lease: str) -> None:
    """Write to the registry that there is this node, with this text as its lease. Nobody renews it; it never ends.

    The text may hold bytes that are no UTF-8, as surrogates ("\\udcff" is the byte 0xff).
    """
    cluster.redis("ZADD", NODES, FOREVER, node)
    cluster.redis("SET", LEASE + node, lease)


def publish(cluster: Cluster, node: str, address: str) -> None:
    """Write a lease as nodes do, of a node that has so many sessions that no other node sends it any."""
    view = {"id": node, "address": address, "sessions": 100_000, "accepts": 0}
    write(cluster, node, json.dumps({**cluster.row(1, at=cluster.node(1)), **view}))


def remove(cluster: Cluster, node: str) -> None:
    """Remove the lease."""
    cluster.redis("ZREM", NODES, node)
    cluster.redis("DEL", LEASE + node)


def flap(cluster: Cluster, times: int) -> None:
    """Have a node be there for a second and away for a second, so many times."""
    for _ in range(times):
        publish(cluster, "flapping", "127.0.0.9:9")
        time.sleep(1)
        remove(cluster, "flapping")
        time.sleep(1)
