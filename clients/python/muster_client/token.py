"""Where a terminal's token comes from, and when the source is asked for a newer one."""

import asyncio
import base64
import json
import random
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

MARGIN = 5.0
"""The least time before the expiry at which the source is asked, in seconds, if the token lives long enough."""
RETRY = 1.0
RETRY_CAP = 60.0
"""A source without a later token is asked again after RETRY, doubled each time up to this."""
TOKEN_MAX = 16_384
"""The most letters of a token."""

TokenSource = str | Callable[[], Awaitable[str]]
"""A fixed token, or a function that is asked for one. Its errors are shown to the program: they must hold no token."""


class token_file:  # noqa: N801 - used as a function
    """A file with the token, which another program may replace by rename. It is read before each attempt to connect."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    async def __call__(self) -> str:
        """Return the token. Raises OSError or ValueError, without a token in it."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> str:
        if not self._path.is_file():
            raise ValueError(f"{self._path} is no file")
        with self._path.open("rb") as file:
            words = file.read(TOKEN_MAX + 1).split()
        if len(words) != 1 or len(words[0]) > TOKEN_MAX:
            raise ValueError(f"{self._path} does not hold one word of at most {TOKEN_MAX} bytes: a token")
        return words[0].decode("ascii")


class Tokens:
    """The token in use, and the source of the next one."""

    def __init__(self, source: TokenSource | None, deadline: float) -> None:
        self.current = checked(source) if isinstance(source, str) else None
        self._ask = None if source is None or isinstance(source, str) else source
        self._deadline = deadline
        self._previous: str | None = None
        self._retries = 0
        self._ask_in: float | None = None

    @property
    def can_change(self) -> bool:
        """Whether the source can give another token."""
        return self._ask is not None

    async def prepare(self, now: float) -> None:
        """Prepare an attempt. A function may cost much: it is asked only without a valid token. Raises as `ask`."""
        if isinstance(self._ask, token_file) or self.current is None or self.is_expired(now):
            await self.replaced()

    async def replaced(self) -> bool:
        """Ask the source. Return whether it has another token, which is then in use. Raises as `ask`."""
        if not self.can_change:
            return False
        before, self.current = self.current, await self.ask()
        self._previous = None
        return before != self.current

    async def ask(self) -> str:
        """Return what the source gives. Raises TokenError, also if it takes too long."""
        if self._ask is None:
            raise TokenError("there is no token source")
        try:
            async with asyncio.timeout(self._deadline):
                return checked(await self._ask())
        except TimeoutError:
            raise TokenError(f"the token source gave no answer within {self._deadline} s") from None
        except Exception as error:
            raise TokenError(f"the token source failed: {error}") from error

    def is_expired(self, now: float) -> bool:
        """Return whether the token has expired at this time of the node."""
        last = expiry(self.current)
        return last is not None and last < int(now)

    def begin_session(self, now: float) -> None:
        """Decide when to ask, at this time of the node."""
        self._previous = None
        self._schedule(now)

    async def wait(self) -> None:
        """Wait until the source is to be asked. Never returns if the token can't change."""
        if self._ask_in is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(self._ask_in)

    def extend(self, token: str, now: float) -> bool:
        """Take a token for this session. Return whether it expires later, and so is to be sent."""
        later, last = expiry(token), expiry(self.current)
        if later is None or (last is not None and later <= last):
            self.ask_later()
            return False
        self._previous, self.current = self.current, token
        self._schedule(now)
        return True

    def ask_later(self) -> None:
        """The node refused the newer token, or the source had none: the one before counts."""
        if self._previous is not None:
            self.current, self._previous = self._previous, None
        wait = min(RETRY * 2 ** min(self._retries, 16), RETRY_CAP)
        self._retries += 1
        self._ask_in = random.uniform(wait / 2, wait)

    def _schedule(self, now: float) -> None:
        self._retries = 0
        last = expiry(self.current) if self.can_change else None
        self._ask_in = None if last is None else ask_after(max(last - now, 0), random.random())


class TokenError(Exception):
    """The source gave no token. Its text holds none."""


def checked(token: object) -> str:
    """Return a token without the white space around it. Raises ValueError, without the token, if it is none."""
    word = token.strip() if isinstance(token, str) else ""
    if len(word) > TOKEN_MAX or not re.fullmatch(r"[\x21-\x7e]+", word):
        raise ValueError(f"the token is not one word of at most {TOKEN_MAX} ASCII letters")
    return word


def ask_after(left: float, share: float) -> float:
    """Return how long to wait before asking, if the token is valid for `left` seconds. `share` is from 0 to 1.

    In the last fifth of the time, and earlier if that is short.
    """
    margin = min(max(left / 10, MARGIN), left / 4)
    return left - margin * 2 + margin * share


def expiry(token: str | None) -> int | None:
    """Return the last second in which a token says that it is valid. None if it does not say."""
    try:
        body = (token or "").split(".")[1]
        exp = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["exp"]
        return int(exp)
    except (IndexError, ValueError, KeyError, TypeError, OverflowError):
        return None
