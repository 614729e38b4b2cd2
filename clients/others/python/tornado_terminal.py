"""Tornado."""

import asyncio

from lines import CA, HEADERS, SUBPROTOCOLS, URL, say, text
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect


async def main():
    try:
        session = await websocket_connect(HTTPRequest(URL, headers=HEADERS, ca_certs=CA), subprotocols=SUBPROTOCOLS)
    except HTTPClientError as error:
        body = error.response.body if error.response else None
        say("refused", status=error.code, body=body.decode() if body else None)
        return
    say("open")
    await session.write_message("hello")
    while (message := await session.read_message()) is not None:
        if answer := text(message):
            await session.write_message(answer)
    say("close", code=session.close_code, reason=session.close_reason)


asyncio.run(main())
