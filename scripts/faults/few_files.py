"""F16 A node may open 256 files, and more terminals come than that.

Those beyond are refused with 429, and another node takes them; the node does not run hot, answers, and takes new ones when others have left.
"""

import collections, time
from trial import *
from trial.bare import Refused, Terminal

given = arguments(knocks=(300, 2000), seconds=(3, 10))
FILES = 256
cluster = begin(given, nodes=2, node_flags="--ping 60s")
cluster.kill("node1")
cluster.start("node1", files=FILES)
inside, answers = [], collections.Counter()
for number in range(given.knocks):
    try:
        inside.append(Terminal(cluster, cluster.node(1), f"t-{number}"))
        answers[101] += 1
    except Refused as refused:
        answers[refused.status] += 1
check(f"of {given.knocks} terminals some are let in, and the others are refused with 429 and nothing else", set(answers) == {101, 429} and answers[101] < FILES, dict(answers))
used = cluster.cpu("node1")
time.sleep(given.seconds)
used = (cluster.cpu("node1") - used) / given.seconds
check("full, it does not run hot", used < 0.5, f"{100 * used:.0f} % of a core")
check("and is ready", cluster.ready(cluster.node(1)))
Terminal(cluster, cluster.node(2), "elsewhere").close()
check("the other node takes more", True)
for terminal in inside[: len(inside) // 2]:
    terminal.close()
left = len(inside) - len(inside) // 2
until("it has noticed that half have left", lambda: cluster.metric("muster_sessions", cluster.node(1)) == left)
fresh = [Terminal(cluster, cluster.node(1), f"fresh-{number}") for number in range(len(inside) // 4)]
check("when half have left, others are let in", True, len(fresh))
id = cluster.post({"target": {"all": True}, "name": "tick", "payload": "still here"}, at=cluster.node(2))["id"]
heard = sum(terminal.receive() == "still here" for terminal in inside[len(inside) // 2 :] + fresh)
check("and all that it holds get what comes", heard == left + len(fresh), heard)
finish()
