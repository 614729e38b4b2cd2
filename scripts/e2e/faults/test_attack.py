"""Attackers beside honest terminals: what each kind of attacker meets, and what honest terminals notice of them.

Beside them requests that never end, and a storm of terminals that all come at once.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from muster import programs, wait
from muster.cluster import Cluster, ProcessCluster
from muster.cluster.sidecar import Sidecar, own_memory
from muster.fixtures import AgentsFactory, AttackersFactory, KnockFactory, Scale
from muster.traffic.agents import Agents, Attack
from muster.traffic.knock import Unfinished
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


# Requests that never end, hundreds from one address: each costs kilobytes, all end soon, and terminals get in.

POST = "POST /v1/commands HTTP/1.1\r\nHost: x\r\n"
KEY = "Authorization: Bearer {key}\r\n"
# The head, the bytes of the body that are sent at once, and the bytes that follow each half second.
REQUESTS = {
    "990 kB without a key": (f"{POST}Content-Length: 990000\r\n\r\n", 200_000, 1),
    "250 kB without a key": (f"{POST}Content-Length: 250000\r\n\r\n", 240_000, 0),
    "250 kB with a key": (f"{POST}{KEY}Content-Length: 250000\r\n\r\n", 240_000, 0),
    "chunks with a key": (f"{POST}{KEY}Transfer-Encoding: chunked\r\n\r\n30000\r\n", 190_000, 0),
    "a handshake with a body": (
        "GET /ws?terminal_id=a HTTP/1.1\r\nHost: x\r\nContent-Length: 250000\r\n\r\n",
        240_000,
        1,
    ),
    "a head without an end": ("GET /livez HTTP/1.1\r\nX-Long: ", 3000, 1),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.cluster(nodes=1, node_flags="--ping 25s")
def test_unfinished_requests_cost_little_and_end(
    request_: tuple[str, int, int],
    process_cluster: ProcessCluster,
    proxy: Sidecar,
    agents: AgentsFactory,
    knock: KnockFactory,
    scale: Scale,
) -> None:
    fleet = agents(100).online()
    knocking = knock(20)
    head, body, more = request_
    begin = head.replace("{key}", process_cluster.api.key).encode() + b"x" * body
    attack = Unfinished(proxy.address, scale(200, 1000), begin, b"x" * more)
    outcome = attack.run(lambda: own_memory(process_cluster))
    print(outcome)
    assert outcome.open == 0
    assert outcome.seconds <= 12
    assert outcome.grown < 65536

    wait.until(knocking.decided, lambda decided: decided >= 50)
    knocking.finish()
    assert not knocking.failures() and not fleet.ends()


@pytest.mark.cluster(nodes=1, node_flags="--ping 25s", sidecar_flags="--sessions 100")
def test_half_requests_of_an_address_keep_no_terminal_of_it_out(
    process_cluster: ProcessCluster, proxy: Sidecar, knock: KnockFactory
) -> None:
    knocking = knock(10)
    attack = Unfinished(proxy.address, 480, b"GET /livez HTTP/1.1\r\nX-Long: ", b"x")
    outcome = attack.run(lambda: own_memory(process_cluster))
    assert outcome.open == 0 and outcome.seconds <= 8
    wait.until(knocking.decided, lambda decided: decided >= 30)
    knocking.finish()
    assert not knocking.failures()


@pytest.mark.cluster(nodes=1, node_flags="--ping 25s")
def test_an_address_holds_a_hundred_slow_bodies_at_most(
    process_cluster: ProcessCluster, proxy: Sidecar, knock: KnockFactory
) -> None:
    knocking = knock(20)
    key = f"Bearer {process_cluster.api.key}"
    head = f"{POST}Authorization: {key}\r\nContent-Length: 250000\r\n\r\n"
    attack = Unfinished(proxy.address, 200, head.encode() + b"x" * 100_000, b"x")
    outcome = attack.run(lambda: own_memory(process_cluster), within=12)
    assert outcome.open == 100 and outcome.answers == {"429": 100}
    wait.until(lambda: proxy.metric("errors_answered_total", cause="requests"), lambda counted: counted == 100)
    assert outcome.grown < 65536
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as other:
        assert other.get(f"http://{proxy.address}/v1/nodes", headers={"Authorization": key}).status_code == 200
    knocking.finish()
    assert not knocking.failures()


# Ten times as many handshakes come as the nodes take: those connected notice nothing, and all are in at the end.

# The proxy's own words for a node that it takes for dead.
DEAD = ("no live upstreams", "upstream server temporarily disabled")


@pytest.mark.takes(seconds=39)
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
