"""F15 Redis has no room: no memory (maxmemory), and then no place for its file.

What can't be stored is refused with a reason; whatever was accepted is run; and when there is room again, all goes on.
"""

import resource
from trial import *
from trial.bare import Terminal

given = arguments(terminals=(50, 500), commands=(200, 1000))
cluster = begin(given, processes_only="Redis is told how large its file may be")
agents = Agents(cluster, given.terminals, url=cluster.url(1, 2, 3)).online()
accepted = []


def post(count, size=0):
    """So many commands to all: those that were refused."""
    refused = []
    for number in range(count):
        body = {"target": {"all": True}, "name": "fill", "payload": "x" * size, "expires_in": "1h"}
        status, answer = cluster.ask("POST", "/v1/commands", body, at=cluster.node(1 + number % 3))
        accepted.append(answer["id"]) if status == 202 else refused.append((status, answer))
    return refused


def whole(what):
    """There is room again."""
    until(f"{what}: a command is accepted again", lambda: not post(1))
    until("everyone has run the last", lambda: agents.have_run(accepted[-1]))
    exact = sum(ran == accepted for ran in agents.runs().values())
    check(f"{what}: each of {given.terminals} has run each of {len(accepted)} that were accepted, once and in order, and nothing else", exact == given.terminals, f"{exact} exact")
    check(f"{what}: nobody was disconnected", not agents.lines("offline"), len(agents.lines("offline")))


check("with room nothing is refused", not post(10))
cluster.redis("CONFIG", "SET", "maxmemory", cluster.redis("INFO", "memory").split("used_memory:")[1].split()[0])
refused = post(given.commands, 1000)
check("no memory: commands are refused with 503 and a reason", refused and all(status == 503 and problem["detail"] for status, problem in refused), f"{len(refused)} of {given.commands}, {refused[-1][1]['detail'] if refused else ''}")
acked = lambda: cluster.get(f"/v1/commands/{accepted[-1]}")["counts"]["acked"] == given.terminals
is_online = lambda terminal: cluster.ask("GET", f"/v1/terminals/{terminal}")[1].get("status") == "online"
at = cluster.node(1)
plain = [Terminal(cluster, at, "plain-1")]
plain[0].say("an event that Redis refuses")
until("no memory: the event is dropped and counted", lambda: cluster.metric('muster_reports_dropped_total{reason="event_refused"}', at) == 1)
plain.append(Terminal(cluster, at, "plain-2"))
until("no memory: a plain terminal that connects is registered all the same", lambda: is_online("plain-2"), seconds=5)
until("no memory: the states of what was accepted are written", acked)
for terminal in plain:
    terminal.close()
cluster.redis("CONFIG", "SET", "maxmemory", "0")
whole("memory again")

# As a full disk is to Redis: a write to its file fails. It ignores the signal that comes with this limit.
resource.prlimit(cluster.pid("redis"), resource.RLIMIT_FSIZE, (cluster.stored(), resource.RLIM_INFINITY))
until("Redis has noticed", lambda: "aof_last_write_status:err" in cluster.redis("INFO", "persistence"))
refused = post(given.commands, 1000)
check("no place for its file: commands are refused with 503 and a reason", len(refused) == given.commands and all(status == 503 and problem["detail"] for status, problem in refused), f"{len(refused)} of {given.commands}, {refused[-1][1]['detail'] if refused else ''}")
resource.prlimit(cluster.pid("redis"), resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
until("Redis writes again", lambda: "aof_last_write_status:ok" in cluster.redis("INFO", "persistence"))
whole("room again")
finish()
