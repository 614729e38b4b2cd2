"""aiohttp."""

import asyncio

import aiohttp
from lines import HEADERS, SUBPROTOCOLS, URL, say, text, tls


async def main():
    async with aiohttp.ClientSession() as client:
        try:
            async with client.ws_connect(URL, headers=HEADERS, protocols=SUBPROTOCOLS, ssl=tls() or True) as session:
                await listen(session)
        except aiohttp.WSServerHandshakeError as error:
            say("refused", status=error.status, body=None)


async def listen(session):
    say("open")
    await session.send_str("hello")
    while (message := await session.receive()).type is aiohttp.WSMsgType.TEXT:
        if answer := text(message.data):
            await session.send_str(answer)
    # A loop of `async for` would end here too, and not show the reason.
    say("close", code=session.close_code, reason=message.extra)


asyncio.run(main())
