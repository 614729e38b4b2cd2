"""Handshakes, one after the other, each let go again (testkit/src/bin/witness.rs)."""

import subprocess
from pathlib import Path

from muster import process, programs
from muster.cluster import Cluster

# Seconds. A terminal waits 10 s for its welcome before it gives up, and may need more to say so on a busy machine.
PATIENCE = 20


class Knock:
    """So many handshakes a second through Nginx, from the moment this is made until `finish`."""

    def __init__(self, cluster: Cluster, rate: float, name: str = "knock", flags: tuple[str, ...] = ()) -> None:
        self.log = cluster.directory / f"{name}.out"
        command: list[str | Path] = [
            programs.directory() / "witness",
            "knock",
            "--url",
            cluster.url(),
            "--prefix",
            name,
        ]
        options = ["--rate", str(rate), "--for", "1h", *flags]
        env = {"MUSTER_SECRET": cluster.secret}
        self.process = process.launch(cluster.directory, name, [*command, *options], env=env, stdout=self.log)

    def handshakes(self) -> list[tuple[float, str | None]]:
        """Return those begun so far: when, in seconds since 1970, and "online", how it failed, or None if undecided."""
        begun: dict[str, float] = {}
        became: dict[str, str] = {}
        for line in self.log.read_text().splitlines():
            at, terminal, what, how = [*line.split(), ""][:4]
            if what == "begun":
                begun[terminal] = int(at) / 1000
            elif what == "online":
                became.setdefault(terminal, "online")
            elif what == "offline":
                became[terminal] = how
        return [(at, became.get(terminal)) for terminal, at in begun.items()]

    def failed(self, since: float = 0) -> list[str]:
        """Return how those failed that were begun at or after this moment.

        After `finish` an undecided handshake has failed too: it had its time.
        """
        ended = self.process.poll() is not None
        decided = [(at, how or "undecided") for at, how in self.handshakes() if how or ended]
        return [how for at, how in decided if how != "online" and at >= since]

    def finish(self) -> int:
        """Begin no more, wait until all have their answer, and return how many were decided."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return sum(how is not None for _, how in self.handshakes())
