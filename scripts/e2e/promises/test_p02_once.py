"""P2: accepted means stored. A command is delivered at least once, run once, and never after it has expired."""

import time

import pytest

from muster import wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale

# Seconds after which a command expires whose terminal is away.
EXPIRES = 2


@pytest.mark.promise(id="P2")
def test_commands_that_expired_while_their_terminal_was_away_are_not_run(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    agents(1, prefix="late-").online().end()
    wait.until(lambda: cluster.api.get("/v1/terminals/late-0")["status"], lambda status: status == "offline")
    body = {"target": {"terminal": "late-0"}, "name": "late", "expires_in": f"{EXPIRES}s"}
    commands = [cluster.api.post(body)["id"] for _ in range(scale(20, 200))]
    # The terminal comes back when all of them have expired.
    time.sleep(EXPIRES)

    back = agents(1, prefix="late-", name="late-again").online()

    new = cluster.api.post({"target": {"terminal": "late-0"}, "name": "new"})["id"]
    wait.until(lambda: back.have_run(new))
    assert back.runs()["late-0"] == [new]
    wait.until(lambda: sum(cluster.api.counts(command).get("expired", 0) for command in commands) == len(commands))


@pytest.mark.promise(id="P2")
def test_no_command_is_shown_confirmed_that_its_terminal_did_not_confirm(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    mute = scale(7, 37)
    fleet = agents(scale(100, 1000), "--mute", str(mute), "--results").online()
    frozen = agents(1, prefix="frozen-").online()
    frozen.freeze()
    body = {"target": {"terminals": fleet.names()}, "name": "work", "confirm": "result", "expires_in": "5s"}
    work = cluster.api.post(body)["id"]
    stuck = cluster.api.post({"target": {"terminal": "frozen-0"}, "name": "work", "expires_in": "4s"})["id"]
    states: set[str] = set()

    def both_are_done() -> bool:
        states.add(cluster.api.pages(f"/v1/commands/{stuck}/targets", "targets")[0]["state"])
        return all(cluster.api.get(f"/v1/commands/{command}")["state"] == "done" for command in (work, stuck))

    wait.until(both_are_done)
    sent = {row["terminal"] for row in cluster.api.pages(f"/v1/commands/{work}/targets?state=sent", "targets")}
    assert sent == set(fleet.names()[:mute]), "exactly the mute terminals are in `sent`"
    assert cluster.api.counts(work)["succeeded"] == fleet.terminals - mute
    assert states <= {"queued", "sent"}, "a frozen terminal never passes `sent`"
    assert "sent" in states


@pytest.mark.promise(id="P2")
@pytest.mark.cluster(durable=True)
def test_accepted_commands_are_run_once_while_subscriptions_a_node_and_redis_fail(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(100, 1000), prefix="worker-").online()
    commands = load(fleet, commands=scale(800, 10000), pace=scale(80, 120))
    cuts = scale(3, 20)
    faults = ["subscriptions"] * cuts
    faults.insert(cuts // 3, "node2")
    faults.insert(2 * (cuts + 1) // 3 + 1, "redis")

    for number, fault in enumerate(faults, start=1):
        commands.reach(number / (len(faults) + 1))
        if fault == "subscriptions":
            cluster.redis("CLIENT", "KILL", "TYPE", "pubsub")
        else:
            cluster.kill(fault)
            # The time for which it is away.
            time.sleep(1)
            cluster.start(fault)

    assert commands.judged()
