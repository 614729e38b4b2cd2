"""F4 Redis is killed with SIGKILL and started again, with its file synced always and every second.

No terminal is disconnected. With `always` nothing that was accepted is lost. With `everysec` Redis may put a write off for up to 2 s
while the disk is busy, and a kill takes what was put off: what it took is told, and most often it is nothing.
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
    clean, counts = load.judged(patience=60 if policy == "always" else 5)
    if policy == "always":
        check(f"appendfsync always: {load.commands} commands", clean, counts)
    else:
        print(f"      appendfsync everysec: {load.commands} commands: {counts}", flush=True)
check("nobody was disconnected", not agents.lines("offline"), len(agents.lines("offline")))
finish()
