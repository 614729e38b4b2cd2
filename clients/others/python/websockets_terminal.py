"""websockets, on asyncio."""

import asyncio
from contextlib import suppress

from lines import HEADERS, SUBPROTOCOLS, URL, say, text, tls
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def main():
    try:
        async with connect(URL, additional_headers=HEADERS, subprotocols=SUBPROTOCOLS or None, ssl=tls()) as session:
            say("open")
            await session.send("hello")
            with suppress(ConnectionClosed):
                async for message in session:
                    if answer := text(message):
                        await session.send(answer)
            say("close", code=session.close_code, reason=session.close_reason)
    except InvalidStatus as error:
        say("refused", status=error.response.status_code, body=error.response.body.decode())


asyncio.run(main())
