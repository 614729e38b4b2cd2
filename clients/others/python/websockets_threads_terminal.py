"""websockets, on threads."""

from lines import HEADERS, SUBPROTOCOLS, URL, say, text, tls
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

try:
    with connect(URL, additional_headers=HEADERS, subprotocols=SUBPROTOCOLS or None, ssl=tls()) as session:
        say("open")
        session.send("hello")
        while True:
            if answer := text(session.recv()):
                session.send(answer)
except ConnectionClosed as end:
    say("close", code=end.rcvd and end.rcvd.code, reason=end.rcvd and end.rcvd.reason)
except InvalidStatus as error:
    say("refused", status=error.response.status_code, body=error.response.body.decode())
