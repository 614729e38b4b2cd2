"""F17, the soak: commands under way for long, while one fault of F1 to F13 after the other strikes.

And the same for one proxy: what may happen to it, drawn by the seed, with sessions that must not be cut.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from muster import process, wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar, SmallDisk
from muster.faults import lease
from muster.faults.line import Line
from muster.fixtures import AgentsFactory, LineFactory, LoadFactory, Scale, need
from muster.local.processes import DidNotStart
from muster.traffic.agents import Agents
from proxy.test_own_files import Certificate
from proxy.test_system_nginx import GHOST, SystemNginx


@pytest.mark.fault(id="F17")
@pytest.mark.long("soak")
@pytest.mark.timeout(3600)
@pytest.mark.cluster(node_flags="--ping 1s", durable=True, lines=True)
def test_nothing_is_lost_doubled_or_swapped_under_one_fault_after_the_other(
    process_cluster: ProcessCluster,
    agents: AgentsFactory,
    load: LoadFactory,
    line: LineFactory,
    scale: Scale,
    seed: int,
) -> None:
    cluster, way = process_cluster, line(process_cluster.proxy())
    fleet = agents(scale(150, 1000), "--first", "1s", url=way.url).online()
    commands = load(fleet, commands=scale(1500, 10000), pace=scale(30, 13))
    schedule = Schedule(cluster, way, seed, lasting=scale(2, 12))
    faults = scale(14, 20)

    for number in range(faults):
        commands.reach((number + 0.5) / faults)
        began = time.monotonic()
        print(f"{commands.done():5} accepted: {schedule.strike()} ({time.monotonic() - began:.1f} s)", flush=True)

    assert commands.judged()
    # Each command was posted with its key until it was accepted: so the last one is the same for all.
    last = cluster.api.insist({"target": {"all": True}, "name": "last"}, f"{seed}-last")
    wait.until(lambda: fleet.have_run(last))
    assert {ran[-1] for ran in fleet.runs().values()} == {last}
    assert not fleet.lines("gap"), "a terminal was told of a gap"


class Schedule:
    """Faults of one cluster, drawn by the seed: each strikes, lasts for a moment, and is over.

    F5 (a store that is emptied) is not among them: nobody can bring back what FLUSHALL takes, and P1's tests show that
    every terminal is told. F14 to F16 and F18 concern limits, which have tests of their own.

    `way` is the line by which the terminals reach Nginx; the cluster must have lines to Redis. `lasting` is about how
    long a fault lasts, in seconds.
    """

    def __init__(self, cluster: ProcessCluster, way: Line, seed: int, lasting: float) -> None:
        self._cluster, self._way, self._lasting = cluster, way, lasting
        self._chance = random.Random(f"{seed} faults")
        self.faults: dict[str, Callable[[], None]] = {
            "F1 a node is killed": self._kill_node,
            "F2 a node is restarted": self._restart_node,
            "F3 a node is stopped, and goes on": self._stop_node,
            "F4 Redis is killed": self._kill_redis,
            "F6 the subscriptions are cut": self._cut_subscriptions,
            "F7 Redis is 200 ms late": self._delay_redis,
            "F8 Nginx is reloaded": cluster.reload,
            "F9 Nginx is killed": self._kill_nginx,
            "F10 30 % of the terminals' connections are reset": self._reset,
            "F11 20 % of the terminals' lines are black holes": self._black_holes,
            "F12 10 % of the terminals read 1 KB/s": self._slow,
            "F13 a node and Redis are parted": self._part,
        }

    def strike(self) -> str:
        """Inject one fault, and return which."""
        name = self._chance.choice(list(self.faults))
        self.faults[name]()
        return name

    def _some_node(self) -> int:
        return self._chance.randint(1, self._cluster.nodes)

    def _last(self) -> None:
        time.sleep(self._lasting * self._chance.uniform(0.5, 1))

    def _kill_node(self) -> None:
        name = f"node{self._some_node()}"
        self._cluster.kill(name)
        self._last()
        self._cluster.start(name)

    def _restart_node(self) -> None:
        name = f"node{self._some_node()}"
        self._cluster.term(name)
        wait.until(lambda: not self._cluster.runs(name))
        self._cluster.start(name)

    def _stop_node(self) -> None:
        name = f"node{self._some_node()}"
        self._cluster.stop(name)
        self._last()
        self._cluster.cont(name)

    def _kill_redis(self) -> None:
        self._cluster.kill("redis")
        self._last()
        self._cluster.start("redis")

    def _cut_subscriptions(self) -> None:
        self._cluster.redis("CLIENT", "KILL", "TYPE", "pubsub")

    def _delay_redis(self) -> None:
        for line in self._cluster.lines.values():
            line.delay(200, 100)
        self._last()
        for line in self._cluster.lines.values():
            line.heal()

    def _kill_nginx(self) -> None:
        self._cluster.kill("nginx")
        self._last()

    def _reset(self) -> None:
        self._way.reset(0.3)

    def _black_holes(self) -> None:
        self._way.hole(0.2)
        self._last()
        self._way.heal()

    def _slow(self) -> None:
        self._way.bandwidth(1000, 0.1)
        self._last()
        self._way.heal()

    def _part(self) -> None:
        line = self._cluster.lines[self._some_node()]
        line.hole()
        self._last()
        line.heal()


# A proxy. Much of what happens to it lasts until its own next turn, so that several faults meet.

TERMINALS = 40
# What lasts, as it is told.
DISK, SNIPPET, TORN, REDIS = "the disk is full", "a snippet is broken", "the certificate is torn", "Redis is away"
PID_FILE, GHOSTLY, HANGS = "the pid file is empty", "a node is there that never answers", "the sidecar hangs"
FOURTH = "a fourth node is there"
NODE_DOWN, NGINX_DOWN, SIDECAR_DOWN = "a node is down", "Nginx is down", "the sidecar is down"
# Seconds after the end of a process within which a terminal learns of it.
NOTICED = 5


@pytest.mark.takes(seconds=100)
@pytest.mark.timeout(7200)
@pytest.mark.cluster(nodes=3, sidecar_flags=f"{AT_ONCE} --access-log /dev/null --retire-over 2s")
def test_whatever_happens_to_a_proxy_it_ends_with_what_should_be_and_cuts_nobody(
    process_cluster: ProcessCluster,
    small_disk: SmallDisk,
    proxy: Sidecar,
    agents: AgentsFactory,
    scale: Scale,
    seed: int,
) -> None:
    need("openssl")
    system = SystemNginx(proxy)
    try:
        turns = Turns(system, Certificate(process_cluster.directory), small_disk, seed)
        wait.until(turns.differs, lambda differs: not differs, within=60)
        fleet = agents(TERMINALS, url=f"ws://{turns.plain}/ws").online(at=process_cluster.node(1))
        for number in range(1, scale(50, 1000) + 1):
            print(f"{number:4} {turns.take()}", flush=True)
            time.sleep(turns.chance.uniform(0, 0.5))
        print(f"taken: {dict(turns.taken)}", flush=True)
        turns.put_right()
        wait.until(turns.differs, lambda differs: not differs, within=120)
        wait.until(lambda: len(fleet.connected()), lambda connected: connected == TERMINALS)
        assert not turns.cut_for_no_reason(fleet)
        fleet.end()
        wait.until(lambda: len(process.nginx_workers(process_cluster.directory)), lambda left: left == 2, within=60)
        # One sidecar and one master of Nginx: nothing that a killed sidecar or an upgrade left behind.
        wait.until(lambda: process.naming(process_cluster.directory), lambda left: len(left) == 2, within=60)
    finally:
        system.down()


class Turns:
    """What may happen to a proxy with TLS, whose Nginx the system runs and whose files are on a small disk.

    Terminals connect to the address `plain`, which a snippet adds, and so need no certificate.
    """

    def __init__(self, system: SystemNginx, certificate: Certificate, disk: SmallDisk, seed: int) -> None:
        self._system, self._certificate = system, certificate
        self._proxy, self._cluster = system.proxy, system.proxy.cluster
        self.chance = random.Random(f"{seed} turns")
        self.taken: Counter[str] = Counter()
        self.plain = f"127.0.0.1:{process.free_port()}"
        self._snippets = self._cluster.directory / "snippets"
        flags = f"--tls-cert {certificate.cert} --tls-key {certificate.key} --snippets {self._snippets}"
        self._proxy.restart(flags)
        self._snippet("plain", f"listen {self.plain};\n")
        self._answer = 0
        self._change_snippet()
        self._ids = {number: self._cluster.id(number, at=self._cluster.node(1)) for number in (1, 2, 3)}
        # What is wrong now, and what puts it right.
        self._wrong: dict[str, Callable[[], object]] = {}
        # The master of before the last upgrade.
        self._old = 0
        # When sessions were cut, in seconds since 1970, and on which node; None for all nodes.
        self._cuts: list[tuple[float, str | None]] = []
        self._lasting: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            DISK: (disk.fill, disk.free),
            SNIPPET: (lambda: self._snippet("own", "location = /own { return 205\n"), self._change_snippet),
            TORN: (certificate.break_key, certificate.renew),
            REDIS: (lambda: self._cluster.kill("redis"), lambda: self._cluster.start("redis")),
            GHOSTLY: (self._publish_ghost, lambda: lease.remove(self._cluster, "ghost")),
            FOURTH: (lambda: self._cluster.start("node4"), lambda: self._end_node("node4")),
            HANGS: (lambda: self._cluster.stop("sidecar"), lambda: self._cluster.cont("sidecar")),
            PID_FILE: (self._empty_pid_file, lambda: system.pid_file.write_text(f"{self._master}\n")),
            NODE_DOWN: (self._kill_node, self._start_node),
            NGINX_DOWN: (self._kill_nginx, system.start),
        }
        self._moments: dict[str, Callable[[], object]] = {
            "a snippet is changed": self._change_snippet,
            "the certificate is renewed": certificate.renew,
            "a node is restarted": self._restart_node,
            "a node flaps": lambda: lease.flap(self._cluster, 2, seconds=0.3),
            "Nginx is upgraded": self._upgrade,
            "the sidecar is killed": lambda: self._restart_sidecar(signal.SIGKILL),
            "the sidecar is hung up": lambda: self._restart_sidecar(signal.SIGHUP),
        }

    # What can't happen while something else lasts: it would be no fault of a proxy, or nobody could do it.
    NOT_DURING = {
        GHOSTLY: {REDIS},
        FOURTH: {REDIS},
        NODE_DOWN: {REDIS},
        "a node flaps": {REDIS},
        "a node is restarted": {REDIS, NODE_DOWN},
        HANGS: {SIDECAR_DOWN},
        PID_FILE: {NGINX_DOWN},
        NGINX_DOWN: {PID_FILE, REDIS},
        "Nginx is upgraded": {PID_FILE, NGINX_DOWN, REDIS},
    }

    def take(self) -> str:
        """Take one turn, and return which."""
        names = (*self._lasting, *self._moments)
        possible = [name for name in names if not self.NOT_DURING.get(name, set()) & self._wrong.keys()]
        # What lasts is more likely to end than to begin, or little else could happen.
        name = self.chance.choice([*possible, *2 * [name for name in possible if name in self._wrong]])
        self.taken[name] += 1
        if name in self._moments:
            return f"{name} {self._moments[name]() or ''}"
        if name in self._wrong:
            self._wrong.pop(name)()
            return f"{name}: over"
        begin, self._wrong[name] = self._lasting[name]
        begin()
        return f"{name}: from now on"

    def put_right(self) -> None:
        """End all that lasts: first what others need, and the sidecar last, which may need all the rest."""
        for name in sorted(self._wrong, key=lambda name: (name == SIDECAR_DOWN, name != REDIS)):
            self._wrong.pop(name)()

    def differs(self) -> list[str]:
        """Return what of the proxy is not as it should be."""
        proxy, state = self._proxy, self._proxy.state()
        nodes = sorted(self._cluster.node(number) for number in self._ids)
        right = {
            "the nodes that are served": sorted(state["served"]) == sorted(state["leased"]) == nodes,
            "a change that waits or fails": not (state["waits"] or state["failing"] or state["own_files_error"]),
            "the generation": proxy.running() == proxy.generation() == state["generation"],
            "the certificate": self._certificate.served_at(proxy.address),
            "the snippet": self._own_answer() == self._answer,
        }
        return [name for name, is_right in right.items() if not is_right]

    def cut_for_no_reason(self, fleet: Agents) -> list[str]:
        """Return the sessions that ended without a close frame, but those of a node or an Nginx that was killed."""
        home: dict[str, str] = {}
        found: list[str] = []
        for line in fleet.lines():
            terminal, at = str(line["terminal"]), line["at"] / 1000
            if line["what"] == "online":
                home[terminal] = str(line["node"])
            elif line["what"] == "offline" and (node := home.pop(terminal, "")):
                has_reason = any(cut <= at <= cut + NOTICED and of in (None, node) for cut, of in self._cuts)
                if "closed by the node" not in line["end"] and not has_reason:
                    found.append(f"{terminal} of {node} at {at:.1f}: {line['end']}")
        return found

    def _snippet(self, name: str, text: str) -> None:
        (self._snippets / "server" / f"{name}.conf").write_text(text)

    def _change_snippet(self) -> None:
        self._answer = 210 + (self._answer + 1) % 80
        self._snippet("own", f"location = /own {{ return {self._answer}; }}\n")

    def _own_answer(self) -> int:
        try:
            return httpx.get(f"http://{self.plain}/own", timeout=5).status_code
        except httpx.HTTPError:
            return 0

    def _kill_node(self) -> None:
        self._down = self.chance.choice((2, 3))
        self._cuts.append((time.time(), self._ids[self._down]))
        self._cluster.kill(f"node{self._down}")

    def _start_node(self, number: int = 0) -> None:
        number = number or self._down
        self._cluster.start(f"node{number}")
        # The lease of before lasts for a while.
        before, at = self._ids[number], self._cluster.node(number)
        self._ids[number] = wait.until(lambda: self._cluster.id(number, at=at), lambda now: now != before)

    def _restart_node(self) -> None:
        number = self.chance.choice((1, 2, 3))
        self._end_node(f"node{number}")
        self._start_node(number)

    def _end_node(self, name: str) -> None:
        """Have a node end as an operator does: it moves its sessions."""
        self._cluster.term(name)
        assert process.gone(self._cluster.pid(name), within=30)

    def _publish_ghost(self) -> None:
        lease.publish(self._cluster, "ghost", GHOST)

    def _empty_pid_file(self) -> None:
        self._master = self._system.pid()
        self._system.pid_file.write_text("")

    def _kill_nginx(self) -> None:
        self._end_old()
        self._cuts.append((time.time(), None))
        # The master first: until it is gone it may start workers, which would hold its ports.
        master = self._system.pid()
        with suppress(ProcessLookupError):
            os.kill(master, signal.SIGKILL)
        process.gone(master)
        process.end_nginx(self._cluster.directory)

    def _upgrade(self) -> None:
        """Replace Nginx's program. The old master stays for as long as its sessions."""
        self._end_old()
        self._old = self._system.pid()
        self._system.upgrade()
        self._system.retire_old()

    def _end_old(self) -> None:
        """Have the nodes end all sessions, if an old master is still there for some: Nginx knows no third one."""
        if process.runs(self._old):
            for number in range(TERMINALS):
                self._cluster.api.ask("DELETE", f"/v1/terminals/agent-{number}/session", at=self._cluster.node(1))
            # Its pid file is gone a moment before it is, and for so long Nginx ignores that it is to be upgraded.
            assert process.gone(self._old, within=30)

    def _restart_sidecar(self, how: signal.Signals) -> str:
        self._wrong.pop(HANGS, lambda: None)()
        if SIDECAR_DOWN not in self._wrong:
            pid = self._cluster.pid("sidecar")
            self._cluster.signal("sidecar", how)
            if not process.gone(pid, within=2):
                return "and goes on"
        try:
            self._cluster.start("sidecar")
        except DidNotStart:
            self._wrong[SIDECAR_DOWN] = lambda: self._cluster.start("sidecar")
            return "and can't be started now"
        self._wrong.pop(SIDECAR_DOWN, None)
        return "and started"
