"""P3 In order, per terminal for its own commands, and for broadcasts; across reconnects and nodes too.

Commands under way while, again and again, 30 % of the terminals' connections are reset: they come back to either of two nodes.
A judge holds the order in which operators posted against the order in which terminals ran.
"""

import time
from trial import *

given = arguments(terminals=(60, 600), commands=(900, 6000), pace=(90, 100), every=(1, 5))
cluster = begin(given, nodes=2)
ways = [Line(cluster.node(number)) for number in (1, 2)]
agents = Agents(cluster, given.terminals, "--first", "1s", url=",".join(way.url for way in ways)).online()
load = Load(cluster, agents, given.seed, given.commands, given.pace)
resets = 0
while load.under_way():
    time.sleep(given.every)
    resets += sum(way.reset(0.3) for way in ways)
clean, counts = load.judged()
back = {}
moved = set()
for line in agents.lines("online"):
    moved |= {line["terminal"]} if back.setdefault(line["terminal"], line["node"]) != line["node"] else set()
check("connections were reset, and terminals changed their node", resets > given.terminals and moved, f"{resets} resets, {len(moved)} of {given.terminals} changed")
check(f"{load.done()} commands meanwhile", clean, counts)
finish()
