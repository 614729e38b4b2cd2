"""F11 The lines of some terminals become black holes: nothing comes through, and nobody is told.

The node notices by its pings and frees what they held; when the lines are good again, they are back and have what they missed.
"""

import time
from trial import *

given = arguments(lost=(50, 200), others=(50, 200), seconds=(6, 60), commands=(500, 6000), pace=(60, 100))
PING = 1
cluster = begin(given, nodes=1, node_flags=f"--ping {PING}s")
others = Agents(cluster, given.others, prefix="other-", url=cluster.url(1)).online()
files, memory = cluster.files("node1"), cluster.memory("node1")
way = Line(cluster.node(1))
lost = Agents(cluster, given.lost, "--first", "1s", prefix="lost-", url=way.url).online()
load = Load(cluster, lost, given.seed, given.commands, given.pace)
load.reach(0.2)
way.hole()
began = time.monotonic()
freed = lambda: cluster.metric('muster_sessions_ended_total{end="no_heartbeat"}', cluster.node(1)) >= given.lost
until("the node has noticed", freed)
timed("until the node has freed them, with a ping each second", time.monotonic() - began, 2.5 * PING)
until("its open files are what they were, and 5 %", lambda: cluster.files("node1") <= files * 1.05 + 2)
check("its open files are what they were without them", True, f"{cluster.files('node1')} and {files}")
time.sleep(max(0, began + given.seconds - time.monotonic()))
if given.full:
    check("and its memory, within 5 %", cluster.memory("node1") <= memory * 1.05 + (1 << 20), f"{cluster.memory('node1') >> 10} and {memory >> 10} KiB")
check("the others were not disconnected", not others.lines("offline"))
way.heal()
way.reset()
until("all are back", lambda: len(lost.connected()) == given.lost)
check(f"{given.commands} commands meanwhile", *load.judged())
finish()
