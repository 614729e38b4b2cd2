"""F17, the soak: commands under way for long, while one fault of F1 to F13 after the other strikes."""

import random
import time
from collections.abc import Callable

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.faults.line import Line
from muster.fixtures import AgentsFactory, LineFactory, LoadFactory, Scale


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
