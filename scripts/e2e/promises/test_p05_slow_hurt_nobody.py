"""P5: terminals that read slowly hurt nobody: a session's queue is bounded, and a full one ends the session with 4002.

F12 has what becomes of the slow terminals.
"""

import time
from collections.abc import Callable

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import Scale
from muster.traffic.agents import Agents
from muster.traffic.load import LARGE, QUEUE, TOO_SLOW, SlowReaders, paced_until

RATE = 10
# Of so many a second, no more than 600 have not expired.
BROADCAST = {**LARGE, "expires_in": "1m"}


class Broadcasts:
    """Large broadcasts to all terminals of node 1, at a pace, and what they cost."""

    def __init__(self, cluster: Cluster, fleet: Agents) -> None:
        self.cluster, self.fleet = cluster, fleet
        self.posted: dict[str, float] = {}

    def send(self, count: int, done: Callable[[], bool] = lambda: True) -> tuple[list[float], int]:
        """Send so many, and then until it is done.

        Return how late each message was at each terminal of the fleet, in ms, sorted; and how much memory grew.
        """
        known, grown = len(self.posted), 0
        before = self.cluster.memory("node1")
        for _ in paced_until(RATE, count, done):
            at = time.time()
            self.posted[self.cluster.api.post(BROADCAST, at=self.cluster.node(1))["id"]] = at
            grown = max(grown, self.cluster.memory("node1") - before)
        ids = list(self.posted)[known:]
        wait.until(lambda: self.fleet.have_run(ids[-1]))
        lines = (line for line in self.fleet.lines("run") if line["command"] in set(ids))
        return sorted(line["at"] - 1000 * self.posted[line["command"]] for line in lines), grown


@pytest.mark.promise(id="P5")
@pytest.mark.cluster(nodes=1, node_flags=f"--queue {QUEUE} --max-body {QUEUE // 2} --ping 30s")
def test_slow_terminals_are_closed_and_no_other_terminal_notices(
    cluster: Cluster, slow_readers: SlowReaders, scale: Scale
) -> None:
    fast, slow, way = slow_readers
    count = scale(60, 600)
    broadcasts = Broadcasts(cluster, fast)
    calm, grown_when_calm = broadcasts.send(count)

    way.bandwidth(1000)

    late, grown = broadcasts.send(count, slow_readers.closed)
    assert cluster.api.metric(TOO_SLOW, cluster.node(1)) == slow.terminals
    assert fast.not_exactly(list(broadcasts.posted)) == []
    assert not fast.lines("offline")
    # What the slow sessions may be owed, with room for the allocator, and what it takes without slow ones.
    assert grown <= 1.5 * slow.terminals * QUEUE + max(grown_when_calm, 1 << 20)
    print(f"p99 of the fast terminals: {p99(calm):.0f} ms with all of them fast, {p99(late):.0f} ms with slow ones")
    assert not scale.full or p99(late) <= 1.2 * p99(calm)


def p99(sorted_times: list[float]) -> float:
    """Return the time that 99 % do not exceed."""
    return sorted_times[len(sorted_times) * 99 // 100]
