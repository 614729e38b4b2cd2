"""F6 The nodes' subscriptions are cut (CLIENT KILL TYPE pubsub), again and again, under load.

What a node did not hear it takes from the log: nothing is lost, doubled or swapped, and nobody is disconnected.
"""

import random, time
from trial import *

given = arguments(terminals=(100, 1000), commands=(800, 6000), pace=(100, 100), cuts=(8, 20))
cluster = begin(given)
agents = Agents(cluster, given.terminals).online()
load = Load(cluster, agents, given.seed, given.commands, given.pace)
chance, cut = random.Random(given.seed), 0
for share in sorted(chance.uniform(0.05, 0.95) for _ in range(given.cuts)):
    load.reach(share)
    cut += int(cluster.redis("CLIENT", "KILL", "TYPE", "pubsub"))
check(f"subscriptions were cut, in {given.cuts} strikes", cut >= given.cuts, cut)
check(f"{given.commands} commands meanwhile", *load.judged())
check("nobody was disconnected", not agents.lines("offline"), len(agents.lines("offline")))
finish()
