"""libcurl, by curl_cffi."""

from curl_cffi import CurlError, WebSocket
from lines import CA, HEADERS, SUBPROTOCOLS, URL, say, text


def opened(session):
    say("open")
    session.send_str("hello")


def heard(session, message):
    if answer := text(message if isinstance(message, str) else message.decode()):
        session.send_str(answer)


def closed(_session, code, reason):
    say("close", code=code, reason=reason)


def failed(_session, error):
    say("error", text=str(error))


session = WebSocket(on_open=opened, on_message=heard, on_close=closed, on_error=failed)
offered = {"Sec-WebSocket-Protocol": ", ".join(SUBPROTOCOLS)} if SUBPROTOCOLS else {}
try:
    session.run_forever(URL, headers={**HEADERS, **offered}, verify=CA or True)
except CurlError as error:
    say("error", text=str(error))
