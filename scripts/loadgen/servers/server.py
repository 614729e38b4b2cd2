# A server as many have one: what one of its clients says goes to all of them.   python server.py PORT
import asyncio
import sys

from websockets.asyncio.server import broadcast, serve

clients = set()


async def client(socket):
    clients.add(socket)
    try:
        async for text in socket:
            broadcast(clients, text)
    finally:
        clients.discard(socket)


async def main(port):
    async with serve(client, "127.0.0.1", port, compression=None) as server:
        print("ready on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
