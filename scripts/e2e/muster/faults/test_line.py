"""Each fault of a line does what it says, and nothing else.

Times are bounded from below only: a busy machine is late, and never early.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from muster import process
from muster.faults.line import Line

Dial = Callable[[], socket.socket]


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield process.address(listener)


def accept(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()


def serve(stream: socket.socket) -> None:
    with suppress(OSError), stream:
        while data := stream.recv(65536):
            stream.sendall(data)


@pytest.fixture
def line(echo: str, seed: int) -> Iterator[Line]:
    """A good line to that server."""
    made = Line(echo, seed)
    yield made
    made.close()


@pytest.fixture
def dial(line: Line) -> Iterator[Dial]:
    """Connects through the line, without waiting for an answer."""
    with ExitStack() as streams:

        def connect() -> socket.socket:
            host, port = line.address.split(":")
            return streams.enter_context(socket.create_connection((host, int(port)), 20))

        yield connect


@pytest.fixture
def connected(dial: Dial) -> Dial:
    """Connects through the line, and has heard the server."""

    def connect() -> socket.socket:
        stream = dial()
        stream.sendall(b"hello")
        assert receive(stream, 5) == b"hello"
        return stream

    return connect


def receive(stream: socket.socket, count: int) -> bytes:
    back = b""
    while len(back) < count and (piece := stream.recv(65536)):
        back += piece
    return back


def is_silent(stream: socket.socket) -> bool:
    """Return whether nothing comes for a while."""
    stream.settimeout(0.3)
    try:
        stream.recv(1)
    except TimeoutError:
        return True
    finally:
        stream.settimeout(20)
    return False


def test_a_good_line_changes_nothing(connected: Dial) -> None:
    data = bytes(range(256)) * 4096
    stream = connected()
    threading.Thread(target=stream.sendall, args=(data,)).start()
    assert receive(stream, len(data)) == data


@pytest.mark.parametrize(("count", "through"), [(0, 1), (1, 2), (2, 4)])
def test_requests_are_held_when_some_have_passed_however_they_are_cut(count: int, through: int, seed: int) -> None:
    keys = (b"one", b"x\r\n1", b"two", b"x\r\n2")
    requests = [b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key) for key in keys]
    first, rest = b"".join(requests[:through]), b"".join([*requests[through:], requests[0]])
    with socket.create_server(("127.0.0.1", 0)) as server, closing(Line(process.address(server), seed)) as line:
        host, port = line.address.split(":")
        line.hold(r"x\r\n\d", count)
        with socket.create_connection((host, int(port)), 20) as client, server.accept()[0] as redis:
            redis.settimeout(20)
            sent = b"".join(requests)
            for at in range(0, len(sent), 7):
                client.sendall(sent[at : at + 7])
                time.sleep(0.002)
            assert receive(redis, len(first)) == first
            assert is_silent(redis) and line.holds()
            line.heal()
            client.sendall(requests[0])
            assert receive(redis, len(rest)) == rest


def test_delay_is_in_both_directions_and_keeps_the_order(line: Line, connected: Dial) -> None:
    stream = connected()
    line.delay(100, 50)
    for number in range(20):
        last = time.monotonic()
        stream.sendall(bytes([number]))
        time.sleep(0.005)
    assert receive(stream, 20) == bytes(range(20))
    # At least 50 ms in each direction.
    assert time.monotonic() - last >= 0.1


def test_bandwidth_is_a_limit_until_the_line_is_healed(line: Line, connected: Dial) -> None:
    stream = connected()
    line.bandwidth(10_000)
    began = time.monotonic()
    stream.sendall(b"x" * 5000)
    assert receive(stream, 5000) == b"x" * 5000
    assert time.monotonic() - began >= 0.4
    line.heal()
    stream.sendall(b"fast")
    assert receive(stream, 4) == b"fast"


def test_a_hole_is_silent_and_loses_nothing_once_it_is_over(line: Line, connected: Dial, dial: Dial) -> None:
    stream = connected()
    line.hole()
    stream.sendall(b"lost?")
    assert is_silent(stream)
    late = dial()
    late.sendall(b"me too")
    assert is_silent(late)
    line.heal()
    assert receive(stream, 5) == b"lost?"
    assert receive(late, 6) == b"me too"


def test_a_cut_ends_the_connection(line: Line, connected: Dial) -> None:
    stream = connected()
    assert line.cut() == 1
    assert stream.recv(1) == b""


def test_a_reset_is_an_error(line: Line, connected: Dial) -> None:
    stream = connected()
    assert line.reset() == 1
    with pytest.raises(ConnectionResetError):
        stream.recv(1)


def test_a_share_concerns_so_many_and_none_that_come_later(line: Line, connected: Dial) -> None:
    streams = [connected() for _ in range(10)]
    assert line.hole(0.3) == 3
    for stream in streams:
        stream.sendall(b"?")
    assert sum(is_silent(stream) for stream in streams) == 3
    connected()


def test_the_seed_chooses_the_connections(echo: str, seed: int) -> None:
    assert chosen(echo, seed) == chosen(echo, seed) != chosen(echo, seed + 1)


def chosen(echo: str, seed: int) -> list[bool]:
    """Return which of 40 connections a cut of the half of them has ended."""
    with closing(Line(echo, seed)) as line, ExitStack() as streams:
        host, port = line.address.split(":")
        made = []
        for _ in range(40):
            made.append(streams.enter_context(socket.create_connection((host, int(port)), 20)))
            # The line has this connection before the next one.
            made[-1].sendall(b"hello")
            assert receive(made[-1], 5) == b"hello"
        assert line.cut(0.5) == 20
        return [has_ended(stream) for stream in made]


def has_ended(stream: socket.socket) -> bool:
    """Return whether the connection has ended. It has not if it still answers."""
    with suppress(OSError):
        stream.sendall(b"?")
        return stream.recv(1) == b""
    return True


def test_the_end_of_one_direction_goes_through(connected: Dial) -> None:
    stream = connected()
    stream.shutdown(socket.SHUT_WR)
    assert stream.recv(1) == b""


def test_what_is_no_order_is_refused(line: Line) -> None:
    with pytest.raises(RuntimeError, match="no such order"):
        line._order("explode")
    assert line.connections() == 0
