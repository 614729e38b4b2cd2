"""lomond."""

from lines import HEADERS, SUBPROTOCOLS, URL, say, text
from lomond import WebSocket

session = WebSocket(URL, protocols=SUBPROTOCOLS or None)
for name, value in HEADERS.items():
    session.add_header(name.encode(), value.encode())
for event in session.connect():
    if event.name == "ready":
        say("open")
        session.send_text("hello")
    elif event.name == "text":
        if answer := text(event.text):
            session.send_text(answer)
    elif event.name == "rejected":
        say("refused", status=event.response.status_code, body=None)
    elif event.name == "closing":
        say("close", code=event.code, reason=event.reason)
    elif event.name in ("connect_fail", "protocol_error"):
        say("error", text=str(event))
