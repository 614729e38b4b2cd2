"""A terminal: it says hello, and prints what it receives.  python terminal.py URL TERMINAL."""

import asyncio
import os
import sys

import websockets


async def main(url: str, terminal: str) -> None:
    """Connect, send a text and three bytes, and print each message."""
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    async with websockets.connect(f"{url}?terminal_id={terminal}", additional_headers=headers) as socket:
        await socket.send("hello from " + terminal)
        await socket.send(bytes([1, 2, 3]))
        async for message in socket:
            print(message, flush=True)


asyncio.run(main(*sys.argv[1:]))
