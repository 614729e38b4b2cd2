"""Requests that never end, hundreds from one address: each costs kilobytes, all end soon, and terminals get in."""

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import Sidecar, own_memory
from muster.fixtures import AgentsFactory, KnockFactory, Scale
from muster.traffic.unfinished import Unfinished

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


@pytest.mark.cluster(nodes=1)
def test_the_largest_body_is_the_limit(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    headers = {"Authorization": f"Bearer {process_cluster.api.key}"}
    assert proxy.status("/v1/commands", body=bytes(262144), headers=headers) == 400, "it is no command"
    assert proxy.status("/v1/commands", body=bytes(262145), headers=headers) == 413
