"""A server with a protocol of its own: what one client says goes to all.  python own_protocol.py json|proof [N]

`json`: messages are in JSON, and a flag can say where. `proof`: a client must know a secret, and a frame has several messages.
Both ping, and close a client whose last answer is wrong. With N, the N-th message is left out for one client.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import sys
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

SECRET = "open sesame"
# How often messages are sent, and clients are pinged, in seconds.
BATCH, PING = 0.01, 0.3


class Room:
    """The clients that have joined, and what they said."""

    def __init__(self, lie: int) -> None:
        self.joined: dict[ServerConnection, str] = {}
        self.said: list[str] = []
        self.lie, self.messages = lie, 0

    def take(self) -> tuple[list[str], list[str]]:
        """Return what was said since the last call: for all clients but one, and for that one."""
        said, self.said = self.said, []
        numbers = range(self.messages + 1, self.messages + len(said) + 1)
        self.messages += len(said)
        return said, [text for number, text in zip(numbers, said, strict=True) if number != self.lie]


class Json:
    """Frames of JSON."""

    def hello(self, client: ServerConnection, room: Room) -> str:
        """Return the first frame for a client, which has joined only after it has asked to."""
        return json.dumps({"op": "hello"})

    def hear(self, client: ServerConnection, frame: str, room: Room) -> str | None:
        """Take a frame of a client, and return the answer."""
        said: dict[str, Any] = json.loads(frame)
        match said["op"]:
            case "join":
                room.joined[client] = ""
                return json.dumps({"op": "joined", "room": said["room"]})
            case "say":
                room.said.append(said["text"])
            case "pong" if str(said["t"]) == room.joined.get(client):
                room.joined[client] = ""
        return None

    def frames(self, said: list[str]) -> list[str]:
        """Return the frames with these messages."""
        return [json.dumps({"op": "said", "data": [{"text": text}]}) for text in said]

    def ping(self, number: str) -> str:
        """Return a ping."""
        return json.dumps({"op": "ping", "t": int(number)})


class Proof:
    """Frames of words."""

    def __init__(self) -> None:
        self.nonces: dict[ServerConnection, str] = {}

    def hello(self, client: ServerConnection, room: Room) -> str:
        """Return the first frame for a client, with what the client must prove."""
        self.nonces[client] = secrets.token_hex(8)
        return f"hello {self.nonces[client]}"

    def hear(self, client: ServerConnection, frame: str, room: Room) -> str | None:
        """Take a frame of a client, and return the answer."""
        word, *rest = frame.split(" ")
        match word:
            case "join":
                nonce = self.nonces.pop(client, "")
                if rest[1] != hashlib.sha256(f"{nonce}{SECRET}".encode()).hexdigest():
                    return "refused wrong proof"
                room.joined[client] = ""
                return "joined own"
            case "say":
                room.said.append(rest[1])
                return f"ok {rest[0]}"
            case "pong" if rest[0] == room.joined.get(client):
                room.joined[client] = ""
        return None

    def frames(self, said: list[str]) -> list[str]:
        """Return the frame with these messages. A message stays in the base64 in which it came."""
        return [f"said {' '.join(said)}"] if said else []

    def ping(self, number: str) -> str:
        """Return a ping."""
        return f"ping {number}"


async def serve_client(client: ServerConnection, room: Room, protocol: Json | Proof) -> None:
    """Serve one client until it goes."""
    await client.send(protocol.hello(client, room))
    try:
        async for frame in client:
            if answer := protocol.hear(client, str(frame), room):
                await client.send(answer)
    finally:
        room.joined.pop(client, None)


async def relay(room: Room, protocol: Json | Proof) -> None:
    """Send what was said to all, again and again."""
    while True:
        await asyncio.sleep(BATCH)
        all_said, but_one = room.take()
        clients = list(room.joined)
        # The client that came last, since the one that says the messages may be the first.
        for frame in protocol.frames(all_said):
            broadcast(clients[:-1], frame)
        for frame in protocol.frames(but_one):
            broadcast(clients[-1:], frame)


async def ping(room: Room, protocol: Json | Proof) -> None:
    """Ping all, and close those that did not answer the ping before."""
    number = 0
    closing: set[asyncio.Task[None]] = set()
    while True:
        await asyncio.sleep(PING)
        number += 1
        for client, owes in list(room.joined.items()):
            if owes:
                room.joined.pop(client, None)
                closing.add(asyncio.create_task(client.close(4000, "no answer to a ping")))
            else:
                room.joined[client] = str(number)
                with contextlib.suppress(ConnectionClosed):
                    await client.send(protocol.ping(str(number)))


async def main(kind: str, lie: int) -> None:
    """Serve for ever."""
    room, protocol = Room(lie), {"json": Json, "proof": Proof}[kind]()
    tasks = [asyncio.create_task(relay(room, protocol)), asyncio.create_task(ping(room, protocol))]
    async with serve(lambda client: serve_client(client, room, protocol), "127.0.0.1", 0, compression=None) as server:
        print(f"ready on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.gather(*tasks)


asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
