"""F16 A node may open 256 files, and more terminals come than that.

Those beyond are refused with 429, and another node takes them; the node does not run hot, answers, and takes new ones when others have left.
"""

import collections, time
from trial import *
from trial.bare import Refused, Terminal

given = arguments(knocks=(300, 2000), seconds=(3, 10))
FILES = 256
cluster = begin(given, nodes=2, node_flags="--ping 60s", processes_only="a node is told how many files it may open")
cluster.kill("node1")
cluster.start("node1", files=FILES)
inside, answers = [], collections.Counter()


def knock(terminal):
    """Whether it was let in."""
    try:
        inside.append(Terminal(cluster, cluster.node(1), terminal))
        answers[101] += 1
        return True
    except Refused as refused:
        answers[refused.status] += 1
        return False


for number in range(given.knocks):
    knock(f"t-{number}")
check(f"of {given.knocks} terminals some are let in, and the others are refused with 429 and nothing else", set(answers) == {101, 429} and answers[101] < FILES, dict(answers))
used = cluster.cpu("node1")
time.sleep(given.seconds)
used = (cluster.cpu("node1") - used) / given.seconds
check("full, it does not run hot", used < 0.5, f"{100 * used:.0f} % of a core")
check("and is ready", cluster.ready(cluster.node(1)))
Terminal(cluster, cluster.node(2), "elsewhere").close()
check("the other node takes more", True)
half = len(inside) // 2
for terminal in inside[:half]:
    terminal.close()
del inside[:half]
for number in range(half // 2):
    # The node may need a moment to notice who has left.
    until("another one is let in", lambda: knock(f"fresh-{number}"))
check("when half have left, others are let in", True, half // 2)
# Let in is not yet registered, and who is not is no target.
until("the registry has all that it holds", lambda: cluster.online() == len(inside))
cluster.post({"target": {"all": True}, "name": "tick", "payload": "still here"}, at=cluster.node(2))
heard = sum(terminal.receive() == "still here" for terminal in inside)
check("and all that it holds get what comes", heard == len(inside), heard)
finish()
