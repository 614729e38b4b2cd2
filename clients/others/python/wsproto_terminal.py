"""wsproto, which has no input and output of its own: the socket is this program's."""

import socket
from urllib.parse import urlsplit

from lines import HEADERS, SUBPROTOCOLS, URL, say, text, tls
from wsproto import ConnectionType, WSConnection, events

at = urlsplit(URL)
line = socket.create_connection((at.hostname, at.port))
if context := tls():
    line = context.wrap_socket(line, server_hostname=at.hostname)
protocol = WSConnection(ConnectionType.CLIENT)
request = events.Request(
    host=at.netloc,
    target=f"{at.path}?{at.query}",
    extra_headers=[(name.encode(), value.encode()) for name, value in HEADERS.items()],
    subprotocols=SUBPROTOCOLS,
)
line.sendall(protocol.send(request))
message, body, status, ended = "", b"", None, False
while not ended:
    data = line.recv(65536)
    protocol.receive_data(data or None)
    for event in protocol.events():
        match event:
            case events.AcceptConnection():
                say("open")
                line.sendall(protocol.send(events.TextMessage("hello")))
            case events.RejectConnection():
                status = event.status_code
                ended = not event.has_body
            case events.RejectData():
                body += event.data
                ended = event.body_finished
            case events.TextMessage():
                message += event.data
                if event.message_finished:
                    answer, message = text(message), ""
                    if answer:
                        line.sendall(protocol.send(events.TextMessage(answer)))
            case events.Ping():
                line.sendall(protocol.send(event.response()))
            case events.CloseConnection():
                say("close", code=int(event.code), reason=event.reason)
                ended = True
if status:
    say("refused", status=status, body=body.decode())
