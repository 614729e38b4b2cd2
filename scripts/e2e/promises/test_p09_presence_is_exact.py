"""P9: after `kill -9` of a node no terminal is shown online on it for longer than its lease + 1 s.

A terminal that moved is never shown offline.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from muster import wait
from muster.api import Events, Json
from muster.cluster import Cluster, ProcessCluster
from muster.fixtures import AgentsFactory, Scale

# Seconds of a node's lease.
LEASE = 6


def listed(cluster: Cluster, query: str = "") -> list[Json]:
    """Return the registry's terminals, as node 1 tells them."""
    return cluster.api.pages(f"/v1/terminals?{query}", "terminals", at=cluster.node(1))


@pytest.mark.promise(id="P9")
def test_no_terminal_is_left_on_a_dead_node_and_none_that_moved_is_shown_offline(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    movers = agents(scale(150, 1500), "--first", "1s", prefix="mover-").online()
    frozen = agents(scale(150, 1500), prefix="frozen-").online()
    dead = cluster.id(2)
    theirs = {row["id"] for row in listed(cluster) if row["node"] == dead}
    # Those that cannot move must be found lost, and the others must not.
    stuck = {terminal for terminal in theirs if terminal.startswith("frozen-")}
    assert stuck and theirs - stuck
    events = Events(cluster.api, cluster.node(1))
    frozen.freeze()

    cluster.kill("node2")

    began = time.monotonic()
    wait.until(lambda: [row["id"] for row in listed(cluster) if row["node"] == dead], lambda left: not left, within=30)
    scale.judge_time("no terminal was shown on the dead node", time.monotonic() - began, LEASE + 1)
    online = "prefix=mover-&status=online"
    wait.until(lambda: len(listed(cluster, online)), lambda shown: shown == movers.terminals)
    assert {row["id"] for row in listed(cluster, online)} == movers.connected()

    def lost() -> Counter[str]:
        return Counter(row["terminal"] for row in events.of("terminal.offline") if row["reason"] == "node_lost")

    # The events follow the registry in portions.
    wait.until(lambda: stuck - lost().keys(), lambda untold: not untold)
    # An event that should not come would come within this time.
    time.sleep(1)
    assert {terminal: lost()[terminal] for terminal in stuck} == dict.fromkeys(stuck, 1)
    assert [row for row in events.of("terminal.offline") if row["terminal"].startswith("mover-")] == []


@pytest.mark.promise(id="P9")
def test_the_registry_answers_while_another_node_hangs(cluster: Cluster, agents: AgentsFactory, scale: Scale) -> None:
    # With a third of them on the node that hangs, the others are more than a page even when its lease has run out.
    agents(scale(300, 1500), "--label", "kind=mover").online()
    times = []

    cluster.stop("node3")

    for _ in range(21):
        asked = time.monotonic()
        # A terminal's own word, which its token does not have.
        path = "/v1/terminals?selector=self.kind=mover&status=online&limit=100"
        page = cluster.api.get(path, at=cluster.node(1))["terminals"]
        times.append(time.monotonic() - asked)
        assert len(page) == 100
    cluster.cont("node3")
    scale.judge_time("the registry answered in the median", sorted(times)[10], 0.05)


# Notices: another node goes on when the one that carries them on is killed.


@contextmanager
def receiver(heard: list[Json]) -> Iterator[str]:
    """Receive messages of notices into `heard`. Yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.promise(id="P9")
@pytest.mark.takes(seconds=60)
@pytest.mark.cluster(node_flags="--notice-to 127.0.0.0/8", processes_only="the receiver is on the nodes' own host")
def test_each_lost_node_is_told_of_once_whichever_node_is_killed(process_cluster: ProcessCluster) -> None:
    cluster, heard = process_cluster, list[Json]()

    def told() -> set[str]:
        return {message["data"]["node"] for message in heard}

    with receiver(heard) as url:
        assert cluster.api.ask("PUT", "/v1/notices/lost", {"url": url, "on": ["node.lost"]})[0] == 200
        first = {cluster.id(number) for number in (1, 2)}

        cluster.kill("node1")
        cluster.kill("node2")

        wait.until(told, lambda nodes: nodes == first)
        cluster.start("node1")
        cluster.start("node2")
        wait.until(lambda: len(cluster.api.get("/v1/nodes")["nodes"]), lambda count: count == 3)
        # The third one carries notices on: it was alone.
        third = cluster.id(3)

        cluster.kill("node3")

        wait.until(told, lambda nodes: nodes == first | {third})
    assert len({message["id"] for message in heard}) == len(heard) == 3
