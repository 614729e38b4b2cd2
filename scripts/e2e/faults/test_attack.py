"""Attackers beside honest terminals: what each kind of attacker meets, and what honest terminals notice of them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from muster import programs, wait
from muster.cluster import Cluster, ProcessCluster
from muster.cluster.sidecar import own_memory
from muster.fixtures import AttackersFactory, Scale
from muster.traffic.agents import Attack
from muster.traffic.loadgen import LEDGER, OK, UNNOTICED, Generator, Run, Server

# What shows that the attackers of a kind are stopped, or are read no faster than others: how their connections end, or
# that writes `stalled`.
READ_NO_FASTER = ("stalled",)
NO_ANSWER = ("closed", "reset")
MEETS = {
    **dict.fromkeys(("pings", "pongs", "messages", "acks", "health", "events"), READ_NO_FASTER),
    "continuations": ("close 1002",),
    "heads": NO_ANSWER,
    "bodies": (*NO_ANSWER, "status 429"),
    "silent": NO_ANSWER,
    "half-handshakes": ("close 4500",),
    "bad-tokens": ("status 429",),
    "bad-keys": ("status 401", "status 429"),
    "large-commands": ("status 429",),
    "event-streams": ("status 429",),
    "churn": ("status 429",),
}
# A session that reads nothing sees its end late, if at all. The counters of nodes tell it, and much of the rest.
COUNTERS = (
    "muster_reads_paused_total",
    'muster_sessions_ended_total{end="wire"}',
    'muster_sessions_ended_total{end="no_heartbeat"}',
    'muster_sessions_ended_total{end="no_hello"}',
    'muster_sessions_closed_total{by="node",code="1002"}',
    'muster_handshakes_refused_total{cause="terminal_rate",status="429"}',
)
# Limits that a small number of attackers meets within seconds, on a busy machine too.
LOW = "--ping 4s --hello-timeout 3s --max-rate 50 --handshakes-per-terminal 1 --refusals-per-address 1"
LOW += " --max-event-streams-per-key 2"
# Other addresses than that of the honest terminals, which is 127.0.0.1.
OTHERS = ",".join(f"127.0.0.{number}" for number in range(2, 10))


def honest(cluster: Cluster, generator: Generator, flags: str, slo: str) -> Callable[[], Run]:
    """Begin a run of honest terminals through Nginx, wait until messages are sent, and return what waits for its end.

    Their operator calls a node directly: at the proxy, calls from the address of the attackers wait behind theirs.
    """
    servers = ["--url", cluster.url(), "--api", f"http://{cluster.node(1)}"]
    running = generator.start("run", *servers, *flags.split(), "--no-tui", "--slo", slo)
    running.sends()
    return running.wait


def counter(cluster: Cluster, name: str) -> int:
    """Return a counter's sum over all nodes."""
    return sum(cluster.api.metric(name, cluster.node(number)) for number in range(1, cluster.nodes + 1))


# Attackers take half a core, which tests beside it would notice.
@pytest.mark.quiet
@pytest.mark.cluster(node_flags=LOW, sidecar_flags="--calls-per-address 5")
def test_each_kind_of_attacker_is_stopped_and_honest_terminals_lose_nothing(
    process_cluster: ProcessCluster, cluster_generator: Generator, attackers: AttackersFactory
) -> None:
    load = "--terminals 200 --ramp 2s --for 30s --broadcasts 1 --commands 2"
    end = honest(process_cluster, cluster_generator, load, UNNOTICED)

    attacking = attackers("--count", "204", "--for", "2m", "--from", "127.0.0.2")
    time.sleep(10)
    wait.until(lambda: [name for name in COUNTERS if not counter(process_cluster, name)], lambda missing: not missing)
    attack = attacking.stop()

    not_stopped = {kind: attack.kinds[kind] for kind, hows in MEETS.items() if not attack.met(kind, *hows)}
    assert not not_stopped and attack.kinds.keys() == {*MEETS, "deaf"}
    assert attack.cores < 0.6, "the attackers took more of the machine than they were told"
    run = end()
    assert run.code == OK, run.out
    assert run.report["connections"]["lost"] == 0 and run.owed() > 0


# With the limits switched off by their flags, nothing stops the same attackers: so the test above fails without them.

OFF = (
    "--ping 1h --hello-timeout 1h --handshakes-per-terminal 9999 --max-event-streams-per-key 9999 --max-rate 999999999"
)
UNSTOPPED = "pings:1,half-handshakes:4,deaf:4,event-streams:9,large-commands:1,churn:2"


@pytest.mark.cluster(nodes=1, node_flags=OFF, sidecar_flags="--calls-per-address 100000")
def test_without_their_limits_attackers_are_not_stopped(
    process_cluster: ProcessCluster, attackers: AttackersFactory
) -> None:
    attack = attackers("--kinds", UNSTOPPED, "--for", "10s").result(within=60)
    met = {kind: attack.met(kind, *MEETS[kind]) for kind in attack.kinds if kind not in ("pings", "deaf")}
    assert met == dict.fromkeys(met, 0) and len(met) == 4
    assert not any(counter(process_cluster, name) for name in COUNTERS)


# 2,000 attackers beside 2,000 terminals. Both share this machine with the cluster: so honest terminals are compared
# with those beside the same attackers of a server that discards what they send.


@contextmanager
def sink(cluster: Cluster) -> Iterator[str]:
    """A server that takes what attackers send and does nothing with it: its URL."""
    server = Server(cluster.directory, "sink", [programs.program("attackers"), "sink"])
    yield f"ws://{server.address}/ws"
    server.end()


class Siege:
    """Honest terminals with attackers beside them, again and again on one cluster."""

    def __init__(
        self, cluster: ProcessCluster, generator: Generator, attackers: AttackersFactory, scale: Scale
    ) -> None:
        self._cluster, self._generator, self._attackers = cluster, generator, attackers
        self._size, self._lasting, self._rest = scale(300, 2000), scale(15, 60), scale(10, 60)

    def storm(self, source: str, url: str = "") -> Callable[[], Attack]:
        """Begin an attack from these addresses. What is returned ends it."""
        flags = ["--count", str(self._size), "--for", "10m", "--cores", "0.5", "--from", source]
        return self._attackers(*flags, url=url).stop

    def beside(self, source: str, url: str = "") -> Run:
        """Run honest terminals beside an attack."""
        load = f"--terminals {self._size} --ramp 5s --warm 5s --for {self._lasting}s --broadcasts 1 --commands 5"
        end = honest(self._cluster, self._generator, load, LEDGER)
        stop = self.storm(source, url)
        run = end()
        attack = stop()
        assert attack.cores < 0.6, "the attackers took more of the machine than they were told"
        return run

    def memory(self) -> dict[str, int]:
        """Return the bytes that nodes, Nginx and Redis hold, some time after an attack."""
        time.sleep(self._rest)
        used = self._cluster.redis("INFO", "memory").split("used_memory:")[1].split()[0]
        nodes = sum(self._cluster.memory(f"node{number}") for number in range(1, self._cluster.nodes + 1))
        return {"nodes": nodes, "nginx": own_memory(self._cluster), "redis": int(used)}


@pytest.mark.long("attack")
@pytest.mark.alone
@pytest.mark.timeout(1800)
@pytest.mark.cluster(node_flags="--ping 5s", sidecar_flags="--sessions 12000", processes_only="memory is of processes")
def test_honest_terminals_beside_as_many_attackers_wait_at_most_twice_as_long_as_beside_a_sink(
    process_cluster: ProcessCluster, cluster_generator: Generator, attackers: AttackersFactory, scale: Scale
) -> None:
    siege = Siege(process_cluster, cluster_generator, attackers, scale)
    # Before anything is compared, what has a bound is filled: registry, events, the kernel's and the allocators' pools.
    siege.beside(OTHERS)
    with sink(process_cluster) as url:
        control = siege.beside(OTHERS, url)
    level = siege.memory()
    for source in (OTHERS, "127.0.0.1"):
        run = siege.beside(source)
        after = siege.memory()
        print(f"from {source}: live p99 {run.live('p99'):.1f} ms, beside the sink {control.live('p99'):.1f} ms")
        print(f"memory {after}, beside the sink {level}")
        assert run.code == OK, run.out
        assert run.report["connections"]["lost"] == 0 and run.owed() > 0
        scale.judge_time(f"live p99 from {source}", run.live("p99") / 1000, 2 * control.live("p99") / 1000)
        grown = {name: after[name] / level[name] for name in level if after[name] > 1.15 * level[name]}
        assert not (scale.full and grown), f"memory grew by these factors: {grown}"
