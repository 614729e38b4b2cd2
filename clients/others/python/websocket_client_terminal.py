"""websocket-client, by its WebSocketApp."""

import websocket
from lines import CA, HEADERS, SUBPROTOCOLS, URL, say, text


def opened(session):
    say("open")
    session.send("hello")


def heard(session, message):
    if answer := text(message):
        session.send(answer)


def failed(_session, error):
    if isinstance(error, websocket.WebSocketBadStatusException):
        say("refused", status=error.status_code, body=(error.resp_body or b"").decode())
    else:
        say("error", text=str(error))


def closed(_session, code, reason):
    say("close", code=code, reason=reason)


events = {"on_open": opened, "on_message": heard, "on_error": failed, "on_close": closed}
app = websocket.WebSocketApp(URL, header=HEADERS, subprotocols=SUBPROTOCOLS or None, **events)
app.run_forever(sslopt={"ca_certs": CA} if CA else None)
