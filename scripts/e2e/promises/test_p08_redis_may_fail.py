"""P8: while Redis is away sessions stay open, new ones are let in and heartbeats go on.

What cannot be stored is refused at once, with 503 and a reason. 5 s after Redis' return, registry, ownership,
subscriptions and missed messages are whole.
"""

import time

import pytest

from muster import wait
from muster.api import Json
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, LoadFactory, Scale
from muster.traffic.agents import Agents


@pytest.mark.takes(seconds=39)
@pytest.mark.promise(id="P8")
@pytest.mark.cluster(durable=True)
def test_sessions_stay_and_all_is_whole_after_redis_hung_and_was_killed(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale, seed: int
) -> None:
    fleet = agents(scale(150, 2000), url=cluster.url(1, 2, 3)).online()
    outage = Outage(cluster, fleet, agents, scale, seed)
    seconds = scale(10, 60)
    commands = load(fleet, commands=scale(900, 9000), pace=60)
    commands.reach(0.1)

    cluster.stop("redis")
    first = outage.goes_on(seconds, "first-")
    cluster.cont("redis")
    outage.is_over([first])

    cluster.kill("redis")
    second = outage.goes_on(seconds, "second-")
    cluster.start("redis")
    outage.is_over([first, second])

    assert not fleet.lines("offline")
    assert commands.judged(besides=tuple(outage.posted))
    scale.judge_time("an operator asked until it was accepted", commands.slowest, seconds + 10)


class Outage:
    """What must hold while Redis is away, and after. Node 1 is asked; `posted` are the commands that this posted."""

    def __init__(self, cluster: Cluster, fleet: Agents, agents: AgentsFactory, scale: Scale, seed: int) -> None:
        self.cluster, self.fleet, self.agents, self.scale, self.seed = cluster, fleet, agents, scale, seed
        self.at = cluster.node(1)
        self.posted: list[str] = []
        first = cluster.id(1)
        rows = cluster.api.pages("/v1/terminals", "terminals")
        self.near = next(row["id"] for row in rows if row["node"] == first)

    def goes_on(self, seconds: float, newcomer: str) -> Agents:
        """Demand what holds while Redis is away, for so many seconds. Return a terminal that has joined meanwhile."""
        began = time.monotonic()
        wait.until(lambda: self.cluster.api.ask("GET", "/readyz", at=self.at)[0], lambda status: status == 503)
        self.refuses_what_must_be_stored()
        self.delivers_what_needs_no_confirmation()
        new = self.agents(1, prefix=newcomer, url=self.cluster.url(2))
        wait.until(lambda: new.lines("online"))
        time.sleep(max(0, began + seconds - time.monotonic()))
        assert not self.fleet.lines("offline"), "a terminal was disconnected"
        return new

    def refuses_what_must_be_stored(self) -> None:
        """Demand a 503 with a reason, at once."""
        asked = time.monotonic()
        status, problem = self.cluster.api.ask(
            "POST", "/v1/commands", {"target": {"all": True}, "name": "x"}, at=self.at
        )
        assert status == 503 and problem["detail"]
        self.scale.judge_time("a command was refused", time.monotonic() - asked, 0.5)

    def delivers_what_needs_no_confirmation(self) -> None:
        """Demand that a terminal of the asked node gets it, and that the answer says that it is not stored."""
        payload = f"now {len(self.posted)}"
        body = {"target": {"terminal": self.near}, "name": "now", "payload": payload, "confirm": "none"}

        def post() -> tuple[int, Json]:
            return self.cluster.api.ask("POST", "/v1/commands", body, at=self.at)

        # Before the node knows that Redis is away, it may have asked Redis and cannot say.
        _, answer = wait.until(post, lambda answer: answer[0] == 202)
        assert answer["stored"] is False
        self.posted.append(answer["id"])
        wait.until(lambda: any(line["payload"] == payload for line in self.fleet.lines("run")))

    def is_over(self, newcomers: list[Agents]) -> None:
        """Demand that everyone is registered and has the next command, 5 s after Redis' return."""
        began = time.monotonic()
        everyone = self.fleet.terminals + len(newcomers)
        wait.until(lambda: self.cluster.online(at=self.at), lambda online: online == everyone)
        key = f"{self.seed}-{newcomers[-1].prefix}"
        command = self.cluster.api.insist({"target": {"all": True}, "name": "x"}, key, at=self.at)
        self.posted.append(command)
        wait.until(lambda: all(some.have_run(command) for some in [self.fleet, *newcomers]))
        self.scale.judge_time("all was whole again", time.monotonic() - began, 5)
