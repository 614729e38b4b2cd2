"""How a session, or an attempt to open one, ended."""

import json
from dataclasses import dataclass

TOKEN_EXPIRED = 4004


@dataclass(frozen=True)
class End:
    """How a session or an attempt ended. One of `code` and `status` is set, or neither."""

    why: str
    """For people."""
    code: int | None = None
    """The code of the node's close; 1006 if a session broke without one."""
    status: int | None = None
    """The HTTP status of a refused handshake."""
    hint: float | None = None
    """How long the node asks the terminal to wait, in seconds."""
    is_left: bool = False
    """The program closed the terminal."""

    @property
    def is_final(self) -> bool:
        """Whether the terminal does not come back by itself."""
        if self.is_left or self.status in (400, 403, 404):
            return True
        return self.code is not None and 4500 <= self.code <= 4999

    @property
    def needs_token(self) -> bool:
        """Whether the token was refused or has expired."""
        return self.status == 401 or self.code == TOKEN_EXPIRED


def closed(code: int, reason: str, goodbye: float | None = None) -> End:
    """Return the end that a close makes. `goodbye` is the hint of the frame before it; that of the close counts."""
    hint = hint_of(reason)
    return End(f"closed with {code} {reason}".strip(), code=code, hint=goodbye if hint is None else hint)


def refused(status: int, retry_after: str | None) -> End:
    """Return the end that a refused handshake makes. A `Retry-After` that is a date is ignored."""
    hint = float(retry_after) if retry_after and retry_after.strip().isdecimal() else None
    return End(f"refused with status {status}", status=status, hint=hint)


def lost(why: str) -> End:
    """Return the end of a session that broke."""
    return End(why, code=1006)


def hint_of(reason: str) -> float | None:
    """Return the hint in the reason of a close, in seconds."""
    try:
        retry_ms = json.loads(reason)["retry_ms"]
    except (ValueError, TypeError, KeyError):
        return None
    is_hint = isinstance(retry_ms, int) and not isinstance(retry_ms, bool) and retry_ms >= 0
    return retry_ms / 1000 if is_hint else None
