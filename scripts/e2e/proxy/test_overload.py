"""Ten times as many handshakes come as the nodes take: those connected notice nothing, and all are in at the end."""

import time

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.fixtures import AgentsFactory, Scale
from muster.traffic.agents import Agents

# The proxy's own words for a node that it takes for dead.
DEAD = ("no live upstreams", "upstream server temporarily disabled")


@pytest.mark.cluster(nodes=2, node_flags="--handshakes 25 --ping 25s")
def test_a_storm_of_terminals_is_told_to_come_back_and_gets_in(
    process_cluster: ProcessCluster, agents: AgentsFactory, scale: Scale
) -> None:
    held = agents(100, "--first", "5s", prefix="hold-").online()
    before = len(held.ends())
    storm = agents(scale(1000, 5000), "--first", "2s", prefix="storm-")
    wait.until(lambda: len(storm.connected()), lambda connected: connected == storm.terminals, within=180)

    refusals = storm.ends("HTTP status 429")
    assert len(refusals) > storm.terminals
    assert len(storm.ends()) == len(refusals)
    assert min(line["retry_ms"] for line in refusals) >= 1000
    assert len(held.ends()) == before
    assert not any(words in process_cluster.log("sidecar") for words in DEAD)


@pytest.mark.alone
@pytest.mark.cluster(nodes=2, node_flags="--handshakes 25 --ping 25s")
def test_commands_are_confirmed_as_fast_during_a_storm(
    process_cluster: ProcessCluster, agents: AgentsFactory, scale: Scale
) -> None:
    held = agents(100, "--first", "5s", prefix="hold-").online()
    calm = slow_command(process_cluster, held)
    storm = agents(scale(1000, 5000), "--first", "2s", prefix="storm-")
    wait.until(lambda: storm.ends("HTTP status 429"))
    assert slow_command(process_cluster, held) < 2 * calm + 0.0001
    assert len(storm.connected()) < storm.terminals, "the storm was over before"


def slow_command(cluster: ProcessCluster, terminals: Agents) -> float:
    """Return the 99th percentile of the times of 100 commands, in seconds, from the request to the confirmation."""
    times = []
    for terminal in terminals.names():
        body = {"target": {"terminal": terminal}, "name": "show", "payload": 1, "confirm": "ack"}
        began = time.perf_counter()
        status, answer = cluster.api.ask("POST", "/v1/commands?wait=5s", body, at=cluster.node(1))
        times.append(time.perf_counter() - began)
        assert answer["state"] == "done", f"{status} {answer}"
    return sorted(times)[98]
