"""One connection through the fault proxy, and the faults that it suffers."""

import asyncio
import random
import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

# Bytes. The kernel's buffer on each side and one read are small, and few reads are queued, so that a slow line is
# noticed soon.
KERNEL_BUFFER = 32 << 10
CHUNK = 16 << 10
CHUNKS = 4

Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]
# When the data may be written, and the data: bytes, no bytes for an end, or the error that ended the other side.
Due = tuple[float, bytes | OSError]


@dataclass(frozen=True)
class Quality:
    """What a connection suffers: delay and jitter in seconds, bandwidth in bytes a second (None for any), a hole."""

    delay: float = 0
    jitter: float = 0
    bandwidth: int | None = None
    hole: bool = False


class Hold:
    """Holds requests to Redis, once `count` have passed in which `pattern` is found; then it calls `stop`.

    With 0 it holds the first of them, and what comes after. Requests are judged whole, however they were read.
    """

    def __init__(self, pattern: bytes, count: int, stop: Callable[[], object]) -> None:
        self._pattern, self._count, self._stop = re.compile(pattern, re.DOTALL), count, stop
        self.stopped = False

    def passed(self, data: bytearray) -> bytes:
        """Take the requests that may pass from the beginning of `data`, and return them."""
        # What comes before belongs to a request that began before this did.
        begin = re.search(rb"\*(\d*|\d+\r\n?|\d+\r\n\$.*)$", data, re.DOTALL)
        end = begin.start() if begin else len(data)
        while not self.stopped and (next_end := _end_of_request(data, end)):
            is_counted = self._pattern.search(data, end, next_end) is not None
            self.stopped = is_counted and self._count <= 1
            if not is_counted or self._count > 0:
                end = next_end
            self._count -= is_counted
        taken = bytes(data[:end])
        del data[:end]
        if self.stopped:
            self._stop()
        return taken


def _end_of_request(data: bytearray, at: int) -> int:
    """Return where the request ends that begins there; 0 if it is not all there. It is an array of strings."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return 0
    words, at = int(data[at + 1 : line]), line + 2
    for _ in range(words):
        line = data.find(b"\r\n", at)
        if line < 0:
            return 0
        at = line + 2 + int(data[at + 1 : line]) + 2
    return at if at <= len(data) else 0


class Connection:
    """One connection: two directions, each a reader and a writer with a bounded queue between them.

    `chance` decides the jitter, and `hold` what goes to the upstream; a `Hold` may begin at any time.
    """

    hold: Hold | None = None

    def __init__(self, downstream: Side, quality: Quality, chance: random.Random) -> None:
        self._sides = [downstream]
        self._quality, self._chance = quality, chance
        self._changed = asyncio.Event()
        self._ended = False
        # What was read and may not pass yet.
        self._back = bytearray()

    async def run(self, upstream: str) -> None:
        """Connect to `upstream`, and pass bytes on until the connection has ended."""
        try:
            await self._wait_out_hole()
            self._sides.append(await _connect(upstream))
            one, other = self._sides
            await asyncio.gather(self._pass_on(one, other, self._held_back), self._pass_on(other, one, bytes))
        except* OSError:
            self.end(reset=True)
        finally:
            self.end(reset=False)

    def suffer(self, quality: Quality) -> None:
        """Change what the connection suffers."""
        self._quality = quality
        self._changed.set()

    def end(self, *, reset: bool) -> None:
        """End the connection as if both sides had closed it, or by a reset of both."""
        if self._ended:
            return
        self._ended = True
        for _, writer in self._sides:
            if reset and not writer.transport.is_closing():
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            writer.close()
        # Tasks that wait for the end of a hole must end too.
        self.suffer(Quality())

    def _held_back(self, data: bytes) -> bytes:
        """Return what may pass now, of this data and what was held back before."""
        if not self.hold and not self._back:
            return data
        self._back += data
        if self.hold:
            return self.hold.passed(self._back)
        data = bytes(self._back)
        self._back.clear()
        return data

    async def _pass_on(self, source: Side, target: Side, passed: Callable[[bytes], bytes]) -> None:
        queue: asyncio.Queue[Due] = asyncio.Queue(CHUNKS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(source[0], queue))
            tasks.create_task(self._write(queue, target[1], passed))

    async def _read(self, reader: asyncio.StreamReader, queue: asyncio.Queue[Due]) -> None:
        due = 0.0
        while True:
            data: bytes | OSError
            try:
                data = await reader.read(CHUNK)
            except OSError as error:
                data = error
            quality = self._quality
            # Data is never due before earlier data: jitter must not change the order.
            delay = quality.delay + self._chance.uniform(-1, 1) * quality.jitter
            due = max(due, time.monotonic() + max(0, delay))
            await queue.put((due, data))
            if not data or isinstance(data, OSError):
                return

    async def _write(
        self, queue: asyncio.Queue[Due], writer: asyncio.StreamWriter, passed: Callable[[bytes], bytes]
    ) -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0, due - time.monotonic()))
            await self._wait_out_hole()
            if isinstance(data, OSError):
                self.end(reset=True)
                return
            if not data:
                writer.write_eof()
                return
            await self._send(writer, passed(data))

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Write at the line's bandwidth, in pieces of a tenth of a second, so that a change takes effect soon."""
        while data:
            bandwidth = self._quality.bandwidth
            piece = data if bandwidth is None else data[: max(1, bandwidth // 10)]
            writer.write(piece)
            await writer.drain()
            data = data[len(piece) :]
            if bandwidth is not None:
                await asyncio.sleep(len(piece) / bandwidth)
            await self._wait_out_hole()

    async def _wait_out_hole(self) -> None:
        while self._quality.hole:
            self._changed.clear()
            await self._changed.wait()


async def _connect(upstream: str) -> Side:
    host, port = upstream.rsplit(":", 1)
    made = socket.socket()
    made.setblocking(False)
    shrink_buffers(made)
    await asyncio.get_running_loop().sock_connect(made, (host, int(port)))
    return await asyncio.open_connection(sock=made, limit=CHUNK)


def shrink_buffers(made: socket.socket) -> None:
    """Make the kernel buffer little. This must be done before the socket connects: its window is promised then."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Segments are as on a network: with loopback's 64 KiB the other side would hold megabytes in its kernel.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
