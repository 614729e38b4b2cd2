"""A line: a connection's way through a fault proxy (faultproxy.py) of its own, which this drives."""

import os, subprocess, sys


class Line:
    """A way to `upstream` (HOST:PORT) that begins at `address`. It is good until something is done to it, and again after `heal`.

    `share` is the part of the connections that it happens to; those that come later are good ones, if it is less than 1.
    """

    def __init__(self, upstream):
        proxy = os.path.join(os.path.dirname(__file__), "faultproxy.py")
        # It ends when this script does, since then its input ends.
        self.process = subprocess.Popen([sys.executable, proxy, upstream], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split()[-1]
        self.url = f"ws://{self.address}/ws"

    def _tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer.isdigit():
            raise RuntimeError(f"the fault proxy to {words}: {answer or 'it has ended'}")
        return int(answer)

    def connections(self):
        """How many go through it."""
        return self._tell("connections")

    def delay(self, milliseconds, jitter=0, share=1):
        """Everything is late by so much, more or less by the jitter, in both directions; order stays."""
        return self._tell("delay", milliseconds, jitter, share)

    def bandwidth(self, bytes_a_second, share=1):
        """No more goes through than this, in each direction."""
        return self._tell("bandwidth", bytes_a_second, share)

    def hole(self, share=1):
        """Nothing goes through, and nobody is told: a black hole."""
        return self._tell("hole", share)

    def cut(self, share=1):
        """Connections end, as if both sides had closed them."""
        return self._tell("cut", share)

    def reset(self, share=1):
        """Connections are reset (RST)."""
        return self._tell("reset", share)

    def heal(self):
        return self._tell("heal")

    def close(self):
        self.process.communicate()
