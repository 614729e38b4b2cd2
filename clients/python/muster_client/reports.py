"""What a terminal tells its program besides commands."""

from dataclasses import dataclass
from typing import Any

from muster_client.end import End


@dataclass(frozen=True)
class Opened:
    """A session is ready."""

    resumed: bool
    """Whether everything that was missed follows."""


@dataclass(frozen=True)
class Offline:
    """A session ended, or could not be opened. The terminal comes back."""

    end: End
    was_open: bool
    retry_in: float
    """In so many seconds, or earlier if the token was refused and there is another."""


@dataclass(frozen=True)
class Gone:
    """The terminal does not come back. Nothing follows."""

    end: End
    was_open: bool


@dataclass(frozen=True)
class Gap:
    """Commands are missing, and will not arrive."""

    after: str
    """The cursor after which they are missing."""
    up_to: str
    """The cursor up to which they are."""
    reason: str


@dataclass(frozen=True)
class NodeError:
    """The node could not use a frame. The session goes on."""

    code: str
    message: str


@dataclass(frozen=True)
class Stored:
    """The event with this id is stored. One that is not told of may be lost with its connection."""

    id: str


@dataclass(frozen=True)
class TooLargeSent:
    """A result was over the node's limit. The node was told that the command failed."""

    bytes: int
    limit: int


@dataclass(frozen=True)
class TokenUnavailable:
    """The token source failed. The terminal goes on with the token that it has."""

    why: str


Report = Opened | Offline | Gone | Gap | NodeError | Stored | TooLargeSent | TokenUnavailable


def of_frame(frame: dict[str, Any]) -> Report | None:
    """Return what a frame of the node tells the program. None if that is nothing."""
    match frame:
        case {"type": "gap", "from": str(after), "to": str(up_to)}:
            return Gap(after, up_to, str(frame.get("reason", "")))
        case {"type": "error", "code": str(code)}:
            return NodeError(code, str(frame.get("message", "")))
        case {"type": "ack", "id": str(event)}:
            return Stored(event)
    return None
