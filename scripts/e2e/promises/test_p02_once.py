"""P2: accepted means stored. A command is delivered at least once, run once, and never after it has expired."""

import time

import pytest

from muster import wait
from muster.api import Json
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


# A rollout sends its command in waves: each terminal gets it once, or not at all.


def roll_out(cluster: Cluster, waves: list[Json], **fields: Json) -> str:
    """Make a rollout for all terminals, which answer with results. Return its path."""
    body = {"target": {"all": True}, "command": {"name": "update", "confirm": "result"}, "waves": waves, **fields}
    status, made = cluster.api.ask("POST", "/v1/rollouts", body)
    assert status == 201, made
    return f"/v1/rollouts/{made['id']}"


def becomes(cluster: Cluster, path: str, state: str) -> Json:
    """Wait until a rollout is in this state, and return it."""
    return wait.until(lambda: cluster.api.get(path), lambda rollout: rollout["state"] == state)


@pytest.mark.promise(id="P2")
def test_a_canary_in_which_three_of_ten_fail_stops_and_no_other_terminal_is_sent_the_command(
    cluster: Cluster, agents: AgentsFactory
) -> None:
    fleet = agents(2000, "--results", "--fail", "3").online()

    path = roll_out(cluster, [{"count": 10}, {"rest": True}], stop={"failed": 0.2, "minimum": 10})

    stopped = becomes(cluster, path, "stopped")
    assert "wave 1: 3 of the 10" in stopped["reason"], stopped["reason"]
    assert stopped["waves"][0]["counts"] == {"failed": 3, "succeeded": 7}
    assert (stopped["unsent"], stopped["waves"][1]["commands"]) == (1990, [])
    assert sum(len(ran) for ran in fleet.runs().values()) == 10
    assert len(cluster.api.pages("/v1/commands", "commands")) == 1


@pytest.mark.promise(id="P2")
def test_a_rollout_is_carried_on_while_each_node_is_killed_in_turn(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    fleet = agents(scale(120, 1000), "--results", memory=True).online()
    # Terminals of a node that was killed answer when they are back.
    rules = {"advance": {"succeeded": 1, "within": "2m"}, "stop": {"failed": 0, "silent": 0}}

    path = roll_out(cluster, [{"percent": 10}, {"percent": 20}, {"percent": 30}, {"rest": True}], **rules)

    for node in ("node1", "node2", "node3"):
        cluster.kill(node)
        # The time for which it is away.
        time.sleep(1)
        cluster.start(node)
    done = becomes(cluster, path, "done")
    assert [sum(wave["counts"].values()) for wave in done["waves"]] == [
        fleet.terminals * percent // 100 for percent in (10, 20, 30, 40)
    ]
    assert all(set(wave["counts"]) == {"succeeded"} and len(wave["commands"]) == 1 for wave in done["waves"])
    assert all(len(ran) == 1 for ran in fleet.runs().values())


@pytest.mark.promise(id="P2")
def test_a_paced_wave_that_is_paused_and_resumed_loses_and_repeats_nothing(
    cluster: Cluster, agents: AgentsFactory, scale: Scale
) -> None:
    fleet = agents(scale(100, 1000), "--results").online()
    path = roll_out(cluster, [{"rest": True, "rate": scale(10, 50)}])

    def ran() -> int:
        return sum(len(commands) for commands in fleet.runs().values())

    wait.until(ran, lambda count: count > fleet.terminals // 5)
    assert cluster.api.ask("POST", f"{path}/pause")[0] == 200
    first = cluster.api.get(path)["waves"][0]["commands"][0]
    wait.until(lambda: cluster.api.get(f"/v1/commands/{first}")["state"], lambda state: state == "cancelled")
    wait.until(
        lambda: (ran(), cluster.api.get(path)["waves"][0]["counts"]), lambda now: now[1] == {"succeeded": now[0]}
    )
    held = ran()
    assert held < fleet.terminals
    # The time in which nothing is sent.
    time.sleep(2)
    assert ran() == held
    assert cluster.api.ask("POST", f"{path}/resume")[0] == 200

    done = becomes(cluster, path, "done")
    assert done["waves"][0]["counts"] == {"succeeded": fleet.terminals}
    assert all(len(commands) == 1 for commands in fleet.runs().values())
