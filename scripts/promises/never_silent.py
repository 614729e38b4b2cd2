"""P1 Never silent. A terminal gets each message meant for it, or a `gap` that says what is missing.

A node is killed under broadcasts: who hung on it finds what it missed on the other nodes. Terminals stay away for longer than the log
reaches back, and the store is emptied: each is told. Nobody misses anything that it is not told of.
"""

import threading, time
from trial import *

given = arguments(terminals=(50, 500), seconds=(8, 30), rate=(40, 50), log=(300, 2000))
cluster = begin(given, node_flags=f"--log {given.log}")
agents = Agents(cluster, given.terminals, "--first", "2s", url=cluster.url(1, 2)).online()
sent = []


def broadcast(seconds, rate):
    end, due = time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < end:
        due += 1 / rate
        time.sleep(max(0, due - time.monotonic()))
        sent.append(cluster.post({"target": {"all": True}, "name": "tick", "payload": len(sent)}, at=cluster.node(3))["id"])


def exact(agents):
    return sum(ran == sent for ran in agents.runs().values())


ticking = threading.Thread(target=broadcast, args=(given.seconds, given.rate))
ticking.start()
time.sleep(given.seconds / 4)
cluster.kill("node1")
ticking.join()
until("everyone has run the last", lambda: agents.have_run(sent[-1]))
moved = {line["terminal"] for line in agents.lines("offline")}
check(f"{len(sent)} broadcasts at {given.rate}/s, {len(moved)} of {given.terminals} terminals cut off and back on another node: nothing missed, doubled or swapped", exact(agents) == given.terminals and moved, f"{exact(agents)} exact")

# Longer than the log: one that was away gets what the log still has, and is told of the rest.
late = Agents(cluster, 10, prefix="late-", url=cluster.url(2), memory=True).online(cluster.node(3))
first = cluster.post({"target": {"all": True}, "name": "tick"}, at=cluster.node(3))["id"]
sent.append(first)
until("all have run it", lambda: late.have_run(first) and agents.have_run(first))
late.end()
missed = given.log + 100
for number in range(missed):
    sent.append(cluster.post({"target": {"all": True}, "name": "tick", "expires_in": "10m"}, at=cluster.node(3))["id"])
late = Agents(cluster, 10, prefix="late-", name="late-again", url=cluster.url(2), memory=True)
until("those who were away have run the last", lambda: late.have_run(sent[-1]))
told = [line["terminal"] for line in late.lines("gap")]
check(f"{missed} broadcasts later, with {given.log} in the log, each of 10 is told once of a gap", sorted(told) == sorted(late.runs()), len(told))
tails = [ran == sent[len(sent) - len(ran) :] and given.log - 1 <= len(ran) < missed for ran in late.runs().values()]
check("and has run what the log still had, in order", all(tails), [len(ran) for ran in late.runs().values()])
until("those who stayed have run the last", lambda: agents.have_run(sent[-1]))
check("who stayed has missed nothing, and is told of nothing", exact(agents) == given.terminals and not agents.lines("gap"))

# A store that was lost takes along what was not delivered, and nobody knows what that was: so everyone is told.
cluster.redis("FLUSHALL")
told = lambda: {line["terminal"] for line in agents.lines("gap") if "store" in line["reason"]}
until("everyone is told of the gap", lambda: len(told()) == given.terminals)
check("after FLUSHALL everyone is told of a gap", len(told()) == given.terminals, len(told()))
until("everyone is registered again", lambda: cluster.online(cluster.node(3)) == given.terminals + 10)
sent.append(cluster.post({"target": {"all": True}, "name": "tick"}, at=cluster.node(3))["id"])
until("everyone has run the next", lambda: agents.have_run(sent[-1]))
check("and nothing was replayed wrongly", exact(agents) == given.terminals, f"{exact(agents)} exact")
finish()
