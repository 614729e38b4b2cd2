"""P7 Bounded. Over a limit: 429 with Retry-After before the upgrade. To a handshake, 503 means draining and nothing else, so that Nginx may retry elsewhere.

Ten times as many handshakes as a node takes; then more sessions than it takes. Who is connected notices nothing. What waits for one
terminal, and what is kept in all, have bounds too; and what Redis carries for the nodes does not grow with the terminals.
"""

import collections, time
from concurrent.futures import ThreadPoolExecutor
from trial import *
from trial.bare import Refused, Terminal

given = arguments(terminals=(100, 500), storm=(500, 5000), rate=(50, 200), backlog=(30, 1000))
room = given.terminals + given.storm // 5
cluster = begin(given, nodes=2, node_flags=f"--handshakes {given.rate} --max-sessions {room} --backlog {given.backlog} --max-targets 20000 --ping 60s")
channels = lambda: len(cluster.redis("PUBSUB", "SHARDCHANNELS").split())
connections = lambda: sum(" cmd=client" not in line for line in cluster.redis("CLIENT", "LIST").splitlines())
before = channels(), connections()
agents = Agents(cluster, given.terminals, url=cluster.url(1)).online(cluster.node(2))
# They too were let in as fast as the node takes them.
turned_away = len(agents.lines("offline"))
AT_ONCE = 64
storm, inside = ThreadPoolExecutor(AT_ONCE), []


def knock(number):
    try:
        inside.append(Terminal(cluster, cluster.node(1), f"storm-{number}"))
        return 101, None
    except Refused as refused:
        return refused.status, refused.headers.get("retry-after")


def wave():
    """All at once: how many had which answer, and the hints."""
    began = time.monotonic()
    answers = list(storm.map(knock, range(len(inside), len(inside) + given.storm)))
    return collections.Counter(status for status, _ in answers), [hint for status, hint in answers if status == 429], time.monotonic() - began


statuses, hints, took = wave()
# A second's budget is there at once, and more is earned while they come.
budget = given.rate * (took + 2)
check(f"{given.storm} handshakes at once, and a node takes {given.rate} a second: those beyond are refused with 429 and nothing else", set(statuses) == {101, 429} and statuses[101] <= budget, dict(statuses))
check("each is told when to come back", all(hint and int(hint) >= 1 for hint in hints), len(hints))
check("and not all at the same time", len(set(hints)) > 1, f"in {min(map(int, hints))} to {max(map(int, hints))} s")
memory = cluster.memory("node1")
held = lambda: cluster.metric("muster_sessions", cluster.node(1))


def is_full():
    wave()
    return held() >= room


until("it has as many sessions as it takes", is_full, 120)
statuses, hints, _ = wave()
# Those that were being let in together are not yet counted.
check(f"with {room} sessions, as many as it takes, the next {given.storm} are refused with 429", room <= held() < room + AT_ONCE and set(statuses) == {429}, (held(), dict(statuses)))
check("and told to come back in 5 to 30 s", all(5 <= int(hint) <= 30 for hint in hints), f"{min(map(int, hints))} to {max(map(int, hints))} s")
other = Terminal(cluster, cluster.node(2), "elsewhere")
check("the other node takes the next", True)
grown = cluster.memory("node1") - memory
per_session = 64 << 10
check("its memory grew with the sessions that it took, not with those that it refused", grown < (room * per_session) + (4 << 20), f"{grown >> 10} KiB")
tick = cluster.post({"target": {"all": True}, "name": "tick"}, at=cluster.node(2))["id"]
until("those who were connected have run the next", lambda: agents.have_run(tick))
check("nobody who was connected was disconnected", len(agents.lines("offline")) == turned_away, len(agents.lines("offline")) - turned_away)
check("what Redis carries for the nodes is what it was without terminals", (channels(), connections()) <= before, f"{channels()} channels, {connections()} connections")

for terminal in inside + [other]:
    terminal.close()
until("they are offline", lambda: cluster.get("/v1/terminals/elsewhere")["status"] == "offline")
body = {"target": {"terminal": "elsewhere"}, "name": "wait", "expires_in": "1h"}
answers = [cluster.ask("POST", "/v1/commands", body) for _ in range(given.backlog + 5)]
taken = collections.Counter(status for status, _ in answers)
check(f"of {len(answers)} commands for a terminal that is away {given.backlog} wait, and the others are refused with 409 and a reason", taken == {202: given.backlog, 409: 5} and answers[-1][1]["detail"], dict(taken))
everyone = {"target": {"all": True}, "name": "tick", "expires_in": "1h"}
fits = 20000 // len(cluster.pages("/v1/terminals", "terminals")) + 1
answers = [cluster.ask("POST", "/v1/commands", everyone) for _ in range(fits)]
check("with as many targets kept as there is room for, the next command is refused with 503 and a reason", answers[-1][0] == 503 and answers[0][0] == 202, answers[-1][1]["detail"] if answers[-1][0] == 503 else answers[-1])
finish()
