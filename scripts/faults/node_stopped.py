"""F3 A node is stopped with SIGSTOP for longer than its lease, and goes on (P4 has what it must not do then).

Its terminals notice by its pings and go elsewhere; when it wakes up nothing is run twice or in another order.
"""

import time
from trial import *

given = arguments(terminals=(90, 900), commands=(700, 3000), pace=(50, 100), seconds=(9, 10))
PING = 1
cluster = begin(given, node_flags=f"--ping {PING}s")
agents = Agents(cluster, given.terminals, "--first", "500ms", url=cluster.url(1, 2, 3)).online()
held = {line["terminal"] for line in agents.lines("online") if line["node"] == cluster.id(1)}
load = Load(cluster, agents, given.seed, given.commands, given.pace, at=cluster.node(2))
load.reach(0.1)
cluster.stop("node1")
began = time.monotonic()
until("its terminals have noticed", lambda: {line["terminal"] for line in agents.lines("offline")} >= held)
timed("until its terminals had noticed, with a ping each second", time.monotonic() - began, 3 * PING + 1)
until("all are back", lambda: len(agents.connected()) == given.terminals)
check("those of the other nodes were not disconnected", {line["terminal"] for line in agents.lines("offline")} == held, len(held))
time.sleep(max(0, began + given.seconds - time.monotonic()))
cluster.cont("node1")
until("it is ready again", lambda: cluster.ready(cluster.node(1)))
check(f"{given.commands} commands meanwhile", *load.judged())
finish()
