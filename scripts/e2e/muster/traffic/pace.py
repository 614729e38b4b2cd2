"""A pace at which a test does something again and again."""

import time
from collections.abc import Iterator


def paced(rate: float, times: int) -> Iterator[int]:
    """Yield 0, 1, … `times - 1`, at most `rate` a second. Time that was lost is not made up for."""
    due = time.monotonic()
    for number in range(times):
        due = max(due + 1 / rate, time.monotonic())
        time.sleep(max(0, due - time.monotonic()))
        yield number
