"""The frames of `muster.v1`: JSON objects, read and written."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Frame = dict[str, Any]

EVENT_MAX = 8192
"""The most that name and payload of an event may have, in bytes as JSON."""
MAX_MESSAGE = 65_536
"""The largest message that a node takes, unless its welcome says otherwise."""


@dataclass(frozen=True)
class Command:
    """A command to run."""

    id: str
    """The command's id, a UUID."""
    name: str
    """What to do."""
    payload: Any
    """The arguments: JSON, or `bytes`."""
    expires_at: float
    """When the command must not be run any more, in seconds since 1970 by the node's clock."""
    cursor: str | None = None
    """The terminal's cursor after this command."""
    stagger: float = 0
    """The longest random delay before it is run, in seconds."""


def read(text: str) -> Frame | None:
    """Return the frame in a text message. None if it is none."""
    try:
        frame = json.loads(text)
    except ValueError:
        return None
    return frame if isinstance(frame, dict) and isinstance(frame.get("type"), str) else None


def command_of(frame: Frame) -> Command | None:
    """Return the command in a frame. None if the frame can't be read."""
    try:
        bytes_in_base64 = frame.get("payload_base64")
        payload = frame.get("payload") if bytes_in_base64 is None else base64.b64decode(bytes_in_base64, validate=True)
        return Command(
            id=text_of(frame["id"]),
            name=text_of(frame["name"]),
            payload=payload,
            expires_at=time_of(frame["expires_at"]),
            cursor=frame.get("cursor"),
            stagger=frame.get("stagger_ms", 0) / 1000,
        )
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None


def text_of(value: Any) -> str:
    """Return a text. Raises TypeError if it is none."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def time_of(text: str) -> float:
    """Return a time in RFC 3339 as seconds since 1970. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()


def write(kind: str, **fields: Any) -> str:
    """Return a frame as a text. Fields that are None are left out, except a payload.

    Raises TypeError or ValueError for what is no JSON, NaN too.
    """
    given = {name: value for name, value in fields.items() if value is not None and name != "payload"}
    payload = with_payload(fields["payload"]) if "payload" in fields else {}
    return json.dumps({"type": kind, **given, **payload}, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def with_payload(payload: Any) -> Mapping[str, Any]:
    """Return the field of a payload, which is JSON or bytes."""
    if isinstance(payload, bytes | bytearray | memoryview):
        return {"payload_base64": base64.b64encode(payload).decode()}
    return {"payload": payload}


def size(text: str) -> int:
    """Return how many bytes a text has on the wire."""
    return len(text.encode())


def event_size(name: str, payload: Any) -> int:
    """Return how many bytes an event has: its name, and its payload as JSON."""
    (value,) = with_payload(payload).values()
    return size(name) + size(json.dumps(value, separators=(",", ":"), ensure_ascii=False))
