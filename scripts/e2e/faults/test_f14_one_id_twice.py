"""F14: two clients use one terminal id. P4 promises that one of them owns it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from muster import wait
from muster.api import Events
from muster.cluster import Cluster
from muster.fixtures import ListenFactory, Scale
from muster.traffic.listener import Listener
from muster.traffic.terminal import Refused, Terminal

# The close code of a session that a newer one has replaced.
REPLACED = 4509
# Seconds in which the loser of a race would have received what its winner did.
MOMENT = 0.1


@pytest.mark.fault("F14")
@pytest.mark.promise("P4")
@pytest.mark.cluster(node_flags="--ping 60s")
def test_one_of_two_clients_that_race_to_two_nodes_owns_the_id(
    cluster: Cluster, listen: ListenFactory, scale: Scale
) -> None:
    nodes = {number: cluster.id(number) for number in (2, 3)}
    for first in range(0, scale(100, 1000), 20):
        # Both clients of an id connect at once.
        races = {f"race-{n}": [listen(number, f"race-{n}") for number in (2, 3)] for n in range(first, first + 20)}
        owners = race(cluster, races)
        for terminal, clients in races.items():
            (loser,) = losers(clients)
            (winner,) = (each for each in clients if each is not loser)
            assert loser.heard[0] == REPLACED and "yours" not in loser.heard
            assert winner.heard == ["yours"]
            assert owners[terminal] == nodes[winner.number]
            loser.leave()
            winner.leave()


def race(cluster: Cluster, races: dict[str, list[Listener]]) -> dict[str, str]:
    """Wait until all races are decided, and send the owners a message. Return each owner's node, by the registry."""
    wait.until(lambda: all(len(losers(clients)) == 1 for clients in races.values()))
    rows = cluster.api.pages("/v1/terminals?prefix=race-&status=online", "terminals", at=cluster.node(2))
    body = {"target": {"terminals": list(races)}, "name": "who", "payload": "yours"}
    cluster.api.post(body, at=cluster.node(2))
    wait.until(lambda: all(any("yours" in each.heard for each in clients) for clients in races.values()))
    time.sleep(MOMENT)
    return {row["id"]: row["node"] for row in rows}


def losers(clients: list[Listener]) -> list[Listener]:
    """Return those whose session was replaced."""
    return [each for each in clients if REPLACED in each.heard]


@pytest.mark.fault("F14")
@pytest.mark.promise("P4")
@pytest.mark.cluster(nodes=2, node_flags="--ping 60s")
def test_two_clients_that_take_one_id_from_each_other_are_slowed_down(cluster: Cluster, scale: Scale) -> None:
    seconds = scale(9, 15)
    events = Events(cluster.api, cluster.node(1))
    end = time.monotonic() + seconds

    def come_back(number: int) -> int:
        """Connect again whenever the session has ended, as other people's clients do. Return how many there were."""
        sessions = 0
        while time.monotonic() < end:
            try:
                with Terminal(cluster, cluster.node(number), "twin") as twin:
                    sessions += 1
                    twin.receive(end - time.monotonic())
            except Refused:
                continue
        return sessions

    with ThreadPoolExecutor() as twins:
        sessions = sum(twins.map(come_back, (1, 2)))

    assert sessions < 5 * seconds
    assert events.of("terminal.contested")
