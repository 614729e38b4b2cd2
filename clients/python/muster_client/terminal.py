"""A terminal: connects, serves its sessions, waits by the policy, and connects again."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from muster_client.clock import NodeClock
from muster_client.end import End
from muster_client.frames import EVENT_MAX, MAX_MESSAGE, Frame, command_of, event_size, size, time_of, write
from muster_client.inbox import Inbox, Run
from muster_client.memory import Memory
from muster_client.policy import Backoff, Policy
from muster_client.reports import (
    Gap,
    Gone,
    NodeError,
    Offline,
    Opened,
    Report,
    TokenUnavailable,
    TooLargeSent,
    of_frame,
)
from muster_client.session import Ended, Session
from muster_client.token import TokenError, Tokens, TokenSource

log = logging.getLogger("muster_client")

UNSENT = 64
"""So many frames wait to be sent; the oldest are dropped first. Results are kept apart."""


LEFT = End("left", is_left=True)


class TooLarge(ValueError):
    """An event is over the limit, and was not sent."""

    def __init__(self, bytes: int, limit: int) -> None:
        super().__init__(f"it has {bytes} bytes, and a node takes at most {limit}: send less, or several")
        self.bytes, self.limit = bytes, limit


class Terminal:
    """A terminal, connected while `run` runs.

    `url` is one URL or several, to be tried in turn. `run` is called for each command, in their order; what it returns
    is the reply. `token` is a token or a function that is asked for one, such as `token_file("token")`. `memory` is a
    file that keeps the cursor, the seen ids and the results over a restart; without it they are forgotten. `report` is
    told what happens besides. `will` is published if the terminal is lost without a close. `deadline` is how long an
    attempt to connect may take, and the token source, in seconds. `options` go to `websockets.connect`, for example
    `{"ssl": context}`.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        terminal: str,
        run: Run,
        *,
        token: TokenSource | None = None,
        memory: str | Path | None = None,
        report: Callable[[Report], None] = lambda report: log.info("%s", report),
        labels: Mapping[str, str] | None = None,
        will: Any = None,
        sdk: str = "muster-python/0.1.0",
        policy: Policy | None = None,
        deadline: float = 10,
        options: dict[str, Any] | None = None,
    ) -> None:
        urls = [url] if isinstance(url, str) else list(url)
        if not urls:
            raise ValueError("url is empty: give one, such as ws://127.0.0.1:9000/ws")
        self._urls = [f"{url}{'&' if '?' in url else '?'}terminal_id={terminal}" for url in urls]
        self._report, self._deadline, self._options = report, deadline, options or {}
        self._hello = {"sdk": sdk, "labels": dict(labels or {}), "will": will}
        self._memory = Memory(Path(memory) if memory else None)
        self._clock = NodeClock()
        self._tokens = Tokens(token, deadline)
        self._backoff = Backoff(policy or Policy())
        self._inbox = Inbox(run, self._memory, self._clock, self._send, self._send_result)
        self._limit = MAX_MESSAGE
        self._unsent: deque[str] = deque(maxlen=UNSENT)
        self._wake = asyncio.Event()
        self._leaving = asyncio.Event()
        self._opened_at = 0.0
        self._refused: list[str | None] = []

    async def run(self) -> End:
        """Connect, and come back, until the terminal is closed or told to stay away. Return why. Call it once."""
        working = asyncio.create_task(self._inbox.work())
        try:
            end, was_open = await self._connect()
        finally:
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
            self._memory.close()
        self._report(Gone(end, was_open))
        return end

    def close(self) -> None:
        """Send what waits, close with 1000, and let `run` return."""
        self._leaving.set()
        self._wake.set()

    def progress(self, command: str, payload: Any) -> None:
        """Say that a command is being run."""
        self._send(write("progress", id=command, payload=payload))

    def result(self, command: str, ok: bool, payload: Any = None) -> None:
        """Say how a command ended for which the program returned `LATER`. It is sent again in each session."""
        self._send_result(command, ok, payload, None)

    def health(self, condition: str, metrics: Mapping[str, float] | None = None) -> None:
        """Say how the terminal judges itself: `ok`, `degraded` or `failing`, with at most 64 numbers."""
        self._send(write("health", condition=condition, metrics=dict(metrics or {})))

    def event(self, name: str, payload: Any = None, id: str | None = None) -> None:
        """Publish an event. With an id the program is told when it is stored. Raises TooLarge over 8 KiB."""
        bytes = event_size(name, payload)
        if bytes > EVENT_MAX:
            raise TooLarge(bytes, EVENT_MAX)
        self._send(write("event", id=id, name=name, payload=payload))

    def _send_result(self, command: str, ok: bool, payload: Any, reason: str | None) -> None:
        frame = write("result", id=command, ok=ok, reason=reason, payload=payload)
        bytes = size(frame)
        if bytes > self._limit:
            self._report(TooLargeSent(bytes, self._limit))
            told = {"error": "too_large", "bytes": bytes, "limit": self._limit}
            frame = write("result", id=command, ok=False, payload=told)
        self._memory.set_result(command, frame)
        self._send(frame)

    def _send(self, frame: str) -> None:
        """Have a frame sent in this session, or in the next."""
        self._unsent.append(frame)
        self._wake.set()

    async def _connect(self) -> tuple[End, bool]:
        """Make one attempt after the other. Return the last end, and whether a session was open then."""
        attempt = 0
        while True:
            end, was_open = await self._attempt(self._urls[attempt % len(self._urls)])
            # A node that sent a close is healthy: its terminal comes back to it.
            attempt += not (was_open and end.code != 1006)
            delay = self._backoff.after(end, time.monotonic() - self._opened_at if was_open else 0)
            if delay is None:
                return end, was_open
            lacks_token = end.needs_token and await self._lacks_token(end)
            if lacks_token:
                delay = self._backoff.slowly()
            self._report(Offline(end, was_open, delay))
            await (self._wait_for_token(delay) if lacks_token else self._wait(delay))
            if self._leaving.is_set():
                return LEFT, False

    async def _attempt(self, url: str) -> tuple[End, bool]:
        """Open a session and serve it. Return how it ended, and whether it was open."""
        with self._token_errors():
            await self._tokens.prepare(self._clock.now())
        if self._tokens.can_change and self._tokens.current is None:
            return End("there is no token yet"), False
        hello = write("hello", **self._hello, resume=self._memory.cursor)
        try:
            session = await Session.open(url, self._tokens.current, hello, self._deadline, self._options)
        except Ended as ended:
            return ended.end, False
        try:
            return await self._serve(session), True
        finally:
            session.drop()

    async def _serve(self, session: Session) -> End:
        """Serve a session until it ends."""
        self._begin(session.welcome)
        for result in list(self._memory.results.values()):
            await session.send(result)
        tasks: list[asyncio.Task[End]] = [
            asyncio.create_task(work)
            for work in (session.read(self._take), session.silent(), self._write(session), self._renew(session))
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._leaving.is_set():
                return LEFT
            return next(task for task in tasks if task in done).result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, welcome: Frame) -> None:
        """Take what a welcome says."""
        with contextlib.suppress(KeyError, TypeError, ValueError):
            self._clock.set(time_of(welcome["time"]))
        limit = welcome.get("max_message", MAX_MESSAGE)
        self._limit = limit if isinstance(limit, int) else MAX_MESSAGE
        resumed, cursor = welcome.get("resumed") is True, welcome.get("cursor")
        # What was missed follows: until it has come, the cursor stays.
        if isinstance(cursor, str) and not resumed:
            self._inbox.pass_cursor(cursor)
        self._tokens.begin_session(self._clock.now())
        self._refused.clear()
        self._opened_at = time.monotonic()
        self._report(Opened(resumed))

    async def _take(self, frame: Frame) -> None:
        """Take a frame of the node. One that nobody knows is ignored."""
        if frame["type"] == "command":
            if command := command_of(frame):
                await self._inbox.put(command)
        elif report := of_frame(frame):
            if isinstance(report, Gap):
                self._inbox.pass_cursor(report.up_to)
            if isinstance(report, NodeError) and report.code in ("token_refused", "token_too_soon"):
                self._tokens.ask_later()
            self._report(report)

    async def _write(self, session: Session) -> End:
        """Send what the terminal has to say. When it leaves, send the rest and close."""
        while True:
            while self._unsent:
                await session.send(self._unsent.popleft())
            if self._leaving.is_set():
                await session.leave()
                return LEFT
            await self._wake.wait()
            self._wake.clear()

    async def _renew(self, session: Session) -> End:
        """Send a newer token in time, again and again."""
        while True:
            await self._tokens.wait()
            try:
                token = await self._tokens.ask()
            except TokenError as error:
                self._tokens.ask_later()
                self._report(TokenUnavailable(str(error)))
                continue
            if self._tokens.extend(token, self._clock.now()):
                await session.send(write("token", token=token))

    async def _lacks_token(self, end: End) -> bool:
        """Return whether the terminal comes back slowly: its token is no good, and there is no other."""
        if self._tokens.current not in self._refused[-1:]:
            self._refused.append(self._tokens.current)
        if len(self._refused) > 1:
            return True
        with self._token_errors():
            if await self._tokens.replaced():
                return False
        # A newer token that came too late for the session may still be valid.
        is_final = end.status == 401 or not self._tokens.can_change
        return is_final or self._tokens.is_expired(self._clock.now())

    async def _wait_for_token(self, delay: float) -> None:
        """Wait, but no longer than until the source has another token."""
        until = time.monotonic() + delay
        while self._tokens.can_change and not self._leaving.is_set():
            left = until - time.monotonic()
            asked_in = self._backoff.before_asking(len(self._refused))
            await self._wait(max(min(asked_in, left), 0))
            if asked_in >= left:
                return
            with self._token_errors():
                if await self._tokens.replaced():
                    return
        await self._wait(max(until - time.monotonic(), 0))

    async def _wait(self, delay: float) -> None:
        """Wait, but no longer than until the terminal is to leave."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._leaving.wait()

    @contextlib.contextmanager
    def _token_errors(self) -> Iterator[None]:
        """Report an error of the token source, which stops nothing."""
        try:
            yield
        except TokenError as error:
            self._report(TokenUnavailable(str(error)))
