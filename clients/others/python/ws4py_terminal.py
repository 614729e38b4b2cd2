"""ws4py."""

from lines import CA, HEADERS, SUBPROTOCOLS, URL, say, text
from ws4py.client.threadedclient import WebSocketClient
from ws4py.exc import HandshakeError


class Terminal(WebSocketClient):
    def opened(self):
        say("open")
        self.send("hello")

    def received_message(self, message):
        if answer := text(str(message)):
            self.send(answer)

    def closed(self, code, reason=None):
        say("close", code=code, reason=reason.decode() if isinstance(reason, bytes) else reason)


trusted = {"ca_certs": CA, "cert_reqs": 2} if CA else None
session = Terminal(URL, SUBPROTOCOLS or None, headers=list(HEADERS.items()), ssl_options=trusted)
try:
    session.connect()
    session.run_forever()
except HandshakeError as error:
    say("error", text=str(error))
