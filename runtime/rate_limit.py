"""So many tokens a second for each key: a token bucket, kept as the moment it is full again.

A key is in debt while its bucket is more than a burst away from being full.

Must stay true:
- A key that is not in debt is let through whatever it spends, so no spending is ever impossible.
- In any T seconds a key spends at most rate x (T + BURST_S), and one spending more.
- Who is turned away spends nothing: trying again does not put off the end of the debt.
- So many keys are remembered at most. The one used longest ago is forgotten first, and then has a
  full bucket again.
- Nothing here waits, logs or raises, and the clock is passed in.
"""

from typing import Final

from runtime.clock import MonotonicClock
from runtime.lru import LruCache

# A command line that sends a day's work at once is let through; a loop that went wild is not.
BURST_S: Final = 5.0
# As many as the authenticator knows at a time. Some 2 MB.
KEYS_MAX: Final = 10_000


class RateLimit:
    """One limit, kept for each key on its own. For one event loop."""

    def __init__(
        self, rate_per_s: float, *, monotonic_s: MonotonicClock, keys_max: int = KEYS_MAX
    ) -> None:
        """`rate_per_s` is above 0, or 0: there is no limit."""
        self.rate_per_s: Final = rate_per_s
        self._monotonic_s = monotonic_s
        self._full_at_s: LruCache[str, float] = LruCache(keys_max)

    def debt_s(self, key_id: str) -> float:
        """Seconds until the key is out of debt; 0.0: it is not in debt. Spends nothing."""
        if not self.rate_per_s:
            return 0.0
        full_at_s = self._full_at_s.get(key_id)
        if full_at_s is None:
            return 0.0
        return max(0.0, full_at_s - self._monotonic_s() - BURST_S)

    def spend(self, key_id: str, tokens: int = 1) -> float:
        """0.0: they are spent. Else none is, and it is the seconds until the key has no debt."""
        if not self.rate_per_s:
            return 0.0
        now_s = self._monotonic_s()
        full_at_s = self._full_at_s.get(key_id)
        if full_at_s is None or full_at_s < now_s:
            full_at_s = now_s
        debt_s = full_at_s - now_s - BURST_S
        if debt_s > 0.0:
            return debt_s
        self._full_at_s.put(key_id, full_at_s + tokens / self.rate_per_s)
        return 0.0
