"""Terminals of the tests hear all, obey nothing, and take their chance from the seed; and they leak nothing."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from muster import process, wait
from muster.cluster import Cluster, ProcessCluster
from muster.judge import Accepted, Run, Told, judge, peak, returns, span
from muster.traffic.agents import Agents, AgentsConfig
from muster.traffic.knock import Knock
from muster.traffic.terminal import Refused, Terminal, token

CLUSTER = cast(Cluster, SimpleNamespace(secret=f"k1={'0123456789abcdef' * 2}"))


@contextmanager
def server(process_request: object = None) -> Iterator[str]:
    """A server that says "hello", then tells the code 4509, and waits for 1 s for an answer. Its address."""
    with serve(greet, "127.0.0.1", 0, close_timeout=1, process_request=process_request) as made:  # type: ignore[arg-type]
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield process.address(made.socket)


def greet(connection: ServerConnection) -> None:
    connection.send("hello")
    if connection.recv() == "leave me":
        connection.close(4509)


def test_a_terminal_hears_texts_then_the_close_code_then_the_end() -> None:
    with server() as at, Terminal(CLUSTER, at, "t1") as terminal:
        assert terminal.receive() == "hello"
        assert terminal.receive(0.1) is None
        terminal.say("leave me")
        assert terminal.receive() == 4509
        assert terminal.receive(0.1) is None, "the server still waits for the answer"
        assert terminal.receive() == 0


def test_a_refused_handshake_has_its_status_and_headers() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(HTTPStatus.TOO_MANY_REQUESTS, "later\n")
        response.headers["Retry-After"] = "7"
        return response

    with server(refuse) as at, pytest.raises(Refused) as refused:
        Terminal(CLUSTER, at, "t1")
    assert (refused.value.status, refused.value.headers["retry-after"]) == (429, "7")


def test_a_handshake_without_an_answer_has_status_0() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Refused) as refused:
        Terminal(CLUSTER, process.address(silent), "t1", timeout=0.2)
    assert refused.value.status == 0
    with pytest.raises(Refused) as refused:
        Terminal(CLUSTER, f"127.0.0.1:{process.free_port()}", "t1")
    assert refused.value.status == 0


# The delays before terminals come back follow from the seed.


def knocks_delays(cluster: Cluster, number: int, seed: int) -> list[str]:
    """Return the delays of ten handshakes with a closed port."""
    knock = Knock(cluster, 100, f"knock{number}", prefix="knock", seed=seed)
    wait.until(knock.decided, lambda decided: decided >= 10)
    knock.finish()
    lines = [line.split() for line in knock.log.read_text().splitlines()]
    return [line[-1] for line in sorted(lines, key=lambda line: int(line[1].split("-")[1])) if line[2] == "offline"][
        :10
    ]


def agents_delays(cluster: Cluster, number: int, seed: int) -> list[int]:
    """Return the first delays of ten terminals that meet a closed port."""
    agents = Agents(cluster, AgentsConfig(10, seed=seed, prefix="agent-", name=f"agents{number}"))
    wait.until(agents.disconnected, lambda met: len(met) == 10)
    agents.end()
    first = {line["terminal"]: line["retry_ms"] for line in reversed(agents.lines("offline"))}
    return [first[name] for name in agents.names()]


@pytest.mark.parametrize("delays", [knocks_delays, agents_delays])
def test_the_same_seed_makes_the_same_delays(
    tmp_path: Path, delays: Callable[[Cluster, int, int], list[object]]
) -> None:
    at = f"127.0.0.1:{process.free_port()}"
    cluster = cast(Cluster, SimpleNamespace(directory=tmp_path, secret=CLUSTER.secret, url=lambda: f"ws://{at}/ws"))
    first, second, other = (delays(cluster, number, seed) for number, seed in enumerate((7, 7, 8)))
    assert first == second != other


# The judge: each kind of fault is found, and nothing else.

ACCEPTED = [Accepted("c1", ["t1", "t2"], "all"), Accepted("c2", ["t1"], "all")]
RAN = [Run("c1", "t1"), Run("c1", "t2"), Run("c2", "t1")]
TOLD = [Told("c1", "t1", "acked"), Told("c1", "t2", "succeeded"), Told("c2", "t1", "running")]


def test_nothing_is_wrong_where_all_agree() -> None:
    assert judge(ACCEPTED, RAN, TOLD)


def test_nothing_owed_is_no_success() -> None:
    assert not judge([], [], [])


@pytest.mark.parametrize(
    ("kind", "ran", "told"),
    [
        ("accepted lost", RAN[:2], [*TOLD[:2], Told("c2", "t1", "queued")]),
        ("run twice", [*RAN, RAN[0]], TOLD),
        ("run and not asked for", [*RAN, Run("c2", "t2")], TOLD),
        ("out of order", [RAN[2], *RAN[:2]], TOLD),
        ("confirmed and not run", RAN, [*TOLD, Told("c3", "t1", "acked")]),
        ("run and not confirmed", RAN, [*TOLD[:2], Told("c2", "t1", "sent")]),
        ("targets not told of", RAN, TOLD[:2]),
    ],
)
def test_each_kind_of_fault_is_found(kind: str, ran: list[Run], told: list[Told]) -> None:
    verdict = judge(ACCEPTED, ran, told)
    assert verdict.faults[kind] and not verdict


# Even returns are told from uneven ones.


def test_only_returns_count_and_only_those_since_a_moment() -> None:
    times = {10: "online", 11: "offline", 12: "online", 21: "offline", 23: "online"}
    lines = [{"terminal": "t1", "at": at * 1000, "what": what} for at, what in times.items()]
    assert returns(lines, since=10) == [2, 13]
    assert returns(lines, since=20) == [3]


def test_span_and_peak_of_even_and_uneven_returns() -> None:
    even = [number / 100 for number in range(1000)]
    assert 9.7 < span(even) < 9.9 and peak(even, 10) == 1
    assert span([*[5.0] * 990, *even[:10]]) == 0 and peak([5.0] * 100, 10) == 10


# At the end of each test of a cluster, the library looks for secrets where others could read them.


@pytest.mark.cluster(nodes=1)
def test_a_secret_that_leaks_is_found_wherever_it_is(process_cluster: ProcessCluster) -> None:
    cluster, planted = process_cluster, "planted-0123456789"
    assert cluster.leaks() == []
    cluster.secrets.add(planted)
    with (cluster.directory / "node1.log").open("a") as log:
        print(f"the key is {planted}", file=log)
    cluster.redis("SET", "other", planted)
    process.launch(cluster.directory, "leaky", [sys.executable, "-c", "import time; time.sleep(600)", planted])
    cluster.api.ask("GET", f"/v1/terminals/{planted}")
    found = {place.partition("/")[0] for place in cluster.leaks()}
    assert found >= {"node1.log", "appendonlydir", "the title of leaky", "an error of the API"}

    # What was planted is no secret any more, else the end of this test would find it.
    cluster.secrets.remove(planted)
    assert cluster.leaks() == []
    said = cluster.directory / "said.out"
    said.write_text(token(cluster.secret, "t1"))
    assert cluster.leaks() == ["said.out"]
    said.unlink()
