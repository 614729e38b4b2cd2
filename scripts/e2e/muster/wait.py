"""The one way to wait: for a condition, never for a time. Uses the standard library alone."""

import inspect
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds between two looks at a condition.
INTERVAL = 0.05


class NotYet(Exception):
    """Raised by a probe that cannot be answered now, for example while a node restarts. The wait goes on."""


class WaitedInVain(AssertionError):
    """The condition did not hold in time."""


def until(
    probe: Callable[[], T], holds: Callable[[T], object] = bool, within: float = 60, every: float = INTERVAL
) -> T:
    """Wait until `holds(probe())` is true, and return what `probe` returned.

    `within` is in seconds, and so is `every`, the time between two looks. A probe that raises `NotYet` is asked again.
    Raises `WaitedInVain`, which names the condition and what the probe returned last.
    """
    end = time.monotonic() + within
    while True:
        seen: object
        try:
            seen = value = probe()
            if holds(value):
                return value
        except NotYet as error:
            seen = error
        if time.monotonic() > end:
            raise WaitedInVain(f"waited {within:g} s for: {_text(probe, holds)}; last seen: {seen!r:.1000}")
        time.sleep(every)


def happens(
    probe: Callable[[], T], holds: Callable[[T], object] = bool, within: float = 60, every: float = INTERVAL
) -> bool:
    """Wait as `until` does; return whether the condition came true in time."""
    try:
        until(probe, holds, within, every)
    except WaitedInVain:
        return False
    return True


def _text(probe: Callable[[], T], holds: Callable[[T], object]) -> str:
    """Return the source of the call that waits, which is what a reader of the failure looks for."""
    texts = [_source(part) for part in (probe, holds) if part is not bool]
    return "; ".join(dict.fromkeys(texts))


def _source(part: Callable[..., object]) -> str:
    try:
        lines, _ = inspect.getsourcelines(part)
    except (OSError, TypeError):
        return getattr(part, "__qualname__", repr(part))
    return " ".join(line.strip() for line in lines[:3])
