"""A terminal made of a bare socket, in plain mode: for what a well-behaved client can't be made to do."""

import base64, hashlib, hmac, json, os, socket, struct, time

PLAIN, V1 = None, "muster.v1"


class Refused(Exception):
    """The handshake was answered with something else: `status` and `headers`, or 0 if there was no answer."""

    def __init__(self, status, headers):
        super().__init__(f"{status} {headers}")
        self.status, self.headers = status, headers


class Terminal:
    """Connects to a node (HOST:PORT); raises `Refused`."""

    def __init__(self, cluster, address, terminal, timeout=10):
        host, port = address.split(":")
        self.rest = b""
        try:
            self.stream = socket.create_connection((host, int(port)), timeout)
            self.stream.sendall(self._handshake(cluster, terminal))
            self._answer()
        except OSError as error:
            raise Refused(0, {"error": str(error)}) from None

    def _handshake(self, cluster, terminal):
        lines = {"Host": "t", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), "Authorization": f"Bearer {token(cluster.secret, terminal)}"}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"GET /ws?terminal_id={terminal} HTTP/1.1\r\n{head}\r\n".encode()

    def _answer(self):
        while b"\r\n\r\n" not in self.rest:
            data = self.stream.recv(4096)
            if not data:
                raise Refused(0, {"error": "closed"})
            self.rest += data
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        status = int(first.split()[1])
        if status != 101:
            self.stream.close()
            raise Refused(status, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)})

    def receive(self, timeout=10):
        """The next message's text, or a close's code (0 for an end without one), or None if nothing came in time. Answers pings."""
        end = time.monotonic() + timeout
        try:
            while (left := end - time.monotonic()) > 0:
                self.stream.settimeout(left)
                kind, payload = self._frame()
                if kind == 9:
                    self._send(10, payload)
                elif kind == 8:
                    return struct.unpack(">H", payload[:2])[0]
                elif kind == 1:
                    return payload.decode()
        except TimeoutError:
            pass
        except (OSError, EOFError):
            return 0
        return None

    def _frame(self):
        self._need(2)
        begin, size = 2, self.rest[1] & 127
        if size > 125:
            begin += 2 if size == 126 else 8
            self._need(begin)
            size = int.from_bytes(self.rest[2:begin])
        self._need(begin + size)
        kind, payload = self.rest[0] & 15, self.rest[begin : begin + size]
        self.rest = self.rest[begin + size :]
        return kind, payload

    def _need(self, size):
        """Nothing is taken before all of it is there: it may not come in time."""
        while len(self.rest) < size:
            data = self.stream.recv(65536)
            if not data:
                raise EOFError
            self.rest += data

    def _send(self, kind, payload):
        self.stream.sendall(bytes([128 | kind, 128 | len(payload)]) + bytes(4) + payload)

    def say(self, text):
        """Sends a text, which a node tells as an event."""
        self._send(1, text.encode())

    def close(self):
        self.stream.close()


def token(secret, terminal):
    """As `muster-node token` makes it."""
    kid, key = secret.split("=", 1)
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    text = part({"alg": "HS256", "typ": "JWT", "kid": kid}) + b"." + part({"sub": terminal, "exp": int(time.time()) + 86400})
    return (text + b"." + base64.urlsafe_b64encode(hmac.digest(key.encode(), text, hashlib.sha256)).rstrip(b"=")).decode()
