"""F13 A node and Redis are parted: nothing comes through between them, and neither is told.

The node is not ready, and its terminals stay: one that is held is better than a storm. When they are joined again its terminals are
registered, and have what they missed, once and in order.
"""

import time
from trial import *

given = arguments(terminals=(90, 900), commands=(700, 3000), pace=(50, 100), seconds=(10, 10))
cluster = begin(given, lines=True)
agents = Agents(cluster, given.terminals, url=cluster.url(1, 2, 3)).online()
parted = cluster.id(1)
load = Load(cluster, agents, given.seed, given.commands, given.pace, at=cluster.node(2))
load.reach(0.2)
cluster.lines[1].hole()
began = time.monotonic()
until("the node says that it is not ready", lambda: cluster.ask("GET", "/readyz", at=cluster.node(1))[0] == 503)
check("the node says that it is not ready", True, f"after {time.monotonic() - began:.1f} s")
status, problem = cluster.ask("POST", "/v1/commands", {"target": {"all": True}, "name": "x"}, at=cluster.node(1))
check("and refuses a command, with a reason", status == 503 and problem["detail"], problem)
time.sleep(max(0, began + given.seconds - time.monotonic()))
check(f"nobody was disconnected in {given.seconds} s", not agents.lines("offline"), len(agents.lines("offline")))
cluster.lines[1].heal()
until("it is ready again", lambda: cluster.ready(cluster.node(1)))
until("all are registered", lambda: cluster.online(cluster.node(2)) == given.terminals)
check(f"{given.commands} commands meanwhile", *load.judged())
check("nobody was disconnected at all", not agents.lines("offline"), len(agents.lines("offline")))
finish()
