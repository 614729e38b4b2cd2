"""A server as many have one: what is published in a channel of Redis goes to all.  python redis_relay.py REDIS_PORT."""

import asyncio
import sys

from redis.asyncio import Redis
from websockets.asyncio.server import ServerConnection, broadcast, serve

clients: set[ServerConnection] = set()


async def client(socket: ServerConnection) -> None:
    """Keep one client until it goes."""
    clients.add(socket)
    await socket.wait_closed()
    clients.discard(socket)


async def main(redis_port: int) -> None:
    """Serve for ever."""
    subscription = Redis(port=redis_port, decode_responses=True).pubsub()
    await subscription.subscribe("load")
    async with serve(client, "127.0.0.1", 0, compression=None) as server:
        print(f"ready on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        async for message in subscription.listen():
            if message["type"] == "message":
                broadcast(clients, message["data"])


asyncio.run(main(int(sys.argv[1])))
