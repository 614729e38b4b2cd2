"""Handshakes, one after the other, each let go again (testkit/src/bin/witness.rs); and requests that never end."""

import select
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from muster import process, programs
from muster.cluster import Cluster

# Seconds. A terminal waits 10 s for its welcome before it gives up, and may need more to say so on a busy machine.
PATIENCE = 20


class Handshake(NamedTuple):
    """One handshake: when it was `begun` and when `decided`, in seconds since 1970.

    `how` is "online", or how it failed, or None if it is undecided; `node` the node that welcomed it; `took` the
    seconds until the welcome.
    """

    terminal: str
    begun: float
    decided: float = 0
    how: str | None = None
    node: str = ""
    took: float = 0

    def during(self, begin: float, end: float) -> bool:
        """Return whether it was under way at some moment of this span: a node that ended then may have had it."""
        return self.begun <= end and (self.how is None or self.decided >= begin)


class Knock:
    """So many handshakes a second through Nginx, from the moment this is made until `finish`.

    The terminals are called PREFIX-0, PREFIX-1, …; the prefix is by default the name. `url`: by default Nginx's.
    """

    def __init__(
        self,
        cluster: Cluster,
        rate: float,
        name: str = "knock",
        flags: tuple[str, ...] = (),
        *,
        seed: int,
        prefix: str = "",
        url: str = "",
    ) -> None:
        self.log = cluster.directory / f"{name}.out"
        command: list[str | Path] = [programs.directory() / "witness", "knock", "--url", url or cluster.url()]
        command += ["--prefix", prefix or name, "--rate", str(rate), "--for", "1h", *flags]
        env = {"MUSTER_SECRET": cluster.secret, **programs.chance(seed, prefix or name)}
        self.process = process.launch(cluster.directory, name, command, env=env, stdout=self.log)

    def each(self) -> list[Handshake]:
        """Return the handshakes begun so far."""
        known: dict[str, Handshake] = {}
        # What follows the last end of a line is not written whole yet.
        for line in self.log.read_text().rpartition("\n")[0].splitlines():
            stamp, terminal, what, *detail = line.split()
            at, before = int(stamp) / 1000, known.get(terminal)
            if before is None or what == "begun":
                known[terminal] = Handshake(terminal, at)
            elif what == "online" and before.how is None:
                node, took = detail
                known[terminal] = before._replace(decided=at, how="online", node=node, took=int(took) / 1000)
            elif what == "offline":
                known[terminal] = before._replace(decided=at, how=detail[0])
        return list(known.values())

    def handshakes(self) -> list[tuple[float, str | None]]:
        """Return those begun so far: when, in seconds since 1970, and "online", how it failed, or None if undecided."""
        return [(each.begun, each.how) for each in self.each()]

    def decided(self) -> int:
        """Return how many were decided so far."""
        return sum(each.how is not None for each in self.each())

    def failures(self) -> list[Handshake]:
        """Return those that failed. After `finish` an undecided handshake has failed too: it had its time."""
        ended = self.process.poll() is not None
        return [each for each in self.each() if each.how != "online" and (each.how or ended)]

    def slowest(self) -> float:
        """Return how long the slowest of those took that did not fail, in seconds."""
        return max(each.took for each in self.each())

    def failed(self, since: float = 0) -> list[str]:
        """Return how those failed that were begun at or after this moment.

        After `finish` an undecided handshake has failed too: it had its time.
        """
        return [each.how or "undecided" for each in self.failures() if each.begun >= since]

    def finish(self) -> int:
        """Begin no more, wait until all have their answer, and return how many were decided."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return self.decided()


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
        self._address, self._begin, self._more = address, begin, more
        self._unsent: dict[socket.socket, bytes] = {}
        self._answers: dict[socket.socket, bytes] = {}
        self.outcome = Outcome(open=count)

    def run(self, memory: Callable[[], int], within: float = 20) -> Outcome:
        """Connect, and go on until the server has closed all of them, or for so many seconds."""
        before, count, began, beat = memory(), self.outcome.open, time.monotonic(), 0.0
        self._connect(count)
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

    def _connect(self, count: int) -> None:
        host, port = self._address.rsplit(":", 1)
        for _ in range(count):
            connection = socket.create_connection((host, int(port)))
            connection.setblocking(False)
            self._unsent[connection], self._answers[connection] = self._begin, b""
            # At once, since Nginx closes connections that have sent nothing to make room for others.
            self._send(connection, self._begin)

    def _write(self, due: bool) -> None:
        for connection, unsent in self._unsent.items():
            data = unsent or (self._more if due else b"")
            if data:
                self._send(connection, data)

    def _send(self, connection: socket.socket, data: bytes) -> None:
        try:
            self._unsent[connection] = data[connection.send(data) :]
        except BlockingIOError:
            pass
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
