"""A TCP connection's way to an upstream, which a test can make bad: `Line`, and the fault proxy that it starts.

    python -m muster.faults.line HOST:PORT SEED

The proxy listens on a free port, prints `ready on HOST:PORT`, and ends when its input does. Each line of input is an
order, answered by the number of connections that it concerned: `delay MS JITTER SHARE`, `bandwidth BYTES SHARE`,
`hole SHARE`, `cut SHARE`, `reset SHARE`, `heal`, `connections`, `hold PATTERN COUNT` (in hexadecimal digits), `holds`.
SHARE is the part of the connections; 1 means all of them and those that come. Which ones they are, and the jitter,
follow from the seed. What the proxy holds for a connection is bounded, so a slow reader slows its writer.

Uses the standard library alone, and starts quickly.
"""

import asyncio
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from muster import process
from muster.faults.connection import CHUNK, Connection, Hold, Quality, shrink_buffers


class Line:
    """A way to `upstream` (HOST:PORT) that begins at `address`, through a fault proxy of its own.

    The line is good until something is done to it, and again after `heal`. `share` is the part of the connections that
    a fault concerns, at random: 1 for all of them and those that come; with less, those that come are good. Each fault
    returns the number of connections that it concerned. `seed` decides all that is left to chance.
    """

    def __init__(self, upstream: str, seed: int) -> None:
        # The proxy ends when this process does, since its input ends then.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "muster.faults.line", upstream, str(seed)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.address = self._process.stdout.readline().split()[-1]
        self.url = f"ws://{self.address}/ws"

    def _order(self, *words: object) -> int:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if not answer.isdigit():
            raise RuntimeError(f"the fault proxy to {words}: {answer or 'it has ended'}")
        return int(answer)

    def connections(self) -> int:
        """Return how many connections go through the line."""
        return self._order("connections")

    def delay(self, milliseconds: float, jitter: float = 0, share: float = 1) -> int:
        """Delay everything by so many milliseconds, more or less by the jitter, in both directions. The order stays."""
        return self._order("delay", milliseconds, jitter, share)

    def bandwidth(self, bytes_a_second: int, share: float = 1) -> int:
        """Let no more through than so many bytes a second, in each direction."""
        return self._order("bandwidth", bytes_a_second, share)

    def hole(self, share: float = 1) -> int:
        """Let nothing through and tell nobody: a black hole."""
        return self._order("hole", share)

    def cut(self, share: float = 1) -> int:
        """End connections as if both sides had closed them."""
        return self._order("cut", share)

    def reset(self, share: float = 1) -> int:
        """Reset connections (RST)."""
        return self._order("reset", share)

    def hold(self, pattern: str, count: int) -> int:
        """Let `count` requests to Redis through in which this regular expression is found, and then be a hole.

        With 0, the hole is before the first of them. After `heal`, what was held goes out with the next request.
        """
        return self._order("hold", pattern.encode().hex(), count)

    def holds(self) -> bool:
        """Return whether there is a hole by `hold`."""
        return bool(self._order("holds"))

    def heal(self) -> int:
        """Make the line good again."""
        return self._order("heal")

    def close(self) -> None:
        """End the proxy, and with it all connections."""
        self._process.communicate()


# Connections that the kernel holds until they are accepted. A whole fleet may connect at once.
BACKLOG = 4096


class Proxy:
    """All connections to one upstream, and what new ones suffer."""

    def __init__(self, upstream: str, seed: int) -> None:
        self._upstream, self._seed = upstream, seed
        self._quality = Quality()
        self._chance = random.Random(seed)
        self._accepted = 0
        self._hold: Hold | None = None
        # By their numbers, in the order in which they came: that of a set would be another one each time.
        self._connections: dict[int, Connection] = {}

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it has ended."""
        shrink_buffers(writer.get_extra_info("socket"))
        self._accepted += 1
        number = self._accepted
        connection = Connection((reader, writer), self._quality, random.Random(f"{self._seed} {number}"))
        self._connections[number] = connection
        connection.hold = self._hold
        try:
            await connection.run(self._upstream)
        finally:
            del self._connections[number]

    def obey(self, words: list[str]) -> int:
        """Carry out one order; return how many connections it concerned.

        Raises KeyError, TypeError or ValueError for what is no order.
        """
        verb, *numbers = words
        if verb == "hold":
            return self._begin_hold(bytes.fromhex(numbers[0]), int(numbers[1]))
        orders: dict[str, Callable[..., int]] = {
            "heal": self._heal,
            "connections": lambda: len(self._connections),
            "holds": lambda: int(bool(self._hold and self._hold.stopped)),
            "delay": lambda ms, jitter, share: self._worsen(share, Quality(delay=ms / 1000, jitter=jitter / 1000)),
            "bandwidth": lambda bytes_a_second, share: self._worsen(share, Quality(bandwidth=int(bytes_a_second))),
            "hole": lambda share: self._worsen(share, Quality(hole=True)),
            "cut": lambda share: self._end(share, reset=False),
            "reset": lambda share: self._end(share, reset=True),
        }
        return orders[verb](*map(float, numbers))

    def _heal(self) -> int:
        self._set_hold(None)
        return self._worsen(1, Quality())

    def _begin_hold(self, pattern: bytes, count: int) -> int:
        return self._set_hold(Hold(pattern, count, lambda: self._worsen(1, Quality(hole=True))))

    def _set_hold(self, hold: Hold | None) -> int:
        self._hold = hold
        for connection in self._connections.values():
            connection.hold = hold
        return len(self._connections)

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
        connections = list(self._connections.values())
        return self._chance.sample(connections, round(min(share, 1) * len(connections)))


async def main(upstream: str, seed: int) -> None:
    """Serve until standard input ends."""
    proxy = Proxy(upstream, seed)
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    shrink_buffers(listener)
    await asyncio.start_server(proxy.accept, sock=listener, limit=CHUNK, backlog=BACKLOG)
    print(f"ready on {process.address(listener)}", flush=True)
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
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
