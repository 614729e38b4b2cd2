"""P9 Presence is exact. After `kill -9` of a node no ghost remains past lease + 1 s, and one that moved is never shown offline.

A node is killed that holds terminals which can move and terminals which can't, as they are frozen. The registry, which asks no other
node, answers while one hangs.
"""

import collections, time
from trial import *

given = arguments(terminals=(150, 1500))
LEASE = 6
cluster = begin(given)
movers = Agents(cluster, given.terminals, "--label", "kind=mover", "--first", "1s", prefix="mover-").online()
frozen = Agents(cluster, given.terminals, prefix="frozen-").online()
dead = cluster.id(2)
listed = lambda path: cluster.pages(f"/v1/terminals?{path}", "terminals", cluster.node(1))
of_dead = {row["id"] for row in listed("") if row["node"] == dead}
events = Events(cluster, cluster.node(1))
# These can't move: they are to be found lost, and the others are not.
frozen.freeze()
cluster.kill("node2")
began = time.monotonic()
until("no terminal is shown on the dead node", lambda: not [row for row in listed("") if row["node"] == dead], 30)
check(f"no ghost of {len(of_dead)} sessions remains", len(of_dead) > 0)
timed("lease + 1 s: until the last was gone", time.monotonic() - began, LEASE + 1)
until("the movers are back", lambda: len(listed("prefix=mover-&status=online")) == given.terminals)
known = {row["id"] for row in listed("prefix=mover-&status=online")}
check("those movers are shown online that say so themselves", known == movers.connected(), len(known))
time.sleep(1)
lost = collections.Counter(row["terminal"] for row in events.of("terminal.offline") if row["reason"] == "node_lost")
stuck = {id for id in of_dead if id.startswith("frozen-")}
check("each that could not move is offline(node_lost) once", {id: n for id, n in lost.items() if id in stuck} == dict.fromkeys(stuck, 1), len(stuck))
moved = [row for row in events.of("terminal.offline") if row["terminal"].startswith("mover-")]
check("none that moved was shown offline", not moved, [(row["terminal"], row["reason"]) for row in moved])

cluster.stop("node3")
times = []
for _ in range(21):
    asked = time.monotonic()
    page = cluster.get("/v1/terminals?selector=kind=mover&status=online&limit=100", cluster.node(1))["terminals"]
    times.append(time.monotonic() - asked)
    assert len(page) == 100, len(page)
cluster.cont("node3")
check("while another node hangs, the registry answers 21 of 21 times with a page of 100 terminals, by their label", len(times) == 21)
timed("in the middle of them", sorted(times)[10], 0.05)
finish()
