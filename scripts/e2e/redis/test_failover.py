"""The Redis master that has Muster's data is killed with SIGKILL under load, once with its replicas cut off before.

One Sentinel hangs all the while, and one of the addresses of a Redis Cluster has nobody. In the last test all servers
are emptied, and get their data from an export of the store.
"""

import subprocess
from collections.abc import Callable
from functools import partial
from itertools import count

import pytest

from muster import programs, wait
from muster.api import Json
from muster.cluster import Cluster, ProcessCluster
from muster.cluster.redis_topology import ClusterMode, RedisServers, Sentinels
from muster.fixtures import AgentsFactory, LoadFactory, Scale
from muster.traffic.agents import Agents
from muster.traffic.load import Load

# Seconds. Well above what a node waits for an answer that does not come, and until it looks again.
READY_AGAIN = 5
FLAGS = "--ping 1s --redis-replicas"
WHY = "a container's Redis is one server"


on_several_servers = pytest.mark.parametrize(
    "servers", [Sentinels, ClusterMode], ids=["sentinel", "cluster"], indirect=True
)


@pytest.mark.parametrize(
    "servers",
    [
        pytest.param(Sentinels, id="sentinel"),
        # redis/tests/topologies/masters.rs kills a master of a Redis Cluster too, and takes less time.
        pytest.param(ClusterMode, id="cluster", marks=pytest.mark.long("topologies")),
    ],
    indirect=True,
)
@pytest.mark.takes(seconds=83)
@pytest.mark.cluster(node_flags=f"{FLAGS} 1", processes_only=WHY)
def test_what_was_accepted_with_a_replica_is_run_once_and_in_order(
    cluster: Cluster, servers: RedisServers, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet, commands = start(cluster, agents, load, scale)

    def lose_one() -> None:
        """Have all terminals run a command that no replica has, so each partition of the master loses something."""
        body = {"target": {"all": True}, "name": "work", "payload": f"lost-{next(numbers)}", "expires_in": "1h"}
        commands.asked[str(body["payload"])] = set(fleet.names())
        assert cluster.api.ask("POST", "/v1/commands", body)[0] == 504
        wait.until(lambda: fleet.have_all_run(str(body["payload"])))

    numbers = count()
    kill_masters(cluster, servers, commands, rounds=scale(2, 4), when_cut_off=lose_one)

    wait_until_done(cluster, commands)
    assert not fleet.lines("offline"), "terminals were disconnected"
    check_who_was_told(cluster, fleet, commands)
    assert commands.judged(besides=run_though_refused(fleet, commands))


@pytest.mark.parametrize("servers", [pytest.param(Sentinels, id="sentinel")], indirect=True)
@pytest.mark.takes(seconds=60)
@pytest.mark.cluster(node_flags=f"{FLAGS} 2", processes_only=WHY)
def test_a_master_that_lives_and_is_replaced_loses_nothing(
    cluster: Cluster, servers: Sentinels, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    """Busy Sentinels take a living master for dead. They make it a replica 8 s later at the earliest."""
    fleet, commands = start(cluster, agents, load, scale)
    rounds = scale(2, 4)
    for number in range(rounds):
        commands.reach((number + 0.5) / (rounds + 1))
        heir = servers.replace_master()
        wait.until(partial(servers.ask, heir, "PUBSUB", "SHARDCHANNELS"), within=READY_AGAIN)
    wait_until_done(cluster, commands)
    assert not fleet.lines("offline"), "terminals were disconnected"
    assert commands.judged(besides=run_though_refused(fleet, commands))


@on_several_servers
@pytest.mark.long("topologies")
@pytest.mark.cluster(node_flags=f"{FLAGS} 0", processes_only=WHY)
def test_what_was_accepted_without_a_replica_and_is_lost_is_not_known_any_more(
    cluster: Cluster, servers: RedisServers, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet, commands = start(cluster, agents, load, scale)

    def lose_some() -> None:
        """Wait until so much is accepted that each master of a Redis Cluster has some of it."""
        before = commands.done()
        wait.until(commands.done, lambda done: done >= before + 40 or not commands.under_way())

    kill_masters(cluster, servers, commands, rounds=scale(2, 4), when_cut_off=lose_some)

    lost = wait_until_done(cluster, commands)
    assert not fleet.lines("offline"), "terminals were disconnected"
    check_who_was_told(cluster, fleet, commands)
    assert lost > 0, "the replicas were cut off too late"


def start(cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale) -> tuple[Agents, Load]:
    """Start terminals that connect to the nodes themselves, and commands for them."""
    fleet = agents(scale(60, 1000), url=cluster.url(1, 2, 3)).online()
    return fleet, load(fleet, commands=scale(1200, 9600), pace=scale(60, 120))


def kill_masters(
    cluster: Cluster, servers: RedisServers, commands: Load, rounds: int, when_cut_off: Callable[[], None]
) -> None:
    """Kill the master in each round, in every second round after its replicas were cut off and `when_cut_off`."""
    for number in range(rounds):
        commands.reach((number + 0.5) / (rounds + 1))
        fail_over(cluster, servers, when_cut_off if number % 2 == 1 else None)


def fail_over(cluster: Cluster, servers: RedisServers, when_cut_off: Callable[[], None] | None) -> None:
    """Kill the master, wait until the nodes follow the next one, and start it again as a replica in step.

    With `when_cut_off`, the replicas are cut off first, so what is accepted meanwhile is on the master alone.
    """
    old = wait.until(servers.master)
    heirs = servers.replicas(old)
    assert heirs
    if when_cut_off:
        servers.cut_off(old)
        when_cut_off()
    servers.kill(old)
    wait.until(lambda: [servers.role(name) for name in heirs], lambda roles: "master" in roles, within=30)
    servers.join()
    wait.until(lambda: [cluster.api.is_ready(cluster.node(n)) for n in (1, 2, 3)], all, within=READY_AGAIN)
    servers.start(old)
    wait.until(lambda: servers.ask(old, "ROLE"), lambda role: role[0] == "slave" and role[3] == "connected", within=30)


def wait_until_done(cluster: Cluster, commands: Load) -> int:
    """Wait until each accepted command is done or not known any more; return how many are not known."""
    undone, unknown = {row.command for row in commands.accepted()}, set()

    def look() -> set[str]:
        for command in list(undone):
            status, answer = cluster.api.ask("GET", f"/v1/commands/{command}")
            if status == 404:
                unknown.add(command)
            if status == 404 or (status == 200 and answer["state"] == "done"):
                undone.discard(command)
        return undone

    wait.until(look, lambda left: not left)
    return len(unknown)


def check_who_was_told(cluster: Cluster, fleet: Agents, commands: Load) -> None:
    """Check that some were told of a gap, and among them who ran a command for it alone that is not known any more.

    Only the terminals of a partition that lost something are told. A command for several may be lost where it has its
    home, and not in the partition of a terminal that ran it.
    """
    told = {line["terminal"] for line in fleet.lines("gap")}
    assert told, "nobody was told of a gap"
    alone = [line for line in fleet.lines("run") if len(commands.asked.get(line["payload"], ())) == 1]
    known = {line["command"]: cluster.api.ask("GET", f"/v1/commands/{line['command']}")[0] for line in alone}
    untold = [line for line in alone if known[line["command"]] == 404 and line["terminal"] not in told]
    assert not untold, "not told of a gap, though what they ran is lost"


def run_though_refused(fleet: Agents, commands: Load) -> tuple[str, ...]:
    """Return commands that were run and not accepted: too few servers stored them, which the operator was told.

    They were lost with a master. Nobody may have run what was not meant for it.
    """
    accepted = {row.command for row in commands.accepted()}
    runs = [line for line in fleet.lines("run") if line["command"] not in accepted]
    strangers = [line for line in runs if line["terminal"] not in commands.asked.get(line["payload"], ())]
    assert not strangers
    return tuple({line["command"] for line in runs})


# The store is exported, all servers are emptied, and it is imported with another number of partitions.


@on_several_servers
@pytest.mark.takes(seconds=30)
@pytest.mark.cluster(node_flags="--ping 5s", processes_only=WHY)
def test_what_is_open_in_an_export_runs_once_in_a_store_with_other_partitions(
    process_cluster: ProcessCluster, servers: RedisServers, agents: AgentsFactory, scale: Scale
) -> None:
    cluster, nodes, terminals = process_cluster, ("node1", "node2", "node3"), scale(40, 2000)
    fleet = agents(terminals).online()
    ran = [post(cluster, {"all": True}, f"ran-{number}") for number in range(2)]
    wait.until(lambda: all(fleet.have_run(command) for command in ran))
    wait.until(
        lambda: {cluster.api.get(f"/v1/commands/{command}")["state"] for command in ran}, lambda s: s == {"done"}
    )
    fleet.end()
    cancelled = post(cluster, {"all": True}, "cancelled")
    named = {"terminals": fleet.names()}
    still = [
        post(cluster, target, f"open-{number}") for number, target in enumerate([{"all": True}, named, {"all": True}])
    ]
    assert cluster.api.ask("DELETE", f"/v1/commands/{cancelled}")[0] == 200

    for node in nodes:
        end(cluster, node)
    file = cluster.directory / "export"
    store(cluster, "export", "--out", str(file))
    servers.empty()
    store(cluster, "import", "--partitions", "11", str(file))
    cluster.processes.flags["node"] += ["--partitions", "11"]
    for node in nodes:
        cluster.start(node)

    again = agents(terminals, name="again").online()
    wait.until(lambda: all(again.have_run(command) for command in still))
    last = post(cluster, {"all": True}, "last")
    wait.until(lambda: again.not_exactly([*still, last]), lambda wrong: not wrong)
    states = {command: cluster.api.get(f"/v1/commands/{command}")["state"] for command in [*ran, cancelled]}
    assert states == {**dict.fromkeys(ran, "done"), cancelled: "cancelled"}


def post(cluster: Cluster, target: Json, payload: str) -> str:
    """Post a command, whose payload is its Idempotency-Key too, and return its id."""
    return cluster.api.insist({"target": target, "name": "work", "payload": payload, "expires_in": "1h"}, payload)


def end(cluster: ProcessCluster, node: str) -> None:
    """Stop a node as an operator does, and wait until it has ended."""
    cluster.term(node)
    wait.until(lambda: cluster.runs(node), lambda runs: not runs)


def store(cluster: ProcessCluster, *words: str) -> None:
    """Run `muster-node store` with the secret of the cluster."""
    flags = ["--redis", cluster.processes.redis_url(), "--secret-file", str(cluster.directory / "secret")]
    done = subprocess.run(
        [programs.program("muster-node"), "store", words[0], *flags, *words[1:]], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
