"""F1 A node of three is killed with SIGKILL under load.

Its terminals come back to the others and get what they missed, once and in order; those of the other nodes notice nothing.
"""

from trial import *

given = arguments(terminals=(150, 3000), commands=(600, 6000), pace=(60, 200))
cluster = begin(given)
agents = Agents(cluster, given.terminals, "--first", "2s").online()
load = Load(cluster, agents, given.seed, given.commands, given.pace)
load.reach(0.3)
dead = cluster.id(2)
theirs = {line["terminal"] for line in agents.lines("online") if line["node"] == dead}
cluster.kill("node2")
until("they have noticed", lambda: {line["terminal"] for line in agents.lines("offline")} >= theirs)
until("all are back", lambda: len(agents.connected()) == given.terminals)
cut = [line for line in agents.lines("offline") if line["terminal"] in theirs]
check(f"all {len(theirs)} that hung on it are back", theirs)
check("of the others nobody was disconnected", {line["terminal"] for line in agents.lines("offline")} == theirs)
lost = {line["terminal"]: line["at"] for line in reversed(cut)}
back = sorted((line["at"] - lost[line["terminal"]]) / 1000 for line in agents.lines("online") if line["terminal"] in lost and line["at"] >= lost[line["terminal"]])
timed("95 % of them were ready again", back[len(back) * 95 // 100], 3)
timed("all of them", back[-1], 10)
check(f"{given.commands} commands meanwhile", *load.judged())
finish()
