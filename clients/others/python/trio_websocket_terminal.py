"""trio-websocket."""

import trio
from lines import HEADERS, SUBPROTOCOLS, URL, say, text, tls
from trio_websocket import ConnectionClosed, ConnectionRejected, open_websocket_url


async def main():
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    try:
        async with open_websocket_url(URL, tls(), subprotocols=SUBPROTOCOLS, extra_headers=headers) as session:
            say("open")
            await session.send_message("hello")
            while True:
                if answer := text(await session.get_message()):
                    await session.send_message(answer)
    except ConnectionClosed as end:
        say("close", code=end.reason.code if end.reason else None, reason=end.reason.reason if end.reason else None)
    except ConnectionRejected as error:
        say("refused", status=error.status_code, body=error.body.decode() if error.body else None)


trio.run(main)
