"""An adapter of muster-loadgen for a protocol of one's own.

    muster-loadgen run --adapter-cmd 'python3 loadgen/examples/adapter.py' --url ws://127.0.0.1:8003/

Each line on stdin is a request, and each line on stdout answers one, by its id. docs/measuring.md has all events and actions.
The protocol here is that of loadgen/tests/servers/own_protocol.py: flags can't describe it, since the server wants a proof,
and puts several messages into one frame.
"""

import base64
import hashlib
import json
import sys
from typing import Any

SECRET = "open sesame"

Action = dict[str, Any] | str


def heard(text: str) -> list[Action]:
    """Return what a frame of the server means."""
    word, _, rest = text.partition(" ")
    match word:
        case "hello":
            proof = hashlib.sha256(f"{rest}{SECRET}".encode()).hexdigest()
            return [{"send": f"join load {proof}"}]
        case "joined":
            # From now on the terminal is owed each message.
            return [{"ready": {"node": rest}}]
        case "said":
            return [{"message": base64.b64decode(part).decode()} for part in rest.split()]
        case "ok":
            return [{"accepted": int(rest)}]
        case "ping":
            return [{"send": f"pong {rest}"}]
        case "refused":
            return [{"refused": rest}]
        case _:
            return ["malformed"]


def answer(request: dict[str, Any]) -> list[Action]:
    """Return what a terminal does, or has heard."""
    match request["event"]:
        case "text":
            return heard(request["text"])
        case "publish":
            message = base64.b64encode(request["message"].encode()).decode()
            # The server says `ok`, which counts, and not that the frame was written.
            return [{"send": f"say {request['number']} {message}"}, "await"]
        case "binary":
            return ["malformed"]
        case _:
            # Nothing is to be done at `start`, nor at `open`: the server speaks first.
            return []


def main() -> None:
    """Answer until stdin ends."""
    for line in sys.stdin:
        request = json.loads(line)
        # `close` has no id: nothing is to be answered. A program that keeps something for each connection forgets it here.
        if "id" in request:
            print(json.dumps({"id": request["id"], "do": answer(request)}), flush=True)


if __name__ == "__main__":
    main()
