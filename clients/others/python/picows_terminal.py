"""picows, which hands over frames: it answers pings, and joins nothing."""

import asyncio

from lines import HEADERS, SUBPROTOCOLS, URL, say, text, tls
from picows import WSInvalidStatusError, WSListener, WSMsgType, ws_connect


class Terminal(WSListener):
    parts = b""

    def on_ws_connected(self, transport):
        say("open")
        transport.send(WSMsgType.TEXT, b"hello")

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            say("close", code=int(frame.get_close_code()), reason=frame.get_close_reason())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self.parts += frame.get_payload_as_bytes()
            if frame.fin:
                message, self.parts = self.parts.decode(), b""
                if answer := text(message):
                    transport.send(WSMsgType.TEXT, answer.encode())


async def main():
    offered = {"Sec-WebSocket-Protocol": ", ".join(SUBPROTOCOLS)} if SUBPROTOCOLS else {}
    try:
        transport, _ = await ws_connect(Terminal, URL, ssl_context=tls(), extra_headers={**HEADERS, **offered})
    except WSInvalidStatusError as error:
        say("refused", status=int(error.response.status), body=(error.raw_body or b"").decode())
        return
    await transport.wait_disconnected()


asyncio.run(main())
