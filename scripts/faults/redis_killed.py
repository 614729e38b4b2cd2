"""F4 Redis is killed with SIGKILL and started again, with its file synced always and every second.

No terminal is disconnected and nothing that was accepted is lost. A kill takes the process and not the machine: what Redis has written
to its file the kernel still has, also if it was not synced. (A machine that fails takes up to a second of it, with everysec.)
"""

import time
from trial import *

given = arguments(terminals=(100, 2000), commands=(500, 4000), pace=(80, 100), away=(2, 5))
cluster = begin(given)
agents = Agents(cluster, given.terminals, url=cluster.url(1, 2, 3)).online()
for number, policy in enumerate(["always", "everysec"]):
    cluster.redis("CONFIG", "SET", "appendfsync", policy)
    load = Load(cluster, agents, given.seed + number, given.commands, given.pace)
    load.reach(0.3)
    cluster.kill("redis")
    time.sleep(given.away)
    asked = time.monotonic()
    status, _ = cluster.ask("POST", "/v1/commands", {"target": {"all": True}, "name": "x"}, at=cluster.node(1))
    check(f"appendfsync {policy}: meanwhile a command is refused", status == 503, status)
    timed("it is refused", time.monotonic() - asked, 2)
    cluster.start("redis")
    began = time.monotonic()
    until("all nodes hear again", lambda: all(cluster.ready(cluster.node(n)) for n in (1, 2, 3)))
    timed("all nodes hear again", time.monotonic() - began, 2)
    check(f"appendfsync {policy}: {load.commands} commands", *load.judged())
check("nobody was disconnected", not agents.lines("offline"), len(agents.lines("offline")))
finish()
