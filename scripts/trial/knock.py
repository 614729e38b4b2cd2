"""Handshakes, one after the other, each let go again; and what became of them (nginx/examples/witness.rs)."""

import os, time

from .cluster import BIN, DIR, launch

# How long a terminal waits for its welcome before it gives up.
PATIENCE = 10


class Knock:
    """So many handshakes a second through Nginx, until `knocked`."""

    def __init__(self, cluster, rate, name="knock"):
        self.log = f"{DIR}/{name}.log"
        command = [f"{BIN}/examples/witness", "knock", "--url", cluster.url(), "--prefix", name, "--rate", str(rate), "--for", "1h"]
        with open(self.log, "w") as log:
            self.process = launch(name, command, stdout=log, env={**os.environ, "MUSTER_SECRET": cluster.secret})

    def decided(self):
        """Those decided so far: when each was begun (seconds since 1970), and None or how it failed."""
        with open(self.log) as file:
            for line in file:
                at, _, what, how, took = (line.split() + [0])[:5]
                if what == "online":
                    yield int(at) / 1000 - int(took) / 1000, None
                elif what == "offline":
                    yield int(at) / 1000 - (PATIENCE if how == "no-welcome" else 0), how

    def failed(self, since=0):
        """How those failed that were begun after this moment."""
        return [how for at, how in self.decided() if how and at >= since]

    def knocked(self):
        """Ends it, after the last has had its answer."""
        if self.process.poll() is None:
            time.sleep(0.5)
            self.process.kill()
            self.process.wait()
        return len(list(self.decided()))
