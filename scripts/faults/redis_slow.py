"""F7 Redis hangs for 5 s; then each of its answers is 200 ms late, more or less by 100 ms.

No node ends, what has piled up goes out, in order, and nobody is disconnected.
"""

import time
from trial import *

given = arguments(terminals=(100, 1000), commands=(500, 3000), pace=(60, 100), hangs=(5, 5), slow=(5, 20))
cluster = begin(given, lines=True)
agents = Agents(cluster, given.terminals, url=cluster.url(1, 2, 3)).online()
load = Load(cluster, agents, given.seed, given.commands, given.pace)
load.reach(0.2)
cluster.stop("redis")
time.sleep(given.hangs)
cluster.cont("redis")
load.reach(0.4)
for line in cluster.lines.values():
    line.delay(200, 100)
time.sleep(given.slow)
slow_at, began = load.done(), time.monotonic()
late = cluster.post({"target": {"all": True}, "name": "late"})["id"]
until("everyone has run what was posted meanwhile", lambda: agents.have_run(late))
check("with an answer that is 200 ms late, commands go on", load.done() >= slow_at, f"one to all took {time.monotonic() - began:.1f} s")
for line in cluster.lines.values():
    line.heal()
check("all nodes are there and ready", until("all nodes are ready", lambda: all(cluster.runs(f"node{n}") and cluster.ready(cluster.node(n)) for n in (1, 2, 3))))
check("nobody was disconnected", not agents.lines("offline"), len(agents.lines("offline")))
check(f"{given.commands} commands meanwhile", *load.judged({late}))
finish()
