"""Handshakes, one after the other, each let go again; and what became of them (testkit/src/bin/witness.rs)."""

import os, subprocess

from .cluster import BIN, DIR, launch

# A terminal waits 10 s for its welcome before it gives up, and may need some more to say so on a busy machine.
PATIENCE = 20


class Knock:
    """So many handshakes a second through Nginx, until `knocked`."""

    def __init__(self, cluster, rate, name="knock"):
        self.log = f"{DIR}/{name}.log"
        command = [f"{BIN}/witness", "knock", "--url", cluster.url(), "--prefix", name, "--rate", str(rate), "--for", "1h"]
        with open(self.log, "w") as log:
            self.process = launch(name, command, stdout=log, env={**os.environ, "MUSTER_SECRET": cluster.secret})

    def handshakes(self):
        """Those begun so far: when (seconds since 1970), and "online", how it failed, or None while it is not decided."""
        begun, became = {}, {}
        with open(self.log) as file:
            for line in file:
                at, terminal, what, how = (line.split() + [""])[:4]
                if what == "begun":
                    begun[terminal] = int(at) / 1000
                elif what == "online":
                    became.setdefault(terminal, "online")
                elif what == "offline":
                    became[terminal] = how
        return [(at, became.get(terminal)) for terminal, at in begun.items()]

    def failed(self, since=0):
        """How those failed that were begun after this moment; one without an answer has failed once `knocked` has waited for it."""
        ended = self.process.poll() is not None
        decided = [(at, how or "undecided") for at, how in self.handshakes() if how or ended]
        return [how for at, how in decided if how != "online" and at >= since]

    def knocked(self):
        """Begins no more, waits until all have their answer, and says how many that were."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return sum(how is not None for _, how in self.handshakes())
