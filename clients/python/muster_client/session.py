"""One connection of a terminal, from the handshake to its end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from muster_client.end import End, closed, lost, refused
from muster_client.frames import Frame, read

V1 = Subprotocol("muster.v1")
LARGEST = 1 << 20
"""The largest message of a node, in bytes."""
MISSED_PINGS = 3
"""After so many ping intervals without anything from the node the connection is lost."""
CLOSING = 1.0
"""How long a close may take, in seconds."""


class Line(ClientConnection):
    """A WebSocket that knows when anything came last, pings too."""

    heard = 0.0
    """When that was, on the clock that is never set."""
    is_greeted = False
    """Whether the welcome came."""

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self.heard = time.monotonic()
        super().data_received(data)


class Ended(Exception):  # noqa: N818 - no error of the program
    """A session, or an attempt to open one, has ended."""

    def __init__(self, end: End) -> None:
        super().__init__(end.why)
        self.end = end


class Session:
    """A session that is open."""

    def __init__(self, line: Line, welcome: Frame, goodbye: float | None) -> None:
        self.welcome = welcome
        self._line = line
        self._goodbye = goodbye
        ping_ms = welcome.get("ping_ms")
        self._silence = ping_ms * MISSED_PINGS / 1000 if isinstance(ping_ms, int) and ping_ms > 0 else None

    @classmethod
    async def open(cls, url: str, token: str | None, hello: str, deadline: float, options: dict[str, Any]) -> "Session":
        """Open a session: connection, handshake, hello and welcome. Raises Ended."""
        line: Line | None = None
        try:
            async with asyncio.timeout(deadline):
                line = await dial(url, token, options)
                return await cls._greeted(line, hello)
        except TimeoutError:
            raise Ended(End(f"no welcome within {deadline} s")) from None
        except InvalidStatus as error:
            raise Ended(refused(error.response.status_code, error.response.headers.get("Retry-After"))) from None
        except (OSError, WebSocketException) as error:
            raise Ended(End(f"no session: {error}")) from None
        finally:
            # An attempt that came to nothing leaves no connection behind.
            if line and not line.is_greeted:
                line.transport.abort()

    @classmethod
    async def _greeted(cls, line: Line, hello: str) -> "Session":
        """Say hello and wait for the welcome. Raises Ended, or what the WebSocket raises."""
        if line.subprotocol != V1:
            raise Ended(End("the server does not know muster.v1"))
        goodbye = None
        try:
            await line.send(hello)
            while True:
                frame = frame_of(await line.recv())
                if frame and frame["type"] == "welcome":
                    line.is_greeted = True
                    return cls(line, frame, goodbye)
                goodbye = goodbye_of(frame, goodbye)
        except ConnectionClosed as error:
            raise Ended(end_of(error, goodbye)) from None

    async def read(self, take: Callable[[Frame], Awaitable[None]]) -> End:
        """Hand over each frame until the session ends. Return how it did."""
        try:
            while True:
                frame = frame_of(await self._line.recv())
                self._goodbye = goodbye_of(frame, self._goodbye)
                if frame:
                    await take(frame)
        except ConnectionClosed as error:
            return end_of(error, self._goodbye)

    async def silent(self) -> End:
        """Wait until nothing has come for too long."""
        if self._silence is None:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")
        while (left := self._line.heard + self._silence - time.monotonic()) > 0:
            await asyncio.sleep(left)
        return lost("nothing came for three of the node's ping intervals")

    async def send(self, text: str) -> None:
        """Send a frame. What can't be sent is lost with the connection, whose end `read` returns."""
        try:
            await self._line.send(text)
        except ConnectionClosed:
            pass

    async def leave(self) -> None:
        """Close with 1000."""
        await self._line.close()

    def drop(self) -> None:
        """Give the connection up."""
        self._line.transport.abort()


async def dial(url: str, token: str | None, options: dict[str, Any]) -> Line:
    """Open a WebSocket. Its library answers pings; those of its own and compression are not used."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opened = await connect(
        url,
        subprotocols=[V1],
        additional_headers=headers,
        compression=None,
        open_timeout=None,
        ping_interval=None,
        close_timeout=CLOSING,
        max_size=LARGEST,
        create_connection=Line,
        **options,
    )
    assert isinstance(opened, Line)
    return opened


def frame_of(message: str | bytes) -> Frame | None:
    """Return the frame in a message. A node of `muster.v1` sends texts alone."""
    return read(message) if isinstance(message, str) else None


def goodbye_of(frame: Frame | None, before: float | None) -> float | None:
    """Return the hint of a goodbye in seconds, or the one before if the frame is another."""
    retry_ms = frame.get("retry_ms") if frame and frame["type"] == "goodbye" else None
    return retry_ms / 1000 if isinstance(retry_ms, int) else before


def end_of(error: ConnectionClosed, goodbye: float | None) -> End:
    """Return how a connection ended."""
    if error.rcvd is None:
        return lost("the connection ended without a close")
    return closed(error.rcvd.code, error.rcvd.reason, goodbye)
