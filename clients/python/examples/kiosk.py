"""A kiosk that shows texts.

python kiosk.py ws://127.0.0.1:9000/ws python-1 [TOKEN_FILE]
"""

import asyncio
import signal
import sys

from muster_client import Command, CommandRejected, Terminal, token_file


def run(command: Command) -> object:
    """Run a command; what is returned is the reply."""
    if command.name != "show":
        raise CommandRejected
    print(command.payload, flush=True)
    return {"shown": True}


async def main(url: str, name: str, token: str | None = None) -> None:
    """Serve until Ctrl-C, or until a node says to stay away."""
    source = token_file(token) if token else None
    terminal = Terminal(
        url, name, run, token=source, memory=f"{name}.memory", report=lambda report: print(report, file=sys.stderr)
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, terminal.close)
    print(await terminal.run(), file=sys.stderr)


asyncio.run(main(*sys.argv[1:]))
