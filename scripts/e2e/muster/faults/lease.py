"""Leases of nodes that do not exist, and the schema of the store. Only this file of the tests knows keys of Redis."""

import hashlib
import hmac
import json
import time

from muster.cluster import Cluster

FOREVER = "99999999999999"
# Partition 0: a proxy follows a node that any partition has. Its tag is the same for each number of partitions.
PARTITION = "{muster:0.1518}"
STORE, NODES, LEASE = f"{PARTITION}:store", f"{PARTITION}:nodes", f"{PARTITION}:lease:"


def write(cluster: Cluster, node: str, lease: str) -> None:
    """Write to the registry that there is this node, with this text as its lease. Nobody renews it; it never ends.

    The text may hold bytes that are no UTF-8, as surrogates ("\\udcff" is the byte 0xff).
    """
    cluster.redis("ZADD", NODES, FOREVER, node)
    cluster.redis("SET", LEASE + node, lease)


def publish(cluster: Cluster, node: str, address: str, sessions: int = 100_000, accepts: int = 0) -> None:
    """Write a lease as nodes do, by default of a node that takes no more sessions, so that none are sent there."""
    told = {"id": node, "address": address, "sessions": sessions, "accepts": accepts}
    view = {**cluster.row(1, at=cluster.node(1)), **told}
    write(cluster, node, sealed(cluster, view, cluster.secret))


def sealed(cluster: Cluster, view: dict[str, object], secret: str) -> str:
    """Return the lease of a node in this cluster's store, sealed with this secret (KID=SECRET)."""
    store = cluster.redis("HGET", STORE, "id").strip()
    lease = json.dumps({"store": store, "process": "p", "name": "l", "schema": 1, "view": view})
    key = _hmac(secret.partition("=")[2].encode(), b"muster seal 1\nlease\nmuster")
    return f"{_hmac(key, lease.encode()).hex()}\n{lease}"


def remove(cluster: Cluster, node: str) -> None:
    """Remove the lease."""
    cluster.redis("ZREM", NODES, node)
    cluster.redis("DEL", LEASE + node)


def flap(cluster: Cluster, times: int, seconds: float = 1) -> None:
    """Have a node be there for so many seconds and away for as many, so many times."""
    for _ in range(times):
        publish(cluster, "flapping", "127.0.0.9:9")
        time.sleep(seconds)
        remove(cluster, "flapping")
        time.sleep(seconds)


def schema(cluster: Cluster) -> int:
    """Return the schema of the store."""
    return int(cluster.redis("HGET", STORE, "schema"))


def set_schema(cluster: Cluster, schema: int) -> None:
    """Set the schema of the store, as a replica that became the master may have another one."""
    cluster.redis("HSET", STORE, "schema", str(schema))


def terminal_lines(cluster: Cluster) -> str:
    """Return what partition 0 has of its terminals."""
    return cluster.redis("HVALS", f"{PARTITION}:terminals")


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()
