"""How commands reach the program: each once, in time, in order, and acknowledged once the program has it."""

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable
from typing import Any

from muster_client.clock import NodeClock
from muster_client.frames import Command, write
from muster_client.memory import Memory

Run = Callable[[Command], Any | Awaitable[Any]]
"""What the program does with a command. What it returns is the reply."""

WAITING = 64
"""So many commands wait for the program. Beyond them the terminal reads no further."""
STAGGERED = 4096
"""So many commands wait for their stagger. Beyond them a command is run at once."""

Outcome = tuple[bool, Any, str | None]
"""Whether a command succeeded, the reply, and why it was not run."""
Result = Callable[[str, bool, Any, str | None], None]
"""Sends the result of a command: its id, and the outcome."""


class Later:
    """The type of `LATER`."""


LATER = Later()
"""Returned by the program for a command whose result it sends itself, with `Terminal.result`."""


class CommandFailed(Exception):  # noqa: N818 - the state is called `failed`
    """Raised by the program: the command failed, with this payload as the reply."""

    def __init__(self, payload: Any = None) -> None:
        super().__init__("the command failed")
        self.payload = payload


class CommandRejected(Exception):  # noqa: N818 - the state is called `rejected`
    """Raised by the program: the command is unknown or refused, and was not run."""


class Inbox:
    """The commands of one terminal. It outlives sessions."""

    def __init__(self, run: Run, memory: Memory, clock: NodeClock, send: Callable[[str], None], result: Result) -> None:
        self._run, self._memory, self._clock = run, memory, clock
        self._send, self._result = send, result
        self._queue: asyncio.Queue[Command] = asyncio.Queue(WAITING)
        self._staggered: dict[str, asyncio.Task[None]] = {}
        self._cursor: str | None = None
        # A cursor behind all that waits in the queue, and how many commands do, with the one that is taken out.
        self._behind: str | None = None
        self._waiting = 0
        self._turn = asyncio.Lock()

    async def put(self, command: Command) -> None:
        """Take a command of the node. Waits while too many wait for the program."""
        await self._queue.put(command)
        self._waiting += 1
        if command.cursor is not None:
            self._behind = None

    def pass_cursor(self, cursor: str) -> None:
        """Move the cursor to where the node says, once the program has all that came before."""
        self._behind = cursor
        self._catch_up()

    async def work(self) -> None:
        """Give the program one command after the other, for ever."""
        try:
            while True:
                command = await self._queue.get()
                if self._memory.has(command.id):
                    self._repeat(command.id)
                elif self._has_to_wait(command):
                    self._stagger(command)
                else:
                    await self._give(command)
                self._move_cursor(command.cursor)
                self._waiting -= 1
                self._catch_up()
        finally:
            for task in self._staggered.values():
                task.cancel()

    def _repeat(self, command: str) -> None:
        """Acknowledge what came before again, and send its result again."""
        self._send(write("ack", id=command))
        if result := self._memory.results.get(command):
            self._send(result)

    def _has_to_wait(self, command: Command) -> bool:
        """Say whether a command waits for its stagger. Without room it does not, or a cursor would pass it."""
        has_room = len(self._staggered) < STAGGERED
        return bool(command.stagger) and has_room and not self._clock.is_over(command.expires_at)

    def _stagger(self, command: Command) -> None:
        if command.id not in self._staggered:
            self._staggered[command.id] = asyncio.create_task(self._give_later(command))

    async def _give_later(self, command: Command) -> None:
        await asyncio.sleep(random.uniform(0, command.stagger))
        try:
            await self._give(command)
        finally:
            del self._staggered[command.id]
        if not self._staggered and self._cursor is not None:
            self._memory.set_cursor(self._cursor)

    def _catch_up(self) -> None:
        if not self._waiting:
            cursor, self._behind = self._behind, None
            self._move_cursor(cursor)

    def _move_cursor(self, cursor: str | None) -> None:
        """Move the cursor, but never past a command that waits for its stagger."""
        if cursor is None:
            return
        self._cursor = cursor
        if not self._staggered:
            self._memory.set_cursor(cursor)

    async def _give(self, command: Command) -> None:
        """Give the program a command, unless it has expired, and send what comes of it."""
        async with self._turn:
            self._memory.add(command.id)
            if self._clock.is_over(command.expires_at):
                self._result(command.id, False, None, "expired")
                return
            running = asyncio.create_task(self._called(command))
            # The program's function begins in this turn of the loop: it has the command then.
            await asyncio.sleep(0)
            self._send(write("ack", id=command.id))
            if outcome := await running:
                self._end(command.id, outcome)

    def _end(self, command: str, outcome: Outcome) -> None:
        """Send the result of a command. A reply that is no JSON fails the command, and not the terminal."""
        try:
            self._result(command, *outcome)
        except (TypeError, ValueError, RecursionError) as error:
            self._result(command, False, {"error": f"the reply is no JSON: {error}"[:1000]}, None)

    async def _called(self, command: Command) -> Outcome | None:
        """Have the program run a command. An error of the program fails the command, and not the terminal."""
        try:
            reply = self._run(command)
            if inspect.isawaitable(reply):
                reply = await reply
        except CommandRejected:
            return False, None, "rejected"
        except CommandFailed as failed:
            return False, failed.payload, None
        except asyncio.CancelledError:
            # The program may wait for a task of its own that was cancelled.
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            return False, {"error": "cancelled"}, None
        except Exception as error:
            return False, {"error": str(error)[:1000]}, None
        return None if reply is LATER else (True, reply, None)
