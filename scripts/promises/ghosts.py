"""Presence is exact (P9): after kill -9 of a node no ghost remains, and one that moved is never shown offline
"""

import collections
import signal as signals
from lib.cluster import *

given = arguments(terminals=(150, 1500))
LEASE = 6
movers = Agents(given.terminals, "--prefix", "mover-", "--first", "1s").online()
frozen = Agents(given.terminals, "--prefix", "frozen-", name="frozen").online(2 * given.terminals)
dead = next(row["id"] for row in get("/v1/nodes")["nodes"] if row["address"] == node(2))
held = lambda: [row["id"] for row in pages("/v1/terminals", "terminals", node(1)) if row["node"] == dead]
of_dead = set(held())
events = Events()
# These can't move: they are to be found lost, and the others are not.
frozen.process.send_signal(signals.SIGSTOP)
do("kill", "node2")
began = time.monotonic()
until("no terminal is shown on the dead node", lambda: not held(), 20)
took = time.monotonic() - began
check(f"no ghost of {len(of_dead)} sessions later than lease + 1 s ({LEASE + 1} s)", took < LEASE + 1, f"{took:.1f} s")
until("the movers are back", lambda: len(pages("/v1/terminals?prefix=mover-&status=online", "terminals", node(1))) == given.terminals, 20)
online = {line["terminal"]: line["what"] for line in movers.lines() if line["what"] in ("online", "offline")}
known = {row["id"] for row in pages("/v1/terminals?prefix=mover-&status=online", "terminals", node(1))}
check("those movers are shown online that say so themselves", known == {id for id, what in online.items() if what == "online"}, len(known))
time.sleep(1)
lost = collections.Counter(row["terminal"] for row in events.of("terminal.offline") if row["reason"] == "node_lost")
stuck = {id for id in of_dead if id.startswith("frozen-")}
check("each that could not move is offline(node_lost) once", {id: n for id, n in lost.items() if id in stuck} == dict.fromkeys(stuck, 1), len(stuck))
moved = [row for row in events.of("terminal.offline") if row["terminal"].startswith("mover-")]
check("none that moved was shown offline", not moved, [(row["terminal"], row["reason"]) for row in moved])
finish(given)
