"""Terminals of the tests hear what the other side does, and obey none of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from types import SimpleNamespace
from typing import cast

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from muster.cluster import Cluster
from muster.traffic.terminal import Refused, Terminal

CLUSTER = cast(Cluster, SimpleNamespace(secret=f"k1={'0123456789abcdef' * 2}"))


@contextmanager
def server(process_request: object = None) -> Iterator[str]:
    """A server that says "hello", then tells the code 4509, and waits for 1 s for an answer. Its address."""
    with serve(greet, "127.0.0.1", 0, close_timeout=1, process_request=process_request) as made:  # type: ignore[arg-type]
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield address(made)


def greet(connection: ServerConnection) -> None:
    connection.send("hello")
    if connection.recv() == "leave me":
        connection.close(4509)


def address(made: Server) -> str:
    """Return HOST:PORT."""
    return "{}:{}".format(*made.socket.getsockname())


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
        Terminal(CLUSTER, "{}:{}".format(*silent.getsockname()), "t1", timeout=0.2)
    assert refused.value.status == 0
    with pytest.raises(Refused) as refused:
        Terminal(CLUSTER, "{}:{}".format(*silent_address()), "t1")
    assert refused.value.status == 0


def silent_address() -> tuple[str, int]:
    """Return an address on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        host, port = closed.getsockname()
        return str(host), int(port)
