"""P2 Once. Accepted means stored. Delivery is at least once on the wire, once to the application, and never after `expires_at`.

Commands under way while the nodes' subscriptions are cut and a node and Redis are killed: a judge holds what operators were told
against what terminals ran. What expired while its terminal was away is not run, and said so. Mute and frozen terminals never pass
`sent`: nothing is claimed that nobody confirmed.
"""

import time
from trial import *

given = arguments(terminals=(100, 1000), commands=(800, 10000), cuts=(3, 20), pace=(80, 120), mute=(7, 37), late=(20, 200))
EXPIRES = 2
cluster = begin(given, durable=True)

# Nothing is run late.
late = Agents(cluster, 1, prefix="late-").online()
late.end()
until("it is offline", lambda: cluster.get("/v1/terminals/late-0")["status"] == "offline")
body = {"target": {"terminal": "late-0"}, "name": "late", "expires_in": f"{EXPIRES}s"}
commands = [cluster.post(body)["id"] for _ in range(given.late)]
expired_at = time.monotonic() + EXPIRES

# Nothing is claimed that nobody confirmed.
agents = Agents(cluster, given.terminals, "--mute", str(given.mute), "--results").online()
frozen = Agents(cluster, 1, prefix="frozen-").online()
frozen.freeze()
names = [f"agent-{number}" for number in range(given.terminals)]
work = cluster.post({"target": {"terminals": names}, "name": "work", "confirm": "result", "expires_in": "5s"})["id"]
stuck = cluster.post({"target": {"terminal": "frozen-0"}, "name": "work", "expires_in": "4s"})["id"]
states = set()


def are_done():
    states.add(cluster.pages(f"/v1/commands/{stuck}/targets", "targets")[0]["state"])
    return all(cluster.get(f"/v1/commands/{id}")["state"] == "done" for id in (work, stuck))


until("both commands are done", are_done)
sent = {row["terminal"] for row in cluster.pages(f"/v1/commands/{work}/targets?state=sent", "targets")}
check(f"of {given.terminals} terminals exactly the {given.mute} mute ones are in `sent`", sent == set(names[: given.mute]), len(sent))
counts = cluster.get(f"/v1/commands/{work}")["counts"]
check("all others succeeded", counts.get("succeeded", 0) == given.terminals - given.mute, counts)
check("a terminal stopped with SIGSTOP never passes `sent`", states <= {"queued", "sent"} and "sent" in states, sorted(states))

time.sleep(max(0, expired_at - time.monotonic()))
late = Agents(cluster, 1, prefix="late-", name="late-again").online()
new = cluster.post({"target": {"terminal": "late-0"}, "name": "new"})["id"]
until("it runs what is new", lambda: late.have_run(new))
ran = [id for id in late.runs()["late-0"] if id in commands]
check(f"of {given.late} that expired after {EXPIRES} s, while their terminal was away, none was run", not ran, len(ran))
expired = sum(cluster.get(f"/v1/commands/{id}")["counts"].get("expired", 0) for id in commands)
check("all of them are `expired`", expired == given.late, expired)
for others in (agents, late, frozen):
    others.end()
for row in cluster.pages("/v1/terminals", "terminals"):
    cluster.ask("DELETE", f"/v1/terminals/{row['id']}")

# Accepted is run, once.
until("nobody is left", lambda: not cluster.pages("/v1/terminals", "terminals"))
workers = Agents(cluster, given.terminals, prefix="worker-").online()
load = Load(cluster, workers, given.seed, given.commands, given.pace)
steps = ["cut"] * given.cuts
steps.insert(len(steps) // 3, "node2")
steps.insert(2 * len(steps) // 3 + 1, "redis")
for number, step in enumerate(steps):
    load.reach((number + 1) / (len(steps) + 1))
    if step == "cut":
        cluster.redis("CLIENT", "KILL", "TYPE", "pubsub")
    else:
        cluster.kill(step)
        time.sleep(1)
        cluster.start(step)
    print(f"      {load.done()} accepted: {'subscriptions cut' if step == 'cut' else step + ' killed and started'}", flush=True)
check(f"{given.commands} commands to {given.terminals} terminals under {len(steps)} faults", *load.judged())
finish()
