"""Autobahn, on asyncio."""

import asyncio
from urllib.parse import urlsplit

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
from lines import HEADERS, SUBPROTOCOLS, URL, say, text, tls


class Terminal(WebSocketClientProtocol):
    def onOpen(self):
        say("open")
        self.sendMessage(b"hello")

    def onMessage(self, payload, isBinary):
        if answer := text(payload.decode()):
            self.sendMessage(answer.encode())

    def onClose(self, wasClean, code, reason):
        say("close", code=code, reason=reason)
        ended.set()


async def main():
    factory = WebSocketClientFactory(URL, headers=HEADERS, protocols=SUBPROTOCOLS)
    factory.protocol = Terminal
    at = urlsplit(URL)
    await asyncio.get_running_loop().create_connection(factory, at.hostname, at.port, ssl=tls())
    await ended.wait()


ended = asyncio.Event()
asyncio.run(main())
