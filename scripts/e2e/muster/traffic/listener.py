"""A terminal that writes down what it receives, while the test does something else."""

import threading

from muster.cluster import Cluster
from muster.traffic.terminal import Terminal

# Seconds after which a listener that has nothing to read looks whether it was told to leave.
LOOK = 0.2


class Listener:
    """A `Terminal` at a node, which reads until `leave`. It obeys no close code, and it answers pings."""

    def __init__(self, cluster: Cluster, number: int, terminal: str) -> None:
        self.number, self.terminal = number, terminal
        self._cluster = cluster
        self._heard: list[str | int] = []
        self._failed: BaseException | None = None
        self._left = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            with Terminal(self._cluster, self._cluster.node(self.number), self.terminal) as terminal:
                while not self._left.is_set() and 0 not in self._heard:
                    heard = terminal.receive(LOOK)
                    if heard is not None:
                        self._heard.append(heard)
        except BaseException as error:
            self._failed = error

    @property
    def heard(self) -> list[str | int]:
        """What it received so far, in order: texts, a close frame's code, and 0 for the end of the connection.

        Raises what went wrong with the connection, for example `Refused`.
        """
        if self._failed:
            raise self._failed
        return self._heard

    def leave(self) -> None:
        """End the connection without a close frame, within `LOOK` seconds."""
        self._left.set()
