"""A TCP proxy that makes lines bad: one listener on a free port, one upstream, told by its input what to do.

    faultproxy.py HOST:PORT                 says `ready on HOST:PORT`; ends with its input

One order a line, answered by the number of connections that it concerned: `delay MS JITTER SHARE`, `bandwidth BYTES SHARE`,
`hole SHARE`, `cut SHARE`, `reset SHARE`, `heal`, `connections`. SHARE is the part of the connections, 1 for all of them and those that
come. What it holds for a connection is bounded: who reads slowly is felt by the one who writes.
"""

import asyncio
import os
import random
import socket
import struct
import sys
import time

# What the kernel may hold on each side, and what this does: little, so that a slow line is felt soon.
KERNEL, CHUNK, CHUNKS = 32 << 10, 16 << 10, 4


class Quality:
    """What a connection suffers."""

    def __init__(self, delay=0.0, jitter=0.0, bandwidth=None, hole=False):
        self.delay, self.jitter, self.bandwidth, self.hole = delay, jitter, bandwidth, hole


class Connection:
    """One connection: two directions, each a reader and a writer with a bounded queue between."""

    def __init__(self, proxy, downstream):
        self.proxy, self.quality, self.changed = proxy, proxy.quality, asyncio.Event()
        self.sides, self.ended = [downstream], False

    async def run(self):
        try:
            await self.through_hole()
            upstream = await connect(self.proxy.upstream)
            self.sides.append(upstream)
            one, other = self.sides
            await asyncio.gather(self.direction(one, other), self.direction(other, one))
        except* OSError:
            self.end(reset=True)
        finally:
            self.end()
            self.proxy.connections.discard(self)

    async def direction(self, source, target):
        queue = asyncio.Queue(CHUNKS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.read(source[0], queue))
            tasks.create_task(self.write(queue, target[1]))

    async def read(self, reader, queue):
        due = 0
        while True:
            try:
                data = await reader.read(CHUNK)
            except OSError as error:
                data = error
            quality = self.quality
            # Never before what came earlier: jitter must not change the order.
            due = max(due, time.monotonic() + max(0, quality.delay + random.uniform(-1, 1) * quality.jitter))
            await queue.put((due, data))
            if not data or isinstance(data, OSError):
                return

    async def write(self, queue, writer):
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0, due - time.monotonic()))
            await self.through_hole()
            if isinstance(data, OSError):
                return self.end(reset=True)
            if not data:
                return writer.write_eof()
            await self.send(writer, data)

    async def send(self, writer, data):
        """At the line's bandwidth, in pieces of a tenth of a second, so that a change is felt soon."""
        while data:
            bandwidth = self.quality.bandwidth
            piece = data if bandwidth is None else data[: max(1, bandwidth // 10)]
            writer.write(piece)
            await writer.drain()
            data = data[len(piece) :]
            if bandwidth is not None:
                await asyncio.sleep(len(piece) / bandwidth)
            await self.through_hole()

    async def through_hole(self):
        while self.quality.hole:
            self.changed.clear()
            await self.changed.wait()

    def suffer(self, quality):
        self.quality = quality
        self.changed.set()

    def end(self, reset=False):
        if self.ended:
            return
        self.ended = True
        for _, writer in self.sides:
            if reset and not writer.transport.is_closing():
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            writer.close()
        # Whoever waits for a hole's end, waits no longer.
        self.suffer(Quality())


class Proxy:
    def __init__(self, upstream):
        self.upstream, self.quality, self.connections = upstream, Quality(), set()

    async def accept(self, reader, writer):
        narrow(writer.get_extra_info("socket"))
        connection = Connection(self, (reader, writer))
        self.connections.add(connection)
        await connection.run()

    def order(self, words):
        verb, *numbers = words
        orders = {
            "heal": self.heal,
            "connections": lambda: len(self.connections),
            "delay": self.delay,
            "bandwidth": self.bandwidth,
            "hole": self.hole,
            "cut": self.cut,
            "reset": self.reset,
        }
        return orders[verb](*map(float, numbers))

    def heal(self):
        return self.worsen(1, Quality())

    def delay(self, milliseconds, jitter, share):
        return self.worsen(share, Quality(delay=milliseconds / 1000, jitter=jitter / 1000))

    def bandwidth(self, bytes_a_second, share):
        return self.worsen(share, Quality(bandwidth=int(bytes_a_second)))

    def hole(self, share):
        return self.worsen(share, Quality(hole=True))

    def cut(self, share):
        return self.end(share, reset=False)

    def reset(self, share):
        return self.end(share, reset=True)

    def worsen(self, share, quality):
        if share >= 1:
            self.quality = quality
        chosen = self.some(share)
        for connection in chosen:
            connection.suffer(quality)
        return len(chosen)

    def end(self, share, reset):
        chosen = self.some(share)
        for connection in chosen:
            connection.end(reset)
        return len(chosen)

    def some(self, share):
        return random.sample(list(self.connections), round(min(share, 1) * len(self.connections)))


async def connect(upstream):
    host, port = upstream.rsplit(":", 1)
    made = socket.socket()
    made.setblocking(False)
    narrow(made)
    await asyncio.get_running_loop().sock_connect(made, (host, int(port)))
    return await asyncio.open_connection(sock=made, limit=CHUNK)


def narrow(made):
    """Before it is connected, or else its window is already promised."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # As on a network: with loopback's segments of 64 KiB the other side would keep megabytes in its kernel.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)


async def main(upstream):
    proxy = Proxy(upstream)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    narrow(listener)
    await asyncio.start_server(proxy.accept, sock=listener, limit=CHUNK, backlog=4096)
    print("ready on {}:{}".format(*listener.getsockname()), flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        try:
            print(proxy.order(line.decode().split()), flush=True)
        except (KeyError, TypeError, ValueError) as error:
            print(f"no such order: {error}", flush=True)
    # Connections and all.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
