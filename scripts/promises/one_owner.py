"""P4 One owner. One live session per terminal id in the cluster; the newer wins; a node that was stopped and wakes up delivers nothing.

A node is stopped with SIGSTOP for longer than its lease; its terminals connect once more elsewhere, and keep the old connections to
hear what it does when it wakes up. Two clients with one id race to two nodes, again and again with new ids; and two with one id come
back for ever.
"""

import collections, threading, time
from trial import *
from trial.bare import Refused, Terminal

given = arguments(terminals=(60, 600), seconds=(9, 15), races=(100, 1000))
# Without pings that would end sessions before anything else does: the lease alone is to hold the node back.
cluster = begin(given, node_flags="--ping 60s")

class Socket(threading.Thread):
    """A plain client, which obeys no close code: what it hears is what the node does. It answers pings."""

    def __init__(self, terminal, number):
        super().__init__(daemon=True)
        self.terminal, self.number, self.heard, self.left = terminal, number, [], False
        self.start()

    def run(self):
        terminal = Terminal(cluster, cluster.node(self.number), self.terminal)
        while not self.left and 0 not in self.heard:
            heard = terminal.receive(0.2)
            if heard is not None:
                self.heard.append(heard)
        terminal.close()


# The zombie. Its terminals connect once more elsewhere, and keep the old connections too.
agents = Agents(cluster, given.terminals, url=cluster.url(2, 3)).online()
patient = [f"patient-{number}" for number in range(20)]
old = [Socket(id, 1) for id in patient]
until("the patient are on the line", lambda: cluster.online(cluster.node(2)) == given.terminals + len(patient))
sent = []


def tick():
    body = {"target": {"all": True}, "name": "tick", "payload": f"tick {len(sent)}", "expires_in": "5m"}
    sent.append(cluster.post(body, at=cluster.node(2))["id"])
    time.sleep(0.1)


tick()
until("everyone has the first", lambda: agents.have_run(sent[0]) and all(socket.heard for socket in old))
delivered = lambda: cluster.metric("muster_delivered_total", cluster.node(1))
before = delivered()
cluster.stop("node1")
began = time.monotonic()
while time.monotonic() - began < given.seconds:
    tick()
new = [Socket(id, 2) for id in patient]
rows = lambda: cluster.get("/v1/nodes", cluster.node(2))["nodes"]
until("all are elsewhere", lambda: sum(row["sessions"] for row in rows() if row["address"] != cluster.node(1)) == given.terminals + len(patient))
for _ in range(10):
    tick()
cluster.cont("node1")
until("it is ready again", lambda: cluster.ready(cluster.node(1)))
for _ in range(20):
    tick()
until("everyone has run the last", lambda: agents.have_run(sent[-1]) and all(f"tick {len(sent) - 1}" in socket.heard for socket in new))
late = [heard for socket in old for heard in socket.heard[1:] if isinstance(heard, str)]
check(f"a node stopped for {given.seconds} s, longer than its lease, delivered nothing when it woke", delivered() == before and not late, f"{delivered() - before} by its own count, {len(late)} to {len(old)} terminals that had kept their connections")
until("the old connections are closed", lambda: all(isinstance(socket.heard[-1], int) for socket in old))
runs = collections.Counter((line["terminal"], line["command"]) for line in agents.lines("run") if line["command"] in sent)
check(f"{len(sent)} broadcasts meanwhile: each run once by each of {given.terminals}", len(runs) == given.terminals * len(sent) and set(runs.values()) == {1})
for socket in old + new:
    socket.left = True
agents.end()


def race(ids):
    """Two for each id, to two nodes at once: how many ended as they should."""
    racers = {id: [Socket(id, number) for number in (2, 3)] for id in ids}
    lost = lambda id: [racer for racer in racers[id] if 4509 in racer.heard]
    won = lambda id: [racer for racer in racers[id] if 4509 not in racer.heard]
    until("all races are decided", lambda: all(len(lost(id)) == 1 for id in ids))
    rows = cluster.pages("/v1/terminals?prefix=race-&status=online", "terminals", cluster.node(2))
    owner = {row["id"]: row["node"] for row in rows}
    cluster.post({"target": {"terminals": ids}, "name": "who", "payload": "yours"}, at=cluster.node(2))
    until("the owners have heard", lambda: all(any("yours" in racer.heard for racer in racers[id]) for id in ids))
    time.sleep(0.1)
    good = sum(lost(id)[0].heard[0] == 4509 and won(id)[0].heard == ["yours"] and owner[id] == nodes[won(id)[0].number] for id in ids)
    for racer in sum(racers.values(), []):
        racer.left = True
    return good


nodes = {number: cluster.id(number, cluster.node(2)) for number in (2, 3)}
good = sum(race([f"race-{number}" for number in range(first, first + 20)]) for first in range(0, given.races, 20))
check(f"{given.races} races of two with one id to two nodes: one is closed with 4509, the other gets what comes, and the registry names its node", good == given.races, good)

# Two that use one id and come back without end, as other people's clients do.
stop = time.monotonic() + given.seconds
joins = [0]


def come_back(number):
    while time.monotonic() < stop:
        try:
            twin = Terminal(cluster, cluster.node(number), "twin")
        except Refused:
            continue
        joins[0] += 1
        twin.receive(stop - time.monotonic())
        twin.close()


events = Events(cluster, cluster.node(2))
twins = [threading.Thread(target=come_back, args=(number,)) for number in (2, 3)]
for twin in twins:
    twin.start()
for twin in twins:
    twin.join()
check("two clients with one id are slowed down", joins[0] < 5 * given.seconds, f"{joins[0]} sessions in {given.seconds} s")
check("and an event tells of them", len(events.of("terminal.contested")) >= 1)
finish()
