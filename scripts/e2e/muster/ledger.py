"""Judges a run of the generator from its raw lines alone, and compares the result with the generator's report.

The comparison shares no code with the generator: where the numbers differ, one of the two is wrong. A delivery is
owed by intent: to a terminal that meant to be online all through the window from `settle` before a message was due to
`grace` after, or to be back while the server still keeps what it missed.
"""

import json
import math
from collections import Counter, defaultdict
from pathlib import Path

from muster.api import Json

LOST = ("signalled_gap", "not_promised", "silently_lost")
FATES = ("on_time", "late", "replayed", "other_kind", "still_away", *LOST)
# Frames that hold no message of this run.
NOT_OURS = ("corrupt", "phantom", "other_run", "foreign")
# The report's percentiles come from a histogram of three digits: they must be within 0.2 % of the sorted samples'.
PRECISION = 0.002
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
SECOND = 10**9
# An arrival may be written down up to 1 ms before its session is.
SLACK = 10**6
# A terminal that made no attempt for so long after a loss has not come back.
OVERDUE = 15 * SECOND


class Ledger:
    """What the raw lines in `logs` (as `--logs` wrote them) say."""

    def __init__(self, logs: Path) -> None:
        self.run: Json = json.loads((logs / "run.json").read_text())
        self.messages: list[Json] = [json.loads(line) for line in (logs / "messages.jsonl").open()]
        self.accounts: dict[str, Counter[str]] = defaultdict(Counter)
        self.frames: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.live: list[int] = []
        self.missing = 0
        for line in (logs / "terminals.jsonl").open():
            self._terminal(json.loads(line))

    def _terminal(self, lines: Json) -> None:
        first = self._arrivals(lines)
        odd = [kind for kind, _ in lines["odd"] if kind in NOT_OURS]
        self.frames.update(odd)
        self.frames["read"] += len(odd)
        self.faults.update(kind for kind in odd if kind in ("corrupt", "phantom"))
        for message in self.messages:
            if message["sent"] is not None and message["to"] in (None, lines["number"]):
                self._message(message, lines, first.get(message["seq"]))
        self._reordered(first)

    def _arrivals(self, lines: Json) -> dict[int, int]:
        """Count what arrived; return when each message first did. A binary frame's time is negative."""
        first: dict[int, int] = {}
        copies: set[tuple[int, int]] = set()
        read = [(*arrival, 1) for arrival in lines["arrivals"]] + [(*arrival, -1) for arrival in lines["binary"]]
        for number, copy, at, sign in sorted(read, key=lambda arrival: int(arrival[2])):
            self.frames["read"] += 1
            message = self.messages[number]
            if message["sent"] is None:
                self._wrong("phantom")
            elif message["to"] not in (None, lines["number"]):
                self._wrong("misdelivered")
            elif number in first:
                again = (number, copy) in copies and self.run["dedupes"]
                self.frames["dup_wire" if again else "dup_app"] += 1
                self.faults["delivered twice"] += not again
            else:
                first[number] = sign * at
                self.faults["another kind"] += sign < 0
            copies.add((number, copy))
        return first

    def _wrong(self, kind: str) -> None:
        self.frames[kind] += 1
        self.faults[kind] += 1

    def _message(self, message: Json, lines: Json, came: int | None) -> None:
        """Account for one message that was sent to this terminal, or to all."""
        fate = message["sent"]["fate"]
        if fate != "accepted":
            if came is not None:
                self.frames["indeterminate" if "unknown" in fate else "phantom"] += 1
                self.faults["phantom"] += "refused" in fate
            return
        name = self._cohort(lines, message["due"])
        if name is None or message["due"] + self.run["grace"] > self.run["over"]:
            self.frames["extra"] += came is not None
        elif came is None:
            self._absent(name, message, lines)
        else:
            self._arrived(name, message, lines, came)

    def _absent(self, name: str, message: Json, lines: Json) -> None:
        told = told_of_gap(lines, message["due"])
        away = self._still_away(lines)
        if not told and away is not None and message["due"] + self.run["grace"] > away:
            self.accounts[name]["still_away"] += 1
            return
        is_allowed = name == "interrupted" and self.run["at_most_once"]
        fate = LOST[0 if told else 1 if is_allowed else 2]
        self.accounts[name][fate] += 1
        if lines["temper"] == "good":
            self.faults["silently lost"] += fate == "silently_lost"
            self.missing += message["due"] >= self.run["measure"] and name != "resumable"

    def _arrived(self, name: str, message: Json, lines: Json, came: int) -> None:
        self.frames["owed"] += 1
        if came < 0:
            self.accounts[name]["other_kind"] += 1
            return
        due = message["due"]
        session = session_at(lines, came)
        if session and session["resumed"] and message["sent"]["answered"] < session["ready"]:
            self.accounts[name]["replayed"] += 1
            return
        self.accounts[name]["late" if came > due + self.run["grace"] else "on_time"] += 1
        if due >= self.run["measure"] and lines["temper"] == "good":
            self.live.append(came - due)

    def _still_away(self, lines: Json) -> int | None:
        """Return when the terminal lost its session, if it was still in its own backoff when the run ended."""
        if not lines["sessions"] or lines["sessions"][-1]["lost"] is None:
            return None
        last, over = lines["sessions"][-1], self.run["over"]
        until = min(lines["stays"][last["stay"]][1], over)
        later = [stay for stay in lines["stays"][last["stay"] + 1 :] if stay[0] < over]
        attempts = [
            dialled
            for dialled, at, unanswered in lines["failures"]
            if last["ended"] <= dialled < until and (not unanswered or at - dialled >= self.run["grace"])
        ]
        return None if later or attempts or until > last["ended"] + OVERDUE else int(last["ended"])

    def _cohort(self, lines: Json, due: int) -> str | None:
        """Return the cohort in which the terminal is for a message, or None if it is owed nothing."""
        begin, end = max(due - self.run["settle"], 0), due + self.run["grace"]
        sessions = lines["sessions"]
        if not any(session["ready"] <= begin for session in sessions):
            return None
        stays = self._stays(lines)
        if any(start <= begin and end <= stop for start, stop in stays):
            held = any(session["ready"] <= begin and end <= session["ended"] for session in sessions)
            name = "steady" if held else "interrupted"
        elif self._comes_back(stays, begin, end):
            name = "resumable"
        else:
            return None
        return name if lines["temper"] == "good" else str(lines["temper"])

    def _stays(self, lines: Json) -> list[list[int]]:
        """Return the spans in which the terminal meant to be online, those that touch joined into one."""
        stays: list[list[int]] = []
        for number, (start, stop, _) in enumerate(lines["stays"]):
            if self.run["retention"] is None:
                ready = [session["ready"] for session in lines["sessions"] if session["stay"] == number]
                if not ready:
                    continue
                start = max(start, min(ready))
            if stays and stays[-1][1] == start:
                stays[-1][1] = stop
            else:
                stays.append([start, stop])
        return stays

    def _comes_back(self, stays: list[list[int]], begin: int, end: int) -> bool:
        """Return whether the server still keeps what the terminal missed in this window when it comes back."""
        kept = self.run["retention"]
        if kept is None or not stays or end > stays[-1][1]:
            return False
        pairs = zip(stays, stays[1:], strict=False)
        absences = [(one[1], next_[0]) for one, next_ in pairs if one[1] < end and next_[0] > begin]
        return all(back - left <= kept for left, back in absences)

    def _reordered(self, first: dict[int, int]) -> None:
        """Of each pair the earlier must have been accepted before the later was sent."""
        for to_all in (True, False):
            latest = -1
            for number, _ in sorted(first.items(), key=lambda item: abs(item[1])):
                message = self.messages[number]
                if (message["to"] is None) == to_all:
                    sent = message["sent"]
                    # What was answered with 504 may have been accepted after the answer.
                    self.faults["reordered"] += sent["fate"] == "accepted" and latest > sent["answered"]
                    latest = max(latest, sent["at"])

    def differences(self, report: Json) -> list[str]:
        """Return each number of the report that the raw lines do not confirm."""
        rows = [(f"frames {name}", self.frames[name], count) for name, count in report["frames"].items()]
        for name in {*self.accounts, *report["ledger"]}:
            theirs, mine = report["ledger"].get(name, {}), self.accounts[name]
            rows += [(f"ledger {name} {fate}", mine[fate], theirs.get(fate)) for fate in FATES]
            rows.append((f"ledger {name} expected", mine.total(), theirs.get("expected")))
        kinds = {kind for kind, count in self.faults.items() if count} | set(report["faults"])
        rows += [
            (f"faults {kind}", self.faults[kind], report["faults"].get(kind, 0))
            for kind in kinds - {"before sent", "from replaced"}
        ]
        differ = [
            f"{name}: {mine} by the raw lines, {theirs} in the report" for name, mine, theirs in rows if mine != theirs
        ]
        points = report["latencies"].get("live", {}).get("points", {})
        return differ + [text for name in SHARES if name in points and (text := self._percentile(name, points[name]))]

    def _percentile(self, name: str, theirs: float | str) -> str:
        """Return how a percentile of the live deliveries differs; empty if it does not."""
        live = sorted(self.live)
        rank = max(math.ceil(SHARES[name] * (len(live) + self.missing)), 1)
        mine: float | str = live[rank - 1] / 1e6 if rank <= len(live) else "never"
        if isinstance(mine, str) or isinstance(theirs, str):
            same = mine == theirs
        else:
            same = abs(mine - theirs) <= PRECISION * mine + 0.001
        return "" if same else f"live {name}: {mine} by the raw lines, {theirs} in the report"


def session_at(lines: Json, at: int) -> Json:
    """Return the session that a terminal had at this time, or None."""
    ready = [session for session in lines["sessions"] if session["ready"] <= at + SLACK]
    return ready[-1] if ready else None


def told_of_gap(lines: Json, due: int) -> bool:
    """Return whether the terminal was told of a gap that covers a message due at this time."""
    gap = next((gap for gap in lines["gaps"] if gap >= due), None)
    if gap is None or (session := session_at(lines, gap)) is None:
        return False
    return bool(due <= session["ready"] + SECOND or gap <= due + SECOND)
