"""How evenly terminals came back."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def returns(lines: Iterable[Mapping[str, Any]], since: float = 0) -> list[float]:
    """Return when terminals came back online after they were offline, in seconds after `since`, from agents' lines.

    `since` is in seconds since 1970; what happened before is left out.
    """
    offline: set[str] = set()
    times = []
    for line in lines:
        at = line["at"] / 1000 - since
        if at < 0:
            continue
        if line["what"] == "offline":
            offline.add(line["terminal"])
        elif line["what"] == "online" and line["terminal"] in offline:
            offline.remove(line["terminal"])
            times.append(at)
    return sorted(times)


def span(times: list[float]) -> float:
    """Return the time in which all but the first and the last hundredth happened."""
    cut = len(times) // 100
    return times[-1 - cut] - times[cut]


def peak(times: list[float], seconds: float) -> float:
    """Return how many times as many happened in the busiest second as in the mean one of `seconds`."""
    return max(Counter(int(at) for at in times).values()) * seconds / len(times)
