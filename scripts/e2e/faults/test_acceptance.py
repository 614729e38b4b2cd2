"""The node that accepts a command for many is killed with SIGKILL, after each step of the acceptance: F20."""

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from muster import wait
from muster.api import Json, Unanswered
from muster.cluster import ProcessCluster
from muster.fixtures import AgentsFactory, Scale
from muster.judge import Accepted, Run, Told, judge

# Terminals that stay away, seconds after which commands expire, and how many partitions have a share of each.
AWAY, EXPIRES, PARTITIONS = 6, 20, 4
# The requests of each step, in which the name of the command stands (docs/store.md, "A command for many").
STEPS = {"begin": r'NAME.*\{"\d+":\d+', "share": r"NAME.*\r\n(set|named)\r\n", "commit": r'\{"\d+":\{"of":'}


class Orphans:
    """Commands for many, each posted at node 1 and then left by it, and by whom they must be run."""

    def __init__(self, cluster: ProcessCluster, agents: AgentsFactory, scale: Scale) -> None:
        self.cluster, self.api, self.pool = cluster, cluster.api, ThreadPoolExecutor(1)
        agents(AWAY, prefix="away-").online().end()
        wait.until(cluster.online, lambda online: online == 0)
        self.fleet = agents(scale(60, 600), "--first", "500ms", url=cluster.url(1, 2, 3)).online()
        self.everyone = [*self.fleet.names(), *(f"away-{number}" for number in range(AWAY))]
        self.targets: dict[str, list[str]] = {}

    def post(self, name: str, target: Json, key: str | None = None, node: int = 1) -> Future[tuple[int, Json]]:
        """Post a command of this name at a node, and wait for nothing."""
        self.targets[name] = target.get("terminals", self.everyone)
        body = {"target": target, "name": name, "payload": name, "expires_in": f"{EXPIRES}s"}
        headers = {"Idempotency-Key": key} if key else None
        return self.pool.submit(self.api.ask, "POST", "/v1/commands", body, at=self.cluster.node(node), headers=headers)

    def leave_after(self, count: int, step: str) -> str:
        """Post a command, kill its node when so many requests of a step were sent, and return the command's name."""
        name = f"{step}-{count}"
        self.hold(1, step, name, count)
        answer = self.post(name, {"all": True})
        wait.until(self.cluster.lines[1].holds)
        self.cluster.kill("node1")
        with pytest.raises(Unanswered):
            answer.result()
        return name

    def hold(self, node: int, step: str, name: str, count: int) -> None:
        """Let so many requests of a step of this command through from a node to Redis, and then nothing."""
        self.cluster.lines[node].hold(STEPS[step].replace("NAME", name), count)

    def start(self, node: int) -> None:
        """Start a node again, with a good line if it has one."""
        if line := self.cluster.lines.get(node):
            line.heal()
        self.cluster.start(f"node{node}")

    def ids(self, name: str) -> list[str]:
        """Return the commands of this name that are stored."""
        return [row["id"] for row in self.api.get(f"/v1/commands?name={name}", at=self.cluster.node(2))["commands"]]

    def wait_until_accepted(self, names: list[str]) -> None:
        """Wait until nodes have finished the acceptance of these commands."""
        for name in names:
            command = wait.until(partial(self.ids, name))[0]
            self.wait_until_it_is(command, lambda state: state != "accepting")

    def wait_until_done(self, command: str) -> None:
        """Wait until all targets of a command have confirmed it, or it has expired."""
        self.wait_until_it_is(command, lambda state: state == "done")

    def wait_until_it_is(self, command: str, is_right: Callable[[str], bool]) -> None:
        """Wait until the state of a command is right."""
        wait.until(lambda: str(self.api.get(f"/v1/commands/{command}")["state"]), is_right)

    def judged(self) -> set[str]:
        """Wait until all is over, demand that each command is accounted for or is nowhere, and return those stored."""
        tick = self.api.insist({"target": {"all": True}, "name": "tick"}, "tick", at=self.cluster.node(2))
        wait.until(lambda: self.fleet.have_run(tick))
        stored = {name: self.ids(name) for name in self.targets}
        assert all(len(ids) <= 1 for ids in stored.values()), "a command was accepted twice"
        accepted, told, counts = [], list[Told](), dict[str, dict[str, int]]()
        for name, command in ((name, ids[0]) for name, ids in stored.items() if ids):
            self.wait_until_done(command)
            online = [terminal for terminal in self.targets[name] if not terminal.startswith("away-")]
            accepted.append(Accepted(command, online, name))
            rows = self.api.pages(f"/v1/commands/{command}/targets", "targets")
            assert sorted(row["terminal"] for row in rows) == sorted(self.targets[name]), name
            told += [Told(command, row["terminal"], row["state"]) for row in rows]
            counts[name] = {state: count for state, count in self.api.counts(command).items() if count}
            assert counts[name] == Counter(row["state"] for row in rows), name
        ran = [Run(line["command"], line["terminal"]) for line in self.fleet.lines("run") if line["command"] != tick]
        assert judge(accepted, ran, told)
        owed = {name: (len(self.targets[name]) - AWAY, AWAY) for name in counts}
        assert {name: (its.get("acked"), its.get("expired")) for name, its in counts.items()} == owed
        return set(counts)


@pytest.fixture
def orphans(process_cluster: ProcessCluster, agents: AgentsFactory, scale: Scale) -> Orphans:
    """Commands for many, whose nodes are killed."""
    return Orphans(process_cluster, agents, scale)


in_parts = pytest.mark.cluster(lines=True, node_flags=f"--partitions {PARTITIONS}")


@pytest.mark.fault(id="F20")
@pytest.mark.takes(seconds=50)
@in_parts
def test_a_command_whose_node_is_killed_is_nowhere_or_each_of_its_shares_is_accounted_for(orphans: Orphans) -> None:
    steps = [("begin", 0), *(("share", count) for count in range(PARTITIONS)), ("commit", 0), ("commit", 1)]
    names: list[str] = []
    for step, count in steps:
        if step == "commit":
            # A commit does not name its command: node 1 must have none of another command to send.
            orphans.wait_until_accepted(names[1:])
        names.append(orphans.leave_after(count, step))
        orphans.start(1)
    # The first one was not begun.
    assert orphans.judged() == set(names[1:])


@pytest.mark.fault(id="F20")
@in_parts
def test_each_share_is_accounted_for_if_the_node_that_finishes_the_command_is_killed_too(orphans: Orphans) -> None:
    lines = orphans.cluster.lines
    for node in (2, 3):
        # It asks for each share, in the same order, also for the one that is taken already.
        orphans.hold(node, "share", "share-1", 3)
    name = orphans.leave_after(1, "share")

    finishing = wait.until(lambda: [node for node in (2, 3) if lines[node].holds()])[0]
    orphans.cluster.kill(f"node{finishing}")

    lines[5 - finishing].heal()
    orphans.start(finishing)
    orphans.start(1)
    assert orphans.judged() == {name}


@pytest.mark.fault(id="F20")
@pytest.mark.long("crash")
@pytest.mark.timeout(3600)
@pytest.mark.cluster(node_flags=f"--partitions {PARTITIONS}")
def test_nothing_is_half_accepted_whenever_its_node_is_killed(orphans: Orphans, seed: int, scale: Scale) -> None:
    chance, names = random.Random(seed), orphans.fleet.names()
    took = []
    for number in range(5):
        began = time.monotonic()
        assert orphans.post(f"calm-{number}", {"all": True}).result()[0] == 202
        took.append(time.monotonic() - began)
    answered, cut = set(orphans.targets), set[str]()
    while len(cut) < scale(100, 1000):
        number = len(orphans.targets)
        name = f"command-{number}"
        some = [*chance.sample(names, len(names) // 2), *(f"away-{number}" for number in range(AWAY))]
        target = chance.choice([{"all": True}, {"terminals": some}])
        key = chance.choice([None, name])
        answer = orphans.post(name, target, key)
        time.sleep(chance.uniform(0, statistics.median(took)))
        orphans.cluster.kill("node1")
        try:
            assert answer.result()[0] == 202
            answered.add(name)
        except Unanswered:
            cut.add(name)
        orphans.start(1)
        if key and name in cut:
            # Some ask again later, while the other nodes may be finishing it.
            time.sleep(chance.choice([0, 4]) * chance.random())
            status, again = orphans.post(name, target, key, node=2).result()
            assert status == 202, again
            answered.add(name)
    stored = orphans.judged()
    assert answered <= stored
    kinds = {
        "asked for again": cut & answered,
        "finished by others": (cut & stored) - answered,
        "nowhere": cut - stored,
    }
    print(f"{len(cut)} commands without an answer:", {kind: len(names) for kind, names in kinds.items()})
