"""P8 Redis may fail. Sessions stay open, new ones are let in (a terminal held is better than a storm) and heartbeats go on; what can't be stored is refused at once, with 503 and a reason from the API; after its return, registry, ownership, subscriptions and missed messages are whole within 5 s.

Redis hangs (SIGSTOP), and is killed, each for a while, under load. A judge holds what was accepted against what was run.
"""

import time
from trial import *

given = arguments(terminals=(150, 2000), seconds=(10, 60), commands=(900, 9000), pace=(60, 60))
cluster = begin(given, durable=True)
agents = Agents(cluster, given.terminals, url=cluster.url(1, 2, 3)).online()
first = cluster.id(1)
near = next(row["id"] for row in cluster.pages("/v1/terminals", "terminals") if row["node"] == first)
load = Load(cluster, agents, given.seed, given.commands, given.pace)
load.reach(0.1)
besides = set()


def away(how, newcomer):
    """What holds while Redis is away."""
    at, began = cluster.node(1), time.monotonic()
    until(f"{how}: /readyz says why", lambda: cluster.ask("GET", "/readyz", at=at)[0] == 503)
    asked = time.monotonic()
    status, problem = cluster.ask("POST", "/v1/commands", {"target": {"all": True}, "name": "x"}, at=at)
    check(f"{how}: a command is refused with 503 and a reason", status == 503 and problem["detail"], problem["detail"] if status == 503 else problem)
    timed(f"{how}: it is refused", time.monotonic() - asked, 0.5)
    body = {"target": {"terminal": near}, "name": "now", "payload": how, "confirm": "none"}
    # Once the node knows: before, it may have asked Redis, and can't say.
    status, answer = until(f"{how}: what needs no confirmation is taken", lambda: (asked := cluster.ask("POST", "/v1/commands", body, at=at))[0] == 202 and asked)
    check(f"{how}: what needs no confirmation goes to a terminal of the asked node, and the answer says that it is not stored", answer.get("stored") is False, answer)
    besides.add(answer["id"])
    until("it has run it", lambda: any(line["payload"] == how for line in agents.lines("run")))
    new = Agents(cluster, 1, prefix=newcomer, url=cluster.url(2))
    until(f"{how}: a new terminal is let in", lambda: new.lines("online"))
    time.sleep(max(0, began + given.seconds - time.monotonic()))
    gone = agents.lines("offline")
    check(f"{how} for {time.monotonic() - began:.0f} s under load: nobody was disconnected", not gone, len(gone))
    return new


def back(how, news):
    began = time.monotonic()
    everyone, newest = given.terminals + len(news), news[-1].prefix
    until(f"{how}: the registry has {everyone} on the line", lambda: cluster.online(cluster.node(1)) == everyone)
    id = cluster.insist({"target": {"all": True}, "name": "x"}, f"{given.seed}-{newest}", at=cluster.node(1))
    besides.add(id)
    until("everyone has run the next", lambda: all(some.have_run(id) for some in [agents, *news]))
    timed(f"{how}: all is whole", time.monotonic() - began, 5)


cluster.stop("redis")
new = away("it hangs", "first-")
cluster.cont("redis")
back("it goes on", [new])
cluster.kill("redis")
other = away("it is killed", "second-")
cluster.start("redis")
back("it is started", [new, other])
check("nobody was disconnected in all this", not agents.lines("offline"), len(agents.lines("offline")))
check(f"{load.commands} commands meanwhile", *load.judged(besides))
timed("the longest that an operator had to ask until it was accepted", load.slowest, given.seconds + 10)
finish()
