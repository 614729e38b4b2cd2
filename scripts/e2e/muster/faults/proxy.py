"""The fault proxy: a TCP proxy that makes connections bad. `Line` starts it and gives it orders.

    python -m muster.faults.proxy HOST:PORT

It listens on a free port, prints `ready on HOST:PORT`, and ends when its input does. Each line of input is an order,
answered by the number of connections that it concerned: `delay MS JITTER SHARE`, `bandwidth BYTES SHARE`,
`hole SHARE`, `cut SHARE`, `reset SHARE`, `heal`, `connections`. SHARE is the part of the connections; 1 means all of
them and those that come. What the proxy holds for a connection is bounded, so a slow reader slows its writer.

Uses the standard library alone, and starts quickly.
"""

import asyncio
import os
import random
import socket
import sys
from collections.abc import Callable

from muster.faults.connection import CHUNK, Connection, Quality, shrink_buffers

# Connections that the kernel holds until they are accepted. A whole fleet may connect at once.
BACKLOG = 4096


class Proxy:
    """All connections to one upstream, and what new ones suffer."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._quality = Quality()
        self._connections: set[Connection] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it has ended."""
        shrink_buffers(writer.get_extra_info("socket"))
        connection = Connection((reader, writer), self._quality)
        self._connections.add(connection)
        try:
            await connection.run(self._upstream)
        finally:
            self._connections.discard(connection)

    def obey(self, words: list[str]) -> int:
        """Carry out one order; return how many connections it concerned.

        Raises KeyError, TypeError or ValueError for what is no order.
        """
        verb, *numbers = words
        orders: dict[str, Callable[..., int]] = {
            "heal": lambda: self._worsen(1, Quality()),
            "connections": lambda: len(self._connections),
            "delay": lambda ms, jitter, share: self._worsen(share, Quality(delay=ms / 1000, jitter=jitter / 1000)),
            "bandwidth": lambda bytes_a_second, share: self._worsen(share, Quality(bandwidth=int(bytes_a_second))),
            "hole": lambda share: self._worsen(share, Quality(hole=True)),
            "cut": lambda share: self._end(share, reset=False),
            "reset": lambda share: self._end(share, reset=True),
        }
        return orders[verb](*map(float, numbers))

    def _worsen(self, share: float, quality: Quality) -> int:
        if share >= 1:
            self._quality = quality
        chosen = self._some(share)
        for connection in chosen:
            connection.suffer(quality)
        return len(chosen)

    def _end(self, share: float, *, reset: bool) -> int:
        chosen = self._some(share)
        for connection in chosen:
            connection.end(reset=reset)
        return len(chosen)

    def _some(self, share: float) -> list[Connection]:
        return random.sample(list(self._connections), round(min(share, 1) * len(self._connections)))


async def main(upstream: str) -> None:
    """Serve until standard input ends."""
    proxy = Proxy(upstream)
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    shrink_buffers(listener)
    await asyncio.start_server(proxy.accept, sock=listener, limit=CHUNK, backlog=BACKLOG)
    print("ready on {}:{}".format(*listener.getsockname()), flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        try:
            print(proxy.obey(line.decode().split()), flush=True)
        except (KeyError, TypeError, ValueError) as error:
            print(f"no such order: {error}", flush=True)
    # This ends all connections at once, where a return would wait for them.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
