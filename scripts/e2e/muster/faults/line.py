"""A TCP connection's way to an upstream, which a test can make bad."""

import os
import subprocess
import sys
from pathlib import Path


class Line:
    """A way to `upstream` (HOST:PORT) that begins at `address`, through a fault proxy of its own (proxy.py).

    The line is good until something is done to it, and again after `heal`. `share` is the part of the connections that
    a fault concerns, at random: 1 for all of them and those that come; with less, those that come are good. Each fault
    returns the number of connections that it concerned.
    """

    def __init__(self, upstream: str) -> None:
        # The proxy ends when this process does, since its input ends then.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "muster.faults.proxy", upstream],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.address = self._process.stdout.readline().split()[-1]
        self.url = f"ws://{self.address}/ws"

    def _order(self, *words: object) -> int:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if not answer.isdigit():
            raise RuntimeError(f"the fault proxy to {words}: {answer or 'it has ended'}")
        return int(answer)

    def connections(self) -> int:
        """Return how many connections go through the line."""
        return self._order("connections")

    def delay(self, milliseconds: float, jitter: float = 0, share: float = 1) -> int:
        """Delay everything by so many milliseconds, more or less by the jitter, in both directions. The order stays."""
        return self._order("delay", milliseconds, jitter, share)

    def bandwidth(self, bytes_a_second: int, share: float = 1) -> int:
        """Let no more through than so many bytes a second, in each direction."""
        return self._order("bandwidth", bytes_a_second, share)

    def hole(self, share: float = 1) -> int:
        """Let nothing through and tell nobody: a black hole."""
        return self._order("hole", share)

    def cut(self, share: float = 1) -> int:
        """End connections as if both sides had closed them."""
        return self._order("cut", share)

    def reset(self, share: float = 1) -> int:
        """Reset connections (RST)."""
        return self._order("reset", share)

    def heal(self) -> int:
        """Make the line good again."""
        return self._order("heal")

    def close(self) -> None:
        """End the proxy, and with it all connections."""
        self._process.communicate()
