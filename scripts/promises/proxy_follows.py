"""P10 The proxy follows. Nodes join, drain and die with no open connection cut by Nginx and no handshake failed.

With terminals on the line and handshakes coming, Nginx is reloaded, a fourth node joins, one is drained and one is killed. Nobody loses
a connection but those who hung on the one that was killed; and the file follows. scripts/proxy/all tries each of it alone, and more.
"""

import time
from trial import *

given = arguments(terminals=(200, 2000), rate=(40, 200), seconds=(2, 10))
cluster = begin(given, node_flags="--drain 3s", sidecar_flags="--quiet 500ms --quiet-urgent 500ms --reload-every 500ms")
agents = Agents(cluster, given.terminals).online()
knock = Knock(cluster, given.rate)
closed = lambda: agents.lines("offline")


def passed(what):
    """Nothing has happened to anyone."""
    time.sleep(given.seconds)
    check(f"{what}: no connection was cut, and no handshake failed", not closed() and not knock.failed(), f"{len(closed())} cut, failed: {knock.failed()}")


cluster.reload()
passed("Nginx is reloaded")
cluster.start("node4")
until("it is in the file", lambda: cluster.node(4) in cluster.upstream())
passed("a fourth node joins")

address, drained = cluster.node(1), cluster.id(1, cluster.node(2))
cluster.ask("POST", f"/v1/nodes/{drained}/drain", at=cluster.node(2))
until("it has ended", lambda: not cluster.runs("node1"))
until("it is out of the file", lambda: address not in cluster.upstream())
check("a node is drained: its terminals are sent away with 1012, and no handshake failed", closed() and all(" 1012 " in line["end"] for line in closed()) and not knock.failed(), f"{len(closed())} sent away, failed: {knock.failed()}")
until("all are back", lambda: len(agents.connected()) == given.terminals)
before = len(closed())

address, dead = cluster.node(2), cluster.id(2, cluster.node(3))
last = {line["terminal"]: line["node"] for line in agents.lines("online")}
killed_at = time.time()
cluster.kill("node2")
until("it is out of the file", lambda: address not in cluster.upstream())
timed("a node is killed: it is out of the file", time.time() - killed_at, 10)
until("all are back", lambda: len(agents.connected()) == given.terminals)
time.sleep(given.seconds)
cut = {line["terminal"] for line in closed()[before:]}
theirs = {terminal for terminal, node in last.items() if node == dead}
check("only those who hung on it were cut off", cut and cut <= theirs, f"{len(cut)} of {len(theirs)}")
# One that was with the node when it died, died with it, as its sessions did.
knocks = knock.knocked()
failed = knock.failed(since=killed_at)
check(f"of {knocks} handshakes in all none failed that was begun after it", knocks > given.rate and not failed, failed)
finish()
