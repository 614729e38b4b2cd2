"""P5 The slow hurt nobody. Bounded queue per session, then 4002; memory per session has a ceiling; the others don't notice.

Some terminals read 1 KB/s while large broadcasts go to all. They are closed with 4002; the others have each broadcast, as they had
them before; and the node holds no more for the slow than it may. When their lines are good again the slow come back and catch up.
"""

import time
from trial import *

given = arguments(fast=(60, 990), slow=(6, 10), broadcasts=(60, 600), rate=(10, 10))
QUEUE, PAYLOAD = 128 << 10, 16 << 10
if given.compose:
    # The kernel's buffers take more than 1 MB of what goes from a container to this machine, before a queue grows.
    given.broadcasts = max(given.broadcasts, 240)
# What a connection holds outside of the node's queue: the kernel's buffers, here at most.
cluster = begin(given, nodes=1, node_flags=f"--queue {QUEUE} --ping 30s")
fast = Agents(cluster, given.fast, prefix="fast-", url=cluster.url(1)).online()
way = Line(cluster.node(1))
slow = Agents(cluster, given.slow, "--first", "1s", prefix="slow-", url=way.url).online()
posted, slow_closed = {}, lambda: cluster.metric('muster_sessions_ended_total{end="too_slow"}', cluster.node(1))


def broadcast(count):
    """How late each was at each of the fast, in ms, sorted; and by how much the node's memory grew at most."""
    ids, before, most, due = [], cluster.memory("node1"), 0, time.monotonic()
    for _ in range(count):
        due = max(due + 1 / given.rate, time.monotonic())
        time.sleep(max(0, due - time.monotonic()))
        at = time.time()
        id = cluster.post({"target": {"all": True}, "name": "large", "payload": "x" * PAYLOAD, "expires_in": "10m"}, at=cluster.node(1))["id"]
        posted[id] = at
        ids.append(id)
        most = max(most, cluster.memory("node1") - before)
    until("the fast have run the last", lambda: fast.have_run(ids[-1]))
    late = sorted(line["at"] - 1000 * posted[line["command"]] for line in fast.lines("run") if line["command"] in set(ids))
    return late, most


calm, grown_calm = broadcast(given.broadcasts)
way.bandwidth(1000)
late, grown = broadcast(given.broadcasts)
until("the slow are closed", lambda: slow_closed() >= given.slow)
check(f"each of {given.slow} terminals that read 1 KB/s was closed with 4002", slow_closed() == given.slow, slow_closed())
check(f"the other {given.fast} have run each of {2 * given.broadcasts} broadcasts, once and in order", all(ran == list(posted) for ran in fast.runs().values()))
check("none of them was disconnected", not fast.lines("offline"), len(fast.lines("offline")))
p99 = lambda late: late[len(late) * 99 // 100]
print(f"      p99 of the others: {p99(calm):.0f} ms with all of them fast, {p99(late):.0f} ms with {given.slow} slow ones", flush=True)
if given.full:
    check("p99 of the others is at most 1.2 times what it was", p99(late) <= 1.2 * p99(calm))
ceiling = int(1.5 * given.slow * QUEUE) + max(grown_calm, 1 << 20)
check(f"the node's memory grew by less than 1.5 times what {given.slow} sessions may be owed, and what it grew by without slow ones", grown <= ceiling, f"{grown >> 10} KiB of {ceiling >> 10}")
way.heal()
until("the slow have caught up", lambda: all(set(ran) >= set(posted) for ran in slow.runs().values()))
check("when their lines are good again, they have run all of it too, once and in order", all(ran == list(posted) for ran in slow.runs().values()))
finish()
