"""Terminals that write down what they run (testkit/src/bin/agents)."""

import json, os, signal, subprocess

from .checks import until
from .cluster import BIN, DIR, launch

# By scripts/planted: terminals that drop, repeat or swap a command, which the judge is to find.
BUG = ["--bug", os.environ["MUSTER_AGENTS_BUG"]] if "MUSTER_AGENTS_BUG" in os.environ else []


class Agents:
    """So many terminals, called agent-0 and so on; `url` is through Nginx unless given.

    memory   they remember in files what they had, and so do those of this prefix who come after them
    """

    def __init__(self, cluster, terminals, *flags, url=None, prefix="agent-", name=None, memory=False):
        self.cluster, self.terminals, self.prefix = cluster, terminals, prefix
        name = name or prefix.strip("-")
        self.log = f"{DIR}/{name}.jsonl"
        self._lines, self._read = [], 0
        command = [f"{BIN}/agents", "--url", url or cluster.url(), "--terminals", str(terminals)]
        if memory:
            os.makedirs(f"{DIR}/memory", exist_ok=True)
            command += ["--memory", f"{DIR}/memory"]
        open(self.log, "a").close()
        # Who was cut off often would come back in half a minute, and a script would wait for nothing else.
        command += ["--prefix", prefix, "--log", self.log, "--cap", "3s", *BUG, *flags]
        self.process = launch(name, command, stdout=subprocess.DEVNULL, env={**os.environ, "MUSTER_SECRET": cluster.secret})

    def online(self, at=None):
        """Waits until the registry has them all."""
        path = f"/v1/terminals?status=online&prefix={self.prefix}"
        until(f"all {self.prefix}s are online", lambda: len(self.cluster.pages(path, "terminals", at)) == self.terminals)
        return self

    def lines(self, what=None):
        """What they wrote so far, or what they wrote of this kind."""
        with open(self.log) as file:
            file.seek(self._read)
            while (line := file.readline()).endswith("\n"):
                self._lines.append(json.loads(line))
                self._read = file.tell()
        return [line for line in self._lines if what in (None, line["what"])]

    def runs(self):
        """The commands that each has run, in its order."""
        by_terminal = {f"{self.prefix}{number}": [] for number in range(self.terminals)}
        for line in self.lines("run"):
            by_terminal[line["terminal"]].append(line.get("command"))
        return by_terminal

    def have_run(self, command):
        """Whether each has run this."""
        return len({line["terminal"] for line in self.lines("run") if line.get("command") == command}) == self.terminals

    def connected(self):
        """Who is on the line, by their own word."""
        last = {line["terminal"]: line["what"] for line in self.lines() if line["what"] in ("online", "offline", "gone")}
        return {terminal for terminal, what in last.items() if what == "online"}

    def freeze(self):
        """They neither read nor write, and their connections stay."""
        self.process.send_signal(signal.SIGSTOP)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
