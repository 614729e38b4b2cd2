"""Requests that never end, many at once from one address."""

import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

# Seconds between two pieces of each request.
BEAT = 0.5


@dataclass
class Outcome:
    """What became of them. `grown`: the bytes by which the server grew for each at most; `open`: how many are left."""

    grown: int = 0
    seconds: float = 0
    open: int = 0
    answers: Counter[str] = field(default_factory=Counter)


class Unfinished:
    """So many connections to `address` that send `begin` and then `more` each half second, if it is not empty."""

    def __init__(self, address: str, count: int, begin: bytes, more: bytes = b"") -> None:
        host, port = address.rsplit(":", 1)
        self._more = more
        self._unsent: dict[socket.socket, bytes] = {}
        self._answers: dict[socket.socket, bytes] = {}
        for _ in range(count):
            connection = socket.create_connection((host, int(port)))
            connection.setblocking(False)
            self._unsent[connection], self._answers[connection] = begin, b""
        self.outcome = Outcome(open=count)

    def run(self, memory: Callable[[], int], within: float = 20) -> Outcome:
        """Go on until the server has closed all of them, or for so many seconds."""
        before, count, began, beat = memory(), self.outcome.open, time.monotonic(), 0.0
        while self._unsent and time.monotonic() < began + within:
            due = time.monotonic() >= beat
            if due:
                beat = time.monotonic() + BEAT
                self.outcome.grown = max(self.outcome.grown, (memory() - before) // count)
            self._write(due)
            if self._read():
                self.outcome.seconds = time.monotonic() - began
        self.outcome.open = len(self._unsent)
        for connection in self._unsent:
            connection.close()
        return self.outcome

    def _write(self, due: bool) -> None:
        for connection, unsent in self._unsent.items():
            data = unsent or (self._more if due else b"")
            if not data:
                continue
            try:
                sent = connection.send(data)
                self._unsent[connection] = unsent[sent:]
            except BlockingIOError:
                continue
            except OSError:
                # The server has closed it, which the next read tells.
                self._unsent[connection] = b""

    def _read(self) -> bool:
        """Read what came; return whether the server closed one."""
        poll = select.poll()
        by_number = {connection.fileno(): connection for connection in self._unsent}
        for number in by_number:
            poll.register(number, select.POLLIN)
        closed = False
        for number, _ in poll.poll(50):
            connection = by_number[number]
            try:
                data = connection.recv(4096)
            except OSError:
                data = b""
            self._answers[connection] += data
            if not data:
                closed = True
                del self._unsent[connection]
                connection.close()
                self.outcome.answers[self._answers[connection][9:12].decode() or "none"] += 1
        return closed
