"""Plain mode: a WebSocket and nothing else. It prints each command's payload, and says that it did.

python plain.py ws://127.0.0.1:9000/ws plain-1 [TOKEN_FILE]
"""

import asyncio
import random
import sys
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def serve(url: str, terminal: str, token_file: Path | None) -> int | None:
    """Serve one session. Return the code of the close, or the status of the refusal."""
    headers = {"Authorization": f"Bearer {token_file.read_text().strip()}"} if token_file else {}
    try:
        async with connect(f"{url}?terminal_id={terminal}", additional_headers=headers) as socket:
            async for message in socket:
                print(message, flush=True)
                await socket.send(f"shown: {message!r}")
            return socket.close_code
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    except InvalidStatus as refused:
        return refused.response.status_code
    except OSError as error:
        print(error, file=sys.stderr)
        return None


async def main(url: str, terminal: str, token_file: Path | None = None) -> None:
    """Serve sessions until one says to stay away. The delays are random, so that a fleet does not come back at once."""
    span = 5.0
    while True:
        end = await serve(url, terminal, token_file)
        if end in (400, 403, 404) or (end and 4500 <= end <= 4999):
            sys.exit(f"the node says not to come back: {end}")
        delay = random.uniform(0, span)
        span = min(span * 2, 30)
        print(f"ended with {end}; again in {delay:.1f} s", file=sys.stderr)
        await asyncio.sleep(delay)


if __name__ == "__main__":
    url, terminal, *rest = sys.argv[1:]
    asyncio.run(main(url, terminal, *map(Path, rest)))
