"""F17: the soak: commands under way for long, while one fault of F1 to F13 after the other strikes."""

import time

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.faults.schedule import Schedule
from muster.fixtures import AgentsFactory, LineFactory, LoadFactory, Scale


@pytest.mark.fault("F17")
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
