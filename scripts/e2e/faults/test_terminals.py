"""Terminals lose their connections, read slowly, share an id, or have tokens that expire: F10, F11, F12, F14, F19."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from muster import wait
from muster.api import Events
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LineFactory, ListenFactory, LoadFactory, Scale
from muster.traffic.load import LARGE, QUEUE, SlowReaders, paced_until
from muster.traffic.terminal import Listener, Refused, Terminal, token

# F10: 30 % of the terminals' connections are reset, again and again. P3 has terminals that change their node so.


@pytest.mark.fault(id="F10")
def test_nothing_is_lost_and_all_come_back_when_connections_to_the_proxy_are_reset(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, line: LineFactory, scale: Scale
) -> None:
    way = line(cluster.proxy())
    fleet = agents(scale(60, 600), "--first", "1s", url=way.url).online()
    commands = load(fleet, commands=scale(450, 6000), pace=scale(90, 100))

    resets = 0
    while commands.under_way():
        # The time between two resets.
        time.sleep(scale(1, 5))
        resets += way.reset(0.3)

    assert commands.judged()
    assert resets > fleet.terminals / 2
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    wait.until(cluster.online, lambda online: online == fleet.terminals)


# F11: the connections of some terminals become black holes: nothing comes through, and nobody is told.

# Seconds between the pings by which the node notices.
PING = 1
MIB = 1 << 20


@pytest.mark.fault(id="F11")
@pytest.mark.cluster(nodes=1, node_flags=f"--ping {PING}s")
def test_a_node_frees_what_lost_terminals_held_and_they_miss_nothing(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, line: LineFactory, scale: Scale
) -> None:
    others = agents(scale(50, 200), prefix="other-", url=cluster.url(1)).online()
    files, memory = cluster.files("node1"), cluster.memory("node1")
    way = line(cluster.node(1))
    lost = agents(scale(50, 200), "--first", "1s", prefix="lost-", url=way.url).online()
    commands = load(lost, commands=scale(500, 6000), pace=scale(60, 100))
    commands.reach(0.2)

    way.hole()

    began = time.monotonic()
    wait.until(lambda: ended_by_silence(cluster), lambda ended: ended >= lost.terminals)
    scale.judge_time("the node has freed them", time.monotonic() - began, 2.5 * PING)
    wait.until(lambda: cluster.files("node1"), lambda now: now <= files * 1.05 + 2)
    time.sleep(max(0, began + scale(6, 60) - time.monotonic()))
    assert not scale.full or cluster.memory("node1") <= memory * 1.05 + MIB
    assert not others.disconnected()
    way.heal()
    way.reset()
    wait.until(lambda: len(lost.connected()), lambda connected: connected == lost.terminals)
    assert commands.judged()


def ended_by_silence(cluster: Cluster) -> int:
    return cluster.api.metric('muster_sessions_ended_total{end="no_heartbeat"}', cluster.node(1))


# F12: one terminal in ten reads 1 KB/s. P5 has what the others notice.


@pytest.mark.fault(id="F12")
@pytest.mark.promise(id="P5")
@pytest.mark.cluster(nodes=1, node_flags=f"--queue {QUEUE} --max-body {QUEUE // 2} --ping 30s")
def test_slow_terminals_catch_up_when_their_lines_are_good_again(cluster: Cluster, slow_readers: SlowReaders) -> None:
    fast, slow, way = slow_readers

    assert way.bandwidth(1000) == slow.terminals
    sent = [cluster.api.post(LARGE, at=cluster.node(1))["id"] for _ in paced_until(10, 1, slow_readers.closed)]
    way.heal()

    wait.until(lambda: all(set(ran) >= set(sent) for ran in slow.runs().values()))
    assert slow.not_exactly(sent) == [], "each once and in order"
    wait.until(lambda: fast.have_run(sent[-1]))
    assert fast.not_exactly(sent) == []
    assert not fast.lines("offline")


# F14: two clients use one terminal id. P4 promises that one of them owns it.

# The close code of a session that a newer one has replaced.
REPLACED = 4509
# Seconds in which the loser of a race would have received what its winner did.
MOMENT = 0.1


@pytest.mark.fault(id="F14")
@pytest.mark.promise(id="P4")
@pytest.mark.cluster(node_flags="--ping 60s")
def test_one_of_two_clients_that_race_to_two_nodes_owns_the_id(
    cluster: Cluster, listen: ListenFactory, scale: Scale
) -> None:
    nodes = {number: cluster.id(number) for number in (2, 3)}
    for first in range(0, scale(100, 1000), 20):
        # Both clients of an id connect at once.
        races = {f"race-{n}": [listen(number, f"race-{n}") for number in (2, 3)] for n in range(first, first + 20)}
        owners = race(cluster, races)
        for terminal, clients in races.items():
            (loser,) = losers(clients)
            (winner,) = (each for each in clients if each is not loser)
            assert loser.heard[0] == REPLACED and "yours" not in loser.heard
            assert winner.heard == ["yours"]
            assert owners[terminal] == nodes[winner.number]
            loser.leave()
            winner.leave()


def race(cluster: Cluster, races: dict[str, list[Listener]]) -> dict[str, str]:
    """Wait until all races are decided, and send the owners a message. Return each owner's node, by the registry."""
    wait.until(lambda: all(len(losers(clients)) == 1 for clients in races.values()))
    rows = cluster.api.pages("/v1/terminals?prefix=race-&status=online", "terminals", at=cluster.node(2))
    body = {"target": {"terminals": list(races)}, "name": "who", "payload": "yours"}
    cluster.api.post(body, at=cluster.node(2))
    wait.until(lambda: all(any("yours" in each.heard for each in clients) for clients in races.values()))
    time.sleep(MOMENT)
    return {row["id"]: row["node"] for row in rows}


def losers(clients: list[Listener]) -> list[Listener]:
    """Return those whose session was replaced."""
    return [each for each in clients if REPLACED in each.heard]


@pytest.mark.fault(id="F14")
@pytest.mark.promise(id="P4")
@pytest.mark.cluster(nodes=2, node_flags="--ping 60s")
def test_two_clients_that_take_one_id_from_each_other_are_slowed_down(cluster: Cluster, scale: Scale) -> None:
    seconds = scale(9, 15)
    events = Events(cluster.api, cluster.node(1))
    end = time.monotonic() + seconds

    def come_back(number: int) -> int:
        """Connect again whenever the session has ended, as other people's clients do. Return how many there were."""
        sessions = 0
        while time.monotonic() < end:
            try:
                with Terminal(cluster, cluster.node(number), "twin") as twin:
                    sessions += 1
                    twin.receive(end - time.monotonic())
            except Refused:
                continue
        return sessions

    with ThreadPoolExecutor() as twins:
        sessions = sum(twins.map(come_back, (1, 2)))

    assert sessions < 5 * seconds
    assert events.of("terminal.contested")


# F19: tokens expire. Terminals take them from files, which another program renews.

# Seconds for which a token is valid.
SHORT = 5


@pytest.mark.fault(id="F19")
def test_terminals_whose_tokens_of_seconds_are_renewed_are_never_offline(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    names = [f"agent-{number}" for number in range(scale(40, 400))]
    with renewed_tokens(cluster, names) as folder:
        fleet = agents(len(names), "--tokens", str(folder)).online()
        # For 20 s.
        commands = load(fleet, commands=scale(800, 2000), pace=scale(40, 100))
        assert commands.judged()
        assert fleet.ends() == []
        assert fleet.lines("error") == []


@pytest.mark.fault(id="F19")
def test_a_terminal_whose_token_is_not_renewed_is_closed_and_comes_back_when_it_is(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory
) -> None:
    names = [f"agent-{number}" for number in range(20)]
    with renewed_tokens(cluster, names) as folder:
        fleet = agents(len(names), "--tokens", str(folder)).online()
    # Nobody renews them any more.
    wait.until(lambda: {line["terminal"] for line in fleet.ends("with 4004")}, lambda closed: closed == set(names))
    assert all(line["retry_ms"] >= 150_000 for line in fleet.ends())
    wait.until(cluster.online, lambda online: online == 0)

    with renewed_tokens(cluster, names):
        fleet.online()
        assert load(fleet, commands=80, pace=40).judged()


@contextmanager
def renewed_tokens(cluster: Cluster, names: list[str]) -> Iterator[Path]:
    """Renew the tokens of these terminals every second. Yields the folder with their files."""
    folder, ended = cluster.directory / "tokens", threading.Event()
    folder.mkdir(exist_ok=True)

    def renew() -> None:
        for name in names:
            new = folder / f"{name}.new"
            new.write_text(token(cluster.secret, name, SHORT))
            new.rename(folder / name)

    def renew_each_second() -> None:
        while not ended.wait(1):
            renew()

    renew()
    renewing = threading.Thread(target=renew_each_second)
    renewing.start()
    try:
        yield folder
    finally:
        ended.set()
        renewing.join()
