"""Commands under way while something is done to the cluster, and then the judgement."""

import collections, json, random, subprocess, sys, threading, time

from .api import Unanswered
from .checks import fail
from .cluster import DIR

POSTERS = 4
JUDGE = [sys.executable, "scripts/trial/judge.py"]


class Load:
    """Operators who post to terminals that run what they get: every tenth command of the first operator to all, the others to one.

    Each posts one command after the other, until it is accepted, at a pace: so there is always something under way when a fault
    strikes. A terminal's own commands come from one operator, and the broadcasts too: only so is their order known.
    """

    def __init__(self, cluster, agents, seed, commands, pace, at=None):
        self.cluster, self.agents, self.seed, self.at = cluster, agents, seed, at
        self.commands, self.pace = commands, pace
        self.ids = sorted(agents.runs())
        self.rows = [[] for _ in range(POSTERS)]
        self.slowest, self.before, self.refused = 0, len(agents.lines()), collections.Counter()
        # By the payload, whom each command is for: also those of which nobody knows yet whether they were accepted.
        self.asked = {}
        self.threads = [threading.Thread(target=self._post, args=(poster,), daemon=True) for poster in range(POSTERS)]
        for thread in self.threads:
            thread.start()

    def _post(self, poster):
        chance = random.Random(f"{self.seed} {poster}")
        own = [id for number, id in enumerate(self.ids) if number % POSTERS == poster]
        due = time.monotonic()
        for number in range(self.commands // POSTERS):
            due = max(due + POSTERS / self.pace, time.monotonic())
            time.sleep(max(0, due - time.monotonic()))
            to_all = poster == 0 and number % 10 == 0
            targets = self.ids if to_all else [chance.choice(own)]
            target = {"all": True} if to_all else {"terminal": targets[0]}
            key = f"{self.seed}-{poster}-{number}"
            body = {"target": target, "name": "work", "payload": key, "expires_in": "1h"}
            self.asked[key] = set(targets)
            began = time.time()
            command = self.cluster.insist(body, key, self.at, self.refused)
            self.slowest = max(self.slowest, time.time() - began)
            self.rows[poster].append({"command": command, "targets": targets, "stream": "all" if to_all else targets[0], "at": time.time()})

    def done(self):
        """How many were accepted so far."""
        return sum(map(len, self.rows))

    def reach(self, share):
        """Waits until this share of them was accepted."""
        while self.done() < share * self.commands // POSTERS * POSTERS:
            if not self.under_way():
                fail(f"{self.done()} of {self.commands} commands were accepted")
            time.sleep(0.01)

    def accepted(self):
        """Waits until all is posted: each command, whom it is for, and in which order it belongs."""
        for thread in self.threads:
            thread.join()
        return [row for rows in self.rows for row in rows]

    def under_way(self):
        return any(thread.is_alive() for thread in self.threads)

    def judged(self, besides=(), patience=60):
        """Waits until all is posted and, no longer than `patience`, until all is run and confirmed; then the judge has it: whether
        nothing is wrong, and what it counted. `besides`: the commands that others posted meanwhile."""
        accepted = self.accepted()
        owed = {(row["command"], terminal) for row in accepted for terminal in row["targets"]}
        end = time.monotonic() + patience
        while not self._ran() >= owed and time.monotonic() < end:
            time.sleep(0.1)
        ran = [line for line in self.agents.lines()[self.before :] if line.get("command") not in besides]
        logs = [("accepted", accepted), ("ran", ran), ("states", self._states(accepted, end))]
        paths = [write(name, lines) for name, lines in logs]
        judge = subprocess.run(JUDGE + paths, capture_output=True, text=True)
        return judge.returncode == 0, judge.stdout.strip() or judge.stderr

    def _ran(self):
        return {(line["command"], line["terminal"]) for line in self.agents.lines("run") if "command" in line}

    def _states(self, accepted, end):
        """What operators are told of each command and each of these terminals, once it is confirmed or it is too late."""
        told, ours = [], set(self.ids)
        for row in accepted:
            while True:
                rows = [target for target in self._targets(row["command"]) if target["terminal"] in ours]
                if time.monotonic() > end or rows and all(target["state"] not in ("queued", "sent") for target in rows):
                    break
                time.sleep(0.05)
            told += [{"command": row["command"], "terminal": target["terminal"], "state": target["state"]} for target in rows]
        return told

    def _targets(self, command):
        try:
            return self.cluster.pages(f"/v1/commands/{command}/targets", "targets", self.at)
        except Unanswered:
            return []


def write(name, lines):
    path = f"{DIR}/{name}.jsonl"
    with open(path, "w") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path
