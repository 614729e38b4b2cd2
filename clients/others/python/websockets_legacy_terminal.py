"""websockets, as it was before version 14."""

import asyncio
from contextlib import suppress

from lines import HEADERS, SUBPROTOCOLS, URL, say, text, tls
from websockets.exceptions import ConnectionClosed, InvalidStatusCode
from websockets.legacy.client import connect


async def main():
    try:
        async with connect(URL, extra_headers=HEADERS, subprotocols=SUBPROTOCOLS or None, ssl=tls()) as session:
            say("open")
            await session.send("hello")
            with suppress(ConnectionClosed):
                async for message in session:
                    if answer := text(message):
                        await session.send(answer)
            say("close", code=session.close_code, reason=session.close_reason)
    except InvalidStatusCode as error:
        say("refused", status=error.status_code, body=None)


asyncio.run(main())
