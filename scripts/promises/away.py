"""A terminal that was away gets what it missed, in order, on another node (P1, P3); after a lost store everyone is told
"""

import threading
from lib.cluster import *

given = arguments(terminals=(50, 500), seconds=(8, 30), rate=(50, 50))
urls = ",".join(f"ws://{node(n)}/ws" for n in (1, 2))
agents = Agents(given.terminals, "--first", "2s", url=urls).online()
sent = []


def broadcast():
    end, due = time.monotonic() + given.seconds, time.monotonic()
    while time.monotonic() < end:
        due += 1 / given.rate
        time.sleep(max(0, due - time.monotonic()))
        sent.append(post({"target": {"all": True}, "name": "tick", "payload": len(sent)}, at=node(3))["id"])


ticking = threading.Thread(target=broadcast)
ticking.start()
time.sleep(given.seconds / 4)
do("kill", "node1")
ticking.join()


def runs():
    by_terminal = {f"agent-{number}": [] for number in range(given.terminals)}
    for line in agents.lines("run"):
        by_terminal[line["terminal"]].append(line["command"])
    return by_terminal


until("everyone has run the last", lambda: all(ran and ran[-1] == sent[-1] for ran in runs().values()), 20)
moved = {line["terminal"] for line in agents.lines("offline")}
exact = sum(ran == sent for ran in runs().values())
check(f"{len(sent)} broadcasts at {given.rate}/s, {len(moved)} of {given.terminals} terminals cut off and back on another node: no gap, no repeat, in order", exact == given.terminals and moved, f"{exact} exact")

redis("FLUSHALL")
told = lambda: {line["terminal"] for line in agents.lines("gap") if "store" in line["reason"]}
until("everyone is told of the gap", lambda: len(told()) == given.terminals, 20)
check("after FLUSHALL everyone is told of a gap", len(told()) == given.terminals, len(told()))
until("everyone is registered again", lambda: get("/v1/fleet", node(3))["online"] == given.terminals, 20)
last = post({"target": {"all": True}, "name": "tick"}, at=node(3))["id"]
until("everyone has run the next", lambda: all(ran[-1] == last for ran in runs().values()), 20)
exact = sum(ran == sent + [last] for ran in runs().values())
check("and none was replayed wrongly", exact == given.terminals, f"{exact} exact")
finish(given)
