"""Nodes are killed, restarted and stopped, under load: F1, F2, F3."""

import re
import threading
import time

import pytest

from muster import process, wait
from muster.cluster import Cluster, ProcessCluster
from muster.fixtures import AgentsFactory, KnockFactory, LoadFactory, Scale
from muster.judge import peak, returns, span
from muster.traffic.agents import Agents

# F1: a node of three is killed with SIGKILL under load.


@pytest.mark.fault(id="F1")
def test_terminals_of_a_killed_node_come_back_and_nobody_else_notices(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(150, 3000), "--first", "2s").online()
    commands = load(fleet, commands=scale(600, 6000), pace=scale(60, 200))
    commands.reach(0.3)
    dead = cluster.id(2)
    theirs = {line["terminal"] for line in fleet.lines("online") if line["node"] == dead}
    assert theirs

    cluster.kill("node2")

    wait.until(fleet.disconnected, lambda cut: cut >= theirs)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    assert fleet.disconnected() == theirs, "others were disconnected too"
    away = fleet.seconds_away()
    scale.judge_time("95 % of them were ready again", away[len(away) * 95 // 100], 3)
    scale.judge_time("all of them were ready again", away[-1], 10)
    assert commands.judged()


# F2: all nodes are restarted, one after the other, under load.

SECONDS = 10
TERMINALS = 3000


@pytest.mark.fault(id="F2")
@pytest.mark.alone
@pytest.mark.cluster(nodes=3, node_flags=f"--drain {SECONDS}s --ping 25s")
def test_a_rolling_restart_closes_each_terminal_twice_at_most_and_loses_nothing(
    process_cluster: ProcessCluster, agents: AgentsFactory, knock: KnockFactory, scale: Scale
) -> None:
    cluster = process_cluster
    fleet = agents(TERMINALS, "--first", "5s").online()
    began = time.time()
    knocking = knock(20)
    broadcasts = Broadcasts(cluster)
    for node in ("node1", "node2", "node3"):
        restart(cluster, node, fleet)
    accepted = broadcasts.finish()
    knocking.finish()

    ends = [line["terminal"] for line in fleet.ends(since=began)]
    assert max(map(ends.count, set(ends))) <= 2
    assert len(ends) == len(fleet.ends("with 1012", began)) > 0
    assert knocking.decided() > SECONDS * 20 and not knocking.failures()
    assert len(accepted) > SECONDS * 3
    wait.until(lambda: [row for command in accepted for row in unconfirmed(cluster, command)], lambda rows: not rows)


def restart(cluster: ProcessCluster, node: str, fleet: Agents) -> None:
    """Stop a node and start it again; its sessions must return evenly, and none may be cut off."""
    began = time.time()
    cluster.term(node)
    assert process.gone(cluster.pid(node), within=40)
    assert re.findall(r", (\d+) cut off", cluster.log(node)) == ["0"]
    back = returns(fleet.lines(), since=began)
    assert len(back) > TERMINALS / 6
    assert span(back) >= 0.8 * SECONDS and peak(back, SECONDS) <= 2
    cluster.start(node)
    # Placement goes by the leases, which are up to 2 s old.
    wait.until(lambda: sum(cluster.sessions(number) for number in (1, 2, 3)), lambda sessions: sessions >= TERMINALS)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == TERMINALS)


def unconfirmed(cluster: ProcessCluster, command: str) -> list[str]:
    """Return which of the fleet have not confirmed a command. Terminals that only knocked are targets too, and gone."""
    rows = [
        row
        for state in ("queued", "sent")
        for row in cluster.api.pages(f"/v1/commands/{command}/targets?state={state}", "targets")
    ]
    return [row["terminal"] for row in rows if row["terminal"].startswith("agent-")]


class Broadcasts:
    """A command to all terminals each half second, each of which must be accepted at its first attempt."""

    def __init__(self, cluster: ProcessCluster) -> None:
        self._cluster, self._accepted, self._enough = cluster, list[str](), threading.Event()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        body = {"target": {"all": True}, "name": "show", "payload": "x", "expires_in": "300s"}
        try:
            while not self._enough.wait(0.5):
                self._accepted.append(self._cluster.api.post(body)["id"])
        except Exception as error:
            self._failed.append(error)

    def finish(self) -> list[str]:
        """Send no more; return the ids of the commands. Raises what kept one from being accepted."""
        self._enough.set()
        self._thread.join()
        if self._failed:
            raise self._failed[0]
        return self._accepted


# F3: a node is stopped with SIGSTOP for longer than its lease, and goes on. P4 has what it must not do then.

# Seconds between the pings by which terminals notice.
PING = 1


@pytest.mark.fault(id="F3")
@pytest.mark.cluster(node_flags=f"--ping {PING}s")
def test_terminals_leave_a_stopped_node_and_nothing_is_wrong_when_it_goes_on(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(90, 900), "--first", "500ms", url=cluster.url(1, 2, 3)).online()
    stopped = cluster.id(1)
    held = {line["terminal"] for line in fleet.lines("online") if line["node"] == stopped}
    assert held
    commands = load(fleet, commands=scale(700, 3000), pace=scale(50, 100), at=cluster.node(2))
    commands.reach(0.1)

    cluster.stop("node1")

    began = time.monotonic()
    wait.until(fleet.disconnected, lambda cut: cut >= held)
    scale.judge_time("its terminals had noticed", time.monotonic() - began, 3 * PING + 1)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    assert fleet.disconnected() == held, "terminals of other nodes were disconnected too"
    # Longer than the lease.
    time.sleep(max(0, began + scale(9, 10) - time.monotonic()))
    cluster.cont("node1")
    wait.until(lambda: cluster.api.is_ready(cluster.node(1)))
    assert commands.judged()
