"""What each program of this folder is told, and what it prints: one JSON object a line."""

import json
import os
import ssl
import sys

URL = sys.argv[1]
CA = sys.argv[2] if len(sys.argv) > 2 else None
TOKEN = os.environ["TOKEN"]
OFFERED = os.environ.get("HEAD") == "subprotocol"
HEADERS = {} if OFFERED else {"Authorization": f"Bearer {TOKEN}"}
SUBPROTOCOLS = ["muster.plain", f"muster.bearer.{TOKEN}"] if OFFERED else []


def say(saw, **fields):
    """Print what the library told."""
    print(json.dumps({"saw": saw, **fields}), flush=True)


def text(message):
    """Print a message, and return what is to be sent in answer, if anything is."""
    say("text", size=len(message), text=message[:64])
    return "x" * int(message.split()[1]) if message.startswith("send ") else None


def tls():
    """The settings of TLS for wss; None for ws."""
    return ssl.create_default_context(cafile=CA) if CA else None
