"""The node's clock, as its last welcome tells: the terminal's own may be wrong, or be set."""

import time


class NodeClock:
    """The node's time, measured from a welcome on with a clock that is never set. This machine's time before."""

    def __init__(self) -> None:
        self._node: tuple[float, float] | None = None

    def set(self, node_time: float) -> None:
        """Take the time of a welcome, in seconds since 1970."""
        self._node = (node_time, time.monotonic())

    def now(self) -> float:
        """Return the node's time in seconds since 1970."""
        if self._node is None:
            return time.time()
        node_time, at = self._node
        return node_time + time.monotonic() - at

    def is_over(self, expires_at: float) -> bool:
        """Return whether a command has expired. None has before a node told its time."""
        return self._node is not None and self.now() >= expires_at
