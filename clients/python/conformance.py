"""The conformance program for the kit: clients/README.md says what it does and prints."""

import asyncio
import base64
import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

from muster_client import (
    LATER,
    Command,
    CommandFailed,
    CommandRejected,
    Gap,
    Gone,
    NodeError,
    Offline,
    Opened,
    Policy,
    Report,
    Stored,
    Terminal,
    TooLarge,
    TooLargeSent,
    token_file,
)


def saw(what: str, **fields: Any) -> None:
    """Print a line."""
    print(json.dumps({"saw": what, **fields}), flush=True)


def told(report: Report) -> None:
    """Print what the terminal tells."""
    logging.info("%s", report)
    match report:
        case Opened(resumed):
            saw("open", resumed=resumed)
        case Offline(end, was_open, _) | Gone(end, was_open):
            if was_open:
                saw("close", code=end.code)
            elif not end.is_left:
                saw("refused", **({"status": end.status} if end.status else {}))
            if isinstance(report, Gone) and not end.is_left:
                saw("gone")
        case Gap(after, up_to, _):
            saw("gap", **{"from": after, "to": up_to})
        case NodeError(code, _):
            saw("error", code=code)
        case Stored(id):
            saw("stored", id=id)
        case TooLargeSent(bytes, limit):
            saw("too_large", bytes=bytes, limit=limit)


class Program:
    """Runs the kit's commands."""

    def __init__(self) -> None:
        times = {name: value / 1000 for name, value in json.loads(os.environ["MUSTER_POLICY"]).items()}
        names = {
            "first_ms": "first",
            "cap_ms": "cap",
            "stable_ms": "stable",
            "slow_ms": "slow",
            "hint_cap_ms": "hint_cap",
        }
        self.terminal = Terminal(
            os.environ["MUSTER_URL"].split(","),
            os.environ["MUSTER_TERMINAL"],
            self.run,
            token=token_file(os.environ["MUSTER_TOKEN_FILE"]),
            memory=Path(os.environ["MUSTER_STATE"]) / "memory",
            report=told,
            labels={"kit": "yes"},
            policy=Policy(**{name: times[given] for given, name in names.items()}),
            deadline=times["deadline_ms"],
        )

    def run(self, command: Command) -> Any:
        """Run a command by its name."""
        payload = command.payload
        is_bytes = isinstance(payload, bytes)
        shown = {"payload_base64": base64.b64encode(payload).decode()} if is_bytes else {"payload": payload}
        saw("command", id=command.id, name=command.name, **shown)
        match command.name:
            case "echo":
                return payload
            case "fail":
                raise CommandFailed(payload)
            case "progress":
                self.terminal.progress(command.id, payload)
                return None
            case "health":
                self.terminal.health("degraded", payload)
                return None
            case "event":
                return self.event(payload)
            case "large":
                return "x" * payload
            case "quiet":
                return LATER
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "leave":
                self.terminal.result(command.id, True)
                self.terminal.close()
                return LATER
        raise CommandRejected

    def event(self, payload: Any) -> None:
        """Send the event that the kit wants."""
        try:
            self.terminal.event(payload["name"], payload["payload"], payload.get("id"))
        except TooLarge as error:
            saw("too_large", bytes=error.bytes, limit=error.limit)
            raise CommandFailed from error


logging.basicConfig(level=logging.INFO)
logging.getLogger("websockets").setLevel(logging.WARNING)
asyncio.run(Program().terminal.run())
