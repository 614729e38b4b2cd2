"""How long a terminal waits before it connects again. All times are in seconds."""

import random
from dataclasses import dataclass

from muster_client.end import End


@dataclass(frozen=True)
class Policy:
    """The numbers of the policy."""

    first: float = 5
    """The range of the first delay. Wide, since all terminals of a lost node draw from it at once."""
    cap: float = 30
    """The range doubles with each failure up to this."""
    stable: float = 60
    """After a session of this length the range begins anew."""
    slow: float = 300
    """The longest time between two attempts without a good token; the shortest is half of it."""
    hint_cap: float = 600
    """A longer hint counts as this."""


class Backoff:
    """Draws the delays of one terminal at random."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._failures = 0

    def after(self, end: End, lasted: float) -> float | None:
        """Return the delay after a session that lasted so long, 0 if none was opened. None: stay away."""
        if lasted >= self._policy.stable:
            self._failures = 0
        if end.is_final:
            return None
        if end.hint is not None:
            hint = min(end.hint, self._policy.hint_cap)
            # The same hint may have gone to many: a tenth spreads them.
            return hint + random.uniform(0, hint / 10)
        span = min(self._policy.first * 2 ** min(self._failures, 16), self._policy.cap)
        self._failures += 1
        return random.uniform(0, span)

    def slowly(self) -> float:
        """Return the delay before an attempt with a token that was refused or has expired."""
        return random.uniform(self._policy.slow / 2, self._policy.slow)

    def before_asking(self, refused: int) -> float:
        """Return the delay before the token source is asked again, after so many tokens in a row were refused."""
        longest = min(self._policy.cap * 2 ** min(max(refused - 1, 0), 16), self._policy.slow)
        return random.uniform(longest / 2, longest)
