"""What becomes of a command whose reply can't be sent, or whose function is cancelled."""

import asyncio
import json
import math
import time
import unittest
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from muster_client import Command
from muster_client.clock import NodeClock
from muster_client.frames import write
from muster_client.inbox import Inbox
from muster_client.memory import Memory

SOON = 10


class Failures(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.results: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.count = 0
        self.inbox = Inbox(lambda command: command.payload(), Memory(), NodeClock(), lambda _: None, self.result)
        working = asyncio.create_task(self.inbox.work())
        self.addCleanup(working.cancel)

    def result(self, command: str, ok: bool, payload: Any, reason: str | None) -> None:
        self.results.put_nowait(json.loads(write("result", id=command, ok=ok, reason=reason, payload=payload)))

    async def outcome(self, function: Callable[[], Any], stagger: float = 0) -> tuple[bool, Any]:
        """Have a function run as a command, and return whether that succeeded, and the reply."""
        self.count += 1
        command = Command(str(self.count), "test", function, time.time() + SOON, stagger=stagger)
        await self.inbox.put(command)
        async with asyncio.timeout(SOON):
            result = await self.results.get()
        self.assertEqual(result["id"], command.id)
        return result["ok"], result["payload"]

    async def test_a_reply_that_is_no_json_fails_its_command_alone(self) -> None:
        cycle: list[Any] = []
        cycle.append(cycle)
        for reply in (datetime.now(UTC), {1}, cycle, math.nan):
            for stagger in (0, 0.001):
                ok, payload = await self.outcome(lambda reply=reply: reply, stagger)  # type: ignore[misc]
                self.assertFalse(ok)
                self.assertIn("no JSON", payload["error"])
        self.assertEqual(await self.outcome(lambda: 7), (True, 7))

    async def test_a_function_that_is_cancelled_fails_its_command_alone(self) -> None:
        async def cancelled() -> None:
            task = asyncio.create_task(asyncio.sleep(SOON))
            task.cancel()
            await task

        self.assertEqual(await self.outcome(cancelled), (False, {"error": "cancelled"}))
        self.assertEqual(await self.outcome(lambda: 7), (True, 7))


class Cursors(unittest.IsolatedAsyncioTestCase):
    async def test_the_cursor_passes_a_gap_once_the_program_has_what_came_before(self) -> None:
        memory, given = Memory(), asyncio.Event()
        inbox = Inbox(lambda _: given.set(), memory, NodeClock(), lambda _: None, lambda *_: None)
        inbox.pass_cursor("c1")
        self.assertEqual(memory.cursor, "c1")
        await inbox.put(Command("a", "test", lambda: None, time.time() + SOON, cursor="c2"))
        inbox.pass_cursor("c5")
        self.assertEqual(memory.cursor, "c1")
        working = asyncio.create_task(inbox.work())
        self.addCleanup(working.cancel)
        async with asyncio.timeout(SOON):
            await given.wait()
            while memory.cursor != "c5":
                await asyncio.sleep(0)
