"""A terminal in plain mode that does what a well-behaved client cannot be made to do; and its token."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from muster.cluster import Cluster

# Seconds for which a token is valid: longer than any test.
VALID = 86400
# Bytes that are read at once.
CHUNK = 65536
# Seconds after which a listener that has nothing to read looks whether it was told to leave.
LOOK = 0.2
# What a handshake has besides its path and a token.
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def token(secret: str, terminal: str, seconds: int = VALID) -> str:
    """Return a token for this terminal, signed with `secret` (KID=SECRET), as `muster-node token` makes it."""
    kid, key = secret.split("=", 1)
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    signed = f"{_encoded(header)}.{_encoded({'sub': terminal, 'exp': int(time.time()) + seconds})}"
    return f"{signed}.{_base64(hmac.digest(key.encode(), signed.encode(), hashlib.sha256))}"


def _encoded(part: Mapping[str, object]) -> str:
    return _base64(json.dumps(part).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Refused(Exception):
    """The handshake failed: `status` and `headers` of the answer, or 0 and no headers if there was no answer.

    The names of `headers` are in lower case.
    """

    def __init__(self, status: int, headers: Mapping[str, str], why: str = "") -> None:
        super().__init__(f"{status} {why or dict(headers)}")
        self.status, self.headers = status, headers


class Terminal:
    """One connection of a terminal to `address` (HOST:PORT). Raises `Refused` if it is not let in.

    It reads only in `receive`, where it also answers pings: whoever does not call `receive` has a terminal that has
    stopped reading. It does not answer a close frame, and keeps the connection until `close`. `timeout`: the seconds
    that each step of the handshake may take.
    """

    def __init__(self, cluster: Cluster, address: str, terminal: str, timeout: float = 10) -> None:
        # The protocol without input and output: the library's clients read and close by themselves.
        self._protocol = ClientProtocol(parse_uri(f"ws://{address}/ws?terminal_id={terminal}"), max_size=None)
        host, port = address.rsplit(":", 1)
        try:
            self._socket = socket.create_connection((host, int(port)), timeout)
        except OSError as error:
            raise Refused(0, {}, str(error)) from None
        try:
            self._shake_hands(token(cluster.secret, terminal))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _shake_hands(self, bearer: str) -> None:
        request = self._protocol.connect()
        request.headers["Authorization"] = f"Bearer {bearer}"
        self._protocol.send_request(request)
        try:
            self._flush()
            self._read_answer()
        except OSError as error:
            raise Refused(0, {}, str(error)) from None
        failed = self._protocol.handshake_exc
        if isinstance(failed, InvalidStatus):
            headers = {name.lower(): value for name, value in failed.response.headers.raw_items()}
            raise Refused(failed.response.status_code, headers)
        if isinstance(failed, InvalidMessage):
            raise Refused(0, {}, str(failed))
        if failed:
            raise failed

    def _read_answer(self) -> None:
        """Read until the answer is there, or the connection has ended. What comes after it stays in `_events`."""
        self._events: list[object] = []
        while not self._events and not self._protocol.handshake_exc:
            data = self._socket.recv(CHUNK)
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            self._events += self._protocol.events_received()
        self._events = [event for event in self._events if not isinstance(event, Response)]

    def receive(self, timeout: float = 10) -> str | int | None:
        """Return the next text, or a close frame's code, or None if neither came within `timeout` seconds.

        0 means that the connection has ended, without a close frame or after it.
        """
        end = time.monotonic() + timeout
        try:
            while (received := self._next()) is None:
                self._read(end - time.monotonic())
        except TimeoutError:
            return None
        except (OSError, EOFError):
            return 0
        return received

    def _next(self) -> str | int | None:
        while self._events:
            event = self._events.pop(0)
            assert isinstance(event, Frame), event
            if event.opcode is Opcode.TEXT:
                return bytes(event.data).decode()
            if event.opcode is Opcode.CLOSE:
                return int(Close.parse(event.data).code)
        return None

    def _read(self, timeout: float) -> None:
        """Read once, and answer pings. Raises TimeoutError, or EOFError if the connection has ended."""
        if timeout <= 0:
            raise TimeoutError
        self._socket.settimeout(timeout)
        data = self._socket.recv(CHUNK)
        if not data:
            raise EOFError
        assert self._protocol.close_rcvd is None, "the node sent more after a close frame"
        self._protocol.receive_data(data)
        if self._protocol.parser_exc:
            raise self._protocol.parser_exc
        self._events += self._protocol.events_received()
        # After a close frame the library has an answer ready, which this terminal does not give.
        if self._protocol.close_rcvd is None:
            self._flush()

    def say(self, text: str) -> None:
        """Send a text, which the node reports as an event."""
        self._protocol.send_text(text.encode())
        self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            self._socket.sendall(data)

    def close(self) -> None:
        """End the connection without a close frame."""
        with suppress(OSError):
            self._socket.close()


class Listener:
    """A `Terminal` at a node, which reads until `leave`, while the test does something else.

    It obeys no close code, and it answers pings.
    """

    def __init__(self, cluster: Cluster, number: int, terminal: str) -> None:
        self.number, self.terminal = number, terminal
        self._cluster = cluster
        self._heard: list[str | int] = []
        self._failed: BaseException | None = None
        self._left = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            with Terminal(self._cluster, self._cluster.node(self.number), self.terminal) as terminal:
                while not self._left.is_set() and 0 not in self._heard:
                    heard = terminal.receive(LOOK)
                    if heard is not None:
                        self._heard.append(heard)
        except BaseException as error:
            self._failed = error

    @property
    def heard(self) -> list[str | int]:
        """What it received so far, in order: texts, a close frame's code, and 0 for the end of the connection.

        Raises what went wrong with the connection, for example `Refused`.
        """
        if self._failed:
            raise self._failed
        return self._heard

    def leave(self) -> None:
        """End the connection without a close frame, within `LOOK` seconds."""
        self._left.set()
