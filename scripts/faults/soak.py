"""F17 The soak: commands under way for long, while one fault of F1 to F13 after the other strikes, drawn by the seed.

Nothing that was accepted is lost, doubled, swapped or run by the wrong terminal, no terminal is told of a gap, and all of them arrive at
the same last command.
"""

import time
from trial import *
from trial.faults import Faults

given = arguments(terminals=(150, 1000), commands=(1500, 10000), pace=(30, 13), faults=(14, 20), lasting=(2, 12))
cluster = begin(given, node_flags="--ping 1s", durable=True, lines=True)
way = Line(cluster.proxy)
agents = Agents(cluster, given.terminals, "--first", "1s", url=way.url).online()
load = Load(cluster, agents, given.seed, given.commands, given.pace)
faults = Faults(cluster, way, given.seed, given.lasting)
for number in range(given.faults):
    load.reach((number + 0.5) / given.faults)
    began = time.monotonic()
    print(f"      {load.done():5} accepted: {faults.strike()} ({time.monotonic() - began:.1f} s)", flush=True)
check(f"{load.commands} commands to {given.terminals} terminals under {given.faults} faults", *load.judged())
# Each was asked for until it was accepted, with its key: so none is left of which nobody knows.
last = cluster.insist({"target": {"all": True}, "name": "last"}, f"{given.seed}-last")
until("everyone has run the last", lambda: agents.have_run(last))
final = [ran[-1] for ran in agents.runs().values()]
check("all terminals arrive at the same last command", set(final) == {last}, len(final))
check("nobody was told of a gap", not agents.lines("gap"), len(agents.lines("gap")))
finish()
