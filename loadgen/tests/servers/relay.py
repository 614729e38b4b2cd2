"""A server as many have one: what one of its clients says goes to all of them.  python relay.py PORT."""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, broadcast, serve

clients: set[ServerConnection] = set()


async def client(socket: ServerConnection) -> None:
    """Serve one client until it goes."""
    clients.add(socket)
    try:
        async for text in socket:
            broadcast(clients, text)
    finally:
        clients.discard(socket)


async def main(port: int) -> None:
    """Serve for ever."""
    async with serve(client, "127.0.0.1", port, compression=None) as server:
        print(f"ready on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
