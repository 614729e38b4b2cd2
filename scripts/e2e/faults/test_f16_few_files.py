"""F16: a node may open 256 files, and more terminals come than that."""

import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.fixtures import Scale
from muster.traffic.terminal import Refused, Terminal

FILES = 256


class Crowd:
    """Plain terminals of one node: those that are let in, and how many handshakes had which answer."""

    def __init__(self, cluster: ProcessCluster) -> None:
        self.cluster = cluster
        self.inside: list[Terminal] = []
        self.answers: Counter[int] = Counter()

    def knock(self, terminal: str) -> bool:
        """Return whether the terminal is let in."""
        try:
            self.inside.append(Terminal(self.cluster, self.cluster.node(1), terminal))
        except Refused as refused:
            self.answers[refused.status] += 1
            return False
        self.answers[101] += 1
        return True

    def leave(self, count: int) -> None:
        """Close the connections that were let in first."""
        for terminal in self.inside[:count]:
            terminal.close()
        del self.inside[:count]


@pytest.fixture
def crowd(process_cluster: ProcessCluster) -> Iterator[Crowd]:
    """Terminals of a node that may open few files."""
    process_cluster.kill("node1")
    process_cluster.start("node1", files=FILES)
    made = Crowd(process_cluster)
    yield made
    made.leave(len(made.inside))


@pytest.mark.fault("F16")
@pytest.mark.cluster(nodes=2, node_flags="--ping 60s", processes_only="a node is told how many files it may open")
def test_terminals_beyond_the_files_are_refused_with_429_and_the_others_are_served(
    process_cluster: ProcessCluster, crowd: Crowd, scale: Scale
) -> None:
    cluster = process_cluster
    for number in range(scale(300, 2000)):
        crowd.knock(f"t-{number}")
    assert set(crowd.answers) == {101, 429} and crowd.answers[101] < FILES, crowd.answers
    assert share_of_a_core(cluster, scale(3, 10)) < 0.5, "the full node runs hot"
    assert cluster.api.is_ready(cluster.node(1))
    Terminal(cluster, cluster.node(2), "elsewhere").close()

    half = len(crowd.inside) // 2
    crowd.leave(half)
    for number in range(half // 2):
        # The node may need a moment to notice who has left.
        wait.until(partial(crowd.knock, f"fresh-{number}"))

    # A terminal that was let in may not be registered yet, and is no target before.
    wait.until(cluster.online, lambda online: online == len(crowd.inside))
    cluster.api.post({"target": {"all": True}, "name": "tick", "payload": "still here"}, at=cluster.node(2))
    assert [terminal.receive() for terminal in crowd.inside] == ["still here"] * len(crowd.inside)


def share_of_a_core(cluster: ProcessCluster, seconds: float) -> float:
    """Return which part of a core the node uses for so many seconds."""
    before = cluster.cpu("node1")
    time.sleep(seconds)
    return (cluster.cpu("node1") - before) / seconds
