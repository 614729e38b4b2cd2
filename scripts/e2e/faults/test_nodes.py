"""Nodes are killed, restarted, replaced by a next version, and stopped, under load: F1, F2, F3."""

import os
import re
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from muster import process, programs, wait
from muster.cluster import Cluster, ProcessCluster
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory, LoadFactory, Scale
from muster.judge import peak, returns, span
from muster.mutants import build
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
@pytest.mark.quiet
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


# All nodes are replaced by a next version and back, under load, and then the schema is raised: docs/upgrading.md.

NODES = (1, 2, 3)
# How often a node is replaced: all of them forth, back and forth; and again in the schema that was raised.
STEPS = 4 * len(NODES)


@pytest.mark.long("upgrade")
@pytest.mark.timeout(3600)
@pytest.mark.cluster(nodes=len(NODES), node_flags="--drain 5s --ping 25s")
def test_a_rolling_upgrade_forth_and_back_loses_nothing_and_cuts_none_that_a_restart_would_not_cut(
    process_cluster: ProcessCluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    cluster, this, following = process_cluster, programs.directory(), build.build_next()
    fleet = agents(scale(300, 3000), "--first", "2s", url=cluster.url(*NODES)).online()
    commands = load(fleet, commands=scale(6000, 24000), pace=scale(30, 80))
    replaced: list[str] = []

    def replace(number: int, by: Path) -> None:
        commands.reach(len(replaced) / (STEPS + 1))
        replaced.append(cluster.id(number))
        replace_node(cluster, number, by, fleet)

    for by in (following, this, following):
        # In this order terminals do not all go to the node that is next: each tries the following address.
        for number in reversed(NODES):
            replace(number, by)
        if by == this:
            refused = store_step(cluster, following)
            assert refused.returncode == 1 and "replace these nodes first" in refused.stderr, refused.stderr
            assert all(cluster.node(number) in refused.stderr for number in NODES), refused.stderr
    process.end(cluster.pid("sidecar"))
    start(cluster, "sidecar", following)
    assert "=2" not in lease.terminal_lines(cluster)
    raised = store_step(cluster, following)
    assert raised.stdout == "the store had schema 1 and has schema 2 now\n", raised.stderr
    for number in NODES:
        replace(number, following)

    assert commands.under_way(), "the load ended before the last node was replaced"
    assert "=2" in lease.terminal_lines(cluster)
    late = run(this, "--listen", "127.0.0.1:0", cluster=cluster)
    assert late.returncode == 1 and "this store has schema 2, and this program runs on schema 1;" in late.stderr
    lease.set_schema(cluster, 1)
    wait.until(lambda: lease.schema(cluster), lambda schema: schema == 2)
    assert commands.judged()
    assert cut_beside(fleet, replaced) == []


def replace_node(cluster: ProcessCluster, number: int, by: Path, fleet: Agents) -> None:
    """Stop a node as an operator does, with no session cut off, and start the one of the folder `by` there."""
    name = f"node{number}"
    cluster.term(name)
    assert process.gone(cluster.pid(name), within=60)
    assert re.findall(r", (\d+) cut off", cluster.log(name)) == ["0"]
    start(cluster, name, by)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    rows = [cluster.row(number, at=cluster.node(1)) for number in NODES]
    assert (rows[number - 1]["version"] == "next") == (by != programs.directory())
    assert not any(row.get("foreign") for row in rows), "a node did not read what another wrote"


def start(cluster: ProcessCluster, name: str, by: Path) -> None:
    """Start the program in this folder as a process of the cluster."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MUSTER_BIN", str(by))
        cluster.start(name)


def store_step(cluster: ProcessCluster, by: Path) -> subprocess.CompletedProcess[str]:
    """Raise the schema of the cluster's store by the program in this folder."""
    return run(by, "store", "raise-schema", cluster=cluster)


def run(by: Path, *words: str, cluster: ProcessCluster) -> subprocess.CompletedProcess[str]:
    """Run the node's program in this folder until it ends."""
    command = [str(by / "muster-node"), *words, "--redis", cluster.processes.redis_url()]
    env = {**os.environ, "MUSTER_SECRET_FILE": str(cluster.directory / "secret")}
    return subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=60)


def cut_beside(fleet: Agents, replaced: list[str]) -> list[str]:
    """Return the terminals that were cut at a node that was not replaced, twice at one that was, or not with 1012."""
    at: dict[str, str] = {}
    cuts: Counter[tuple[str, str, str]] = Counter()
    for line in fleet.lines():
        if line["what"] == "online":
            at[line["terminal"]] = line["node"]
        elif line["what"] == "offline" and (node := at.pop(line["terminal"], "")):
            cuts[line["terminal"], node, line["end"].partition(" with ")[2][:4]] += 1
    assert cuts
    return [who for (who, node, code), count in cuts.items() if count > 1 or node not in replaced or code != "1012"]


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
