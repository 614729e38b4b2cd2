"""A bad request, handshake or session is refused through Nginx with a status or a close code and a reason."""

import re
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from muster import programs
from muster.api import Json
from muster.cluster import Cluster
from muster.traffic.terminal import UPGRADE

pytestmark = pytest.mark.cluster(nodes=2)


@pytest.fixture(autouse=True)
def sound(cluster: Cluster) -> Iterator[None]:
    """Whatever a test sends: no program panics, and the cluster stays ready."""
    yield
    assert cluster.api.ask("GET", "/readyz")[0] == 200
    assert not re.search("panicked|guess-me", cluster.log("node1") + cluster.log("node2") + cluster.log("sidecar"))


def refused(answer: httpx.Response, status: int, says: str) -> None:
    """Demand a problem (RFC 9457) of this status that says why."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem: Json = answer.json()
    assert problem["status"] == status and says in answer.text


def test_requests_that_are_wrong(cluster: Cluster) -> None:
    key = {"Authorization": f"Bearer {cluster.api.key}"}
    nobody = '{"target":{"terminal":"nobody"},"name":"x"}'
    with httpx.Client(base_url=f"http://{cluster.proxy()}", headers=key) as http:
        refused(http.get("/nowhere"), 404, "no such path")
        refused(http.get("/v1/nowhere"), 404, "no such path")
        refused(http.delete("/v1/nodes"), 405, "takes GET")
        refused(http.get("/v1/nodes", headers={"Authorization": ""}), 401, "operator key")
        refused(http.post("/v1/commands", content='{"target":'), 400, "no command")
        unknown = '{"target":{"site":"bj"},"name":"x"}'
        refused(http.post("/v1/commands", content=unknown), 400, "unknown field `site`")
        refused(http.post("/v1/commands", content=nobody), 404, "nobody")
        refused(http.get("/v1/terminals/nobody"), 404, "nobody")


def test_requests_that_are_too_large_or_no_handshake(cluster: Cluster) -> None:
    key = {"Authorization": f"Bearer {cluster.api.key}"}
    with httpx.Client(base_url=f"http://{cluster.proxy()}", headers=key) as http:
        refused(http.post("/v1/commands", content="x" * 300_000), 413, "max-body")
        refused(http.post("/v1/commands", content="x" * 2_000_000), 413, "larger than")
        refused(http.get("/v1/nodes", headers={"X-Large": "x" * 9000}), 400, "Bad Request")
        refused(http.get("/ws?terminal_id=t1"), 426, "handshake")


def test_bytes_that_are_no_http(cluster: Cluster) -> None:
    # Python's own client sends a method with a blank in it, which httpx refuses.
    connection = HTTPConnection(cluster.proxy(), timeout=10)
    connection.request("no method", "/v1/nodes")
    answer = connection.getresponse()
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"no valid HTTP request" in answer.read()


def printed_token(cluster: Cluster, terminal: str, *flags: str) -> str:
    """Return a token as `muster-node token` prints it."""
    command = [programs.program("muster-node"), "token", "--terminal", terminal, *flags]
    done = subprocess.run(command, env={"MUSTER_SECRET": cluster.secret}, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_handshakes_that_are_refused(cluster: Cluster) -> None:
    good, other = printed_token(cluster, "t1"), printed_token(cluster, "t2")
    # {"alg":"none","kid":"k1"}, with the claims of a good one.
    none = f"eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.{good.split('.')[1]}."

    def shake(query: str, bearer: str | None = None) -> httpx.Response:
        headers = {**UPGRADE, **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
        return httpx.get(f"http://{cluster.proxy()}/ws?terminal_id={query}", headers=headers)

    refused(shake("t1"), 401, "Authorization: Bearer")
    refused(shake("t1", other), 403, "another terminal")
    refused(shake("t1", none), 401, "refused")
    refused(shake("t1", cluster.api.key), 401, "not a terminal")
    refused(shake(f"t1&token={good}"), 400, "in the URL")
    refused(shake("a%20b", good), 400, "terminal id must be")
    late = printed_token(cluster, "t1", "--ttl", "1s")
    # The token is valid up to and with its last second, and here no clock but this one counts.
    time.sleep(2)
    refused(shake("t1", late), 401, "expired")


@pytest.mark.parametrize(
    "first", ["hello", '{"type":"ack","id":"x"}', None], ids=["no JSON", "no hello", "nothing for 5 s"]
)
def test_a_session_whose_first_message_is_no_hello_is_closed_with_4500(cluster: Cluster, first: str | None) -> None:
    headers = {"Authorization": f"Bearer {printed_token(cluster, 't1')}"}
    url = f"ws://{cluster.proxy()}/ws?terminal_id=t1"
    with connect(url, subprotocols=["muster.v1"], additional_headers=headers) as session:  # type: ignore[list-item]
        if first is not None:
            session.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            session.recv(timeout=8)
        assert closed.value.rcvd and closed.value.rcvd.code == 4500
