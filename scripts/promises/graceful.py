"""P6 Graceful. SIGTERM: not ready, no new sessions, sessions closed in slices with hints that spread the return, exit in 30 s.

A node of three gets SIGTERM while commands are under way and handshakes come through Nginx. Its terminals' own logs tell when each was
closed, with which code, and when it was told to come back.
"""

import collections, time
from trial import *
from trial.bare import Refused, Terminal

given = arguments(terminals=(300, 3000), drain=(5, 20), commands=(600, 3000), pace=(60, 100))
cluster = begin(given, node_flags=f"--drain {given.drain}s")
agents = Agents(cluster, given.terminals).online()
leaving, held = cluster.id(1), cluster.node(1)
knock = Knock(cluster, 20)
load = Load(cluster, agents, given.seed, given.commands, given.pace, at=cluster.node(2))
load.reach(0.1)
sessions = sum(row["node"] == leaving for row in cluster.pages("/v1/terminals?status=online&prefix=agent-", "terminals", cluster.node(2)))
began, tries = time.time(), 0
cluster.term("node1")
until("it is not ready", lambda: cluster.ask("GET", "/readyz", at=held)[0] == 503)
answers = set()
while cluster.runs("node1"):
    try:
        Terminal(cluster, held, f"late-{tries}").close()
        answers.add(101)
    except Refused as refused:
        # No answer: its last moment.
        answers.add(refused.status)
    tries += 1
    time.sleep(0.1)
took = time.time() - began
check("it ended by itself", took < 30, f"{took:.1f} s after SIGTERM, with --drain {given.drain}s")
check(f"meanwhile it answered {tries} handshakes with 503", 503 in answers and answers <= {503, 0}, sorted(answers))
check("its last line says that none was cut off", " 0 cut off" in cluster.log("node1"), cluster.log("node1").splitlines()[-1].split("stopped")[-1].strip())

closed = agents.lines("offline")
codes = collections.Counter(line["end"].split()[5] for line in closed)
once = len(closed) == len({line["terminal"] for line in closed})
check(f"each of its {sessions} sessions was closed, once and with 1012", once and codes == {"1012": sessions}, dict(codes))
times = sorted(line["at"] / 1000 - began for line in closed)
slices = collections.Counter(int(at / given.drain * 10) for at in times)
check("in slices: no tenth of the drain has more than a quarter of them", max(slices.values()) <= len(closed) / 4 + 2, sorted(slices.items()))
# When it is told to be back, whenever this machine gets round to it.
told = sorted(line["at"] / 1000 - began + line["retry_ms"] / 1000 for line in closed)
span = told[-1 - len(told) // 100] - told[len(told) // 100]
check("their hints spread the returns over the drain", span >= 0.8 * given.drain, f"{span:.1f} s of {given.drain}")
until("all are back", lambda: len(agents.connected()) == given.terminals)
knocks = knock.knocked()
check(f"of {knocks} handshakes through Nginx meanwhile none failed", knocks > 0 and not knock.failed(), knock.failed())
check(f"{load.commands} commands meanwhile", *load.judged())
finish()
