"""What a terminal makes of a node's frames: protocol/vectors/session.json."""

import asyncio
import base64
import json
import unittest
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from muster_client import Command, Gap, Policy, Report, Terminal
from tests import vectors

SOON = 10


class Vectors(unittest.IsolatedAsyncioTestCase):
    async def test_a_session_goes_as_the_vectors_say(self) -> None:
        for case in vectors.read("session")["cases"]:
            with self.subTest(case["means"]):
                async with asyncio.timeout(SOON):
                    await play(self, case["steps"])


class Played:
    """A node, and what the program was told."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sessions: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def accept(self, session: ServerConnection) -> None:
        await self.sessions.put(session)
        await session.wait_closed()

    def run(self, command: Command) -> Any:
        line: dict[str, Any] = {"saw": "command", "id": command.id, "name": command.name}
        if isinstance(command.payload, bytes):
            line["payload_base64"] = base64.b64encode(command.payload).decode()
        else:
            line["payload"] = command.payload
        self.lines.put_nowait(line)
        return command.payload

    def report(self, report: Report) -> None:
        if isinstance(report, Gap):
            self.lines.put_nowait({"saw": "gap", "from": report.after, "to": report.up_to})


async def play(test: unittest.TestCase, steps: list[dict[str, Any]]) -> None:
    played = Played()
    async with serve(played.accept, "127.0.0.1", 0, subprotocols=[Subprotocol("muster.v1")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"ws://127.0.0.1:{port}/ws"
        terminal = Terminal(
            url, "t1", played.run, report=played.report, policy=Policy(first=0), options={"proxy": None}
        )
        running = asyncio.create_task(terminal.run())
        try:
            session = await played.sessions.get()
            for step in steps:
                match step:
                    case {"node": frame}:
                        await session.send(json.dumps(frame))
                    case {"close": int(code)}:
                        await session.close(code)
                        session = await played.sessions.get()
                    case {"client": wanted}:
                        assert_fields(test, json.loads(await session.recv()), wanted)
                    case {"program": wanted}:
                        assert_fields(test, await played.lines.get(), wanted)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def assert_fields(test: unittest.TestCase, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, value in wanted.items():
        test.assertEqual(found.get(name), value, f"{name} of {found}")
