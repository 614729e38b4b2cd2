"""F9 Nginx is killed with SIGKILL, with every terminal's connection; the sidecar starts it again.

All terminals come back and get what they missed, once and in order, and the nodes take no more handshakes a second than they say.
"""

import collections
from trial import *

given = arguments(terminals=(300, 5000), commands=(500, 3000), pace=(60, 100), rate=(100, 500))
cluster = begin(given, node_flags=f"--handshakes {given.rate}")
agents = Agents(cluster, given.terminals, "--first", "2s").online()
load = Load(cluster, agents, given.seed, given.commands, given.pace)
load.reach(0.3)
cluster.kill("nginx")
until("they have noticed", lambda: len({line["terminal"] for line in agents.lines("offline")}) == given.terminals)
until("all are back", lambda: len(agents.connected()) == given.terminals, 120)
first = {}
for line in reversed(agents.lines("offline")):
    first[line["terminal"]] = line["at"]
last = {line["terminal"]: line["at"] for line in agents.lines("online")}
back = sorted((last[terminal] - first[terminal]) / 1000 for terminal in first)
check(f"all {given.terminals} are back", len(back) == given.terminals)
timed("95 % of them were ready again", back[len(back) * 95 // 100], 5)
seconds = collections.Counter((line["node"], line["at"] // 1000) for line in agents.lines("online"))
# A second's budget may be there at once, and a second here is not a second there.
check(f"no node took more than its {given.rate} a second, twice that where two meet", max(seconds.values()) <= 2 * given.rate, max(seconds.values()))
check(f"{given.commands} commands meanwhile", *load.judged())
finish()
