"""httpx-ws. Its limit of a message, 64 KiB by default, is that of what a node takes: raise it for larger commands."""

import httpx
from httpx_ws import WebSocketDisconnect, WebSocketNetworkError, WebSocketUpgradeError, connect_ws
from lines import HEADERS, SUBPROTOCOLS, URL, say, text, tls


def main():
    settings = {"headers": HEADERS, "subprotocols": SUBPROTOCOLS or None, "max_message_size_bytes": 1 << 20}
    with httpx.Client(verify=tls() or True) as client, connect_ws(URL, client, **settings) as session:
        say("open")
        session.send_text("hello")
        while True:
            if answer := text(session.receive_text()):
                session.send_text(answer)


try:
    main()
except WebSocketDisconnect as end:
    say("close", code=end.code, reason=end.reason)
except WebSocketUpgradeError as error:
    say("refused", status=error.response.status_code, body=None)
except WebSocketNetworkError:
    say("close", code=None, reason=None)
