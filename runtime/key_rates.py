"""What one key may do a second in this process, and the 429 for those who do more.

Sending and reading are limited apart, each by what its process holds: a key whose reader asks too
often goes on sending. Source: the contract, section 3 (429); docs/access-rates.md has the numbers.
"""

import time
from typing import Final

from runtime.clock import MonotonicClock
from runtime.http import Problem
from runtime.metrics import RATE_REFUSALS
from runtime.rate_limit import RateLimit
from runtime.settings import Settings

# From here on nobody misses the fraction that a share of a rate may have.
_WHOLE_RATE_MIN: Final = 100

# Both stand among the metrics from the start, at 0.
_REQUESTS_REFUSED: Final = RATE_REFUSALS.labels("requests")
_EVENTS_REFUSED: Final = RATE_REFUSALS.labels("events")


class KeyRates:
    """The two limits of a key. For one event loop."""

    def __init__(self, *, requests: RateLimit, events: RateLimit) -> None:
        self._requests = requests
        self._events = events

    def spend_request(self, key_id: str) -> None:
        """Once for each request, as soon as its key is known. Raises the 429 Problem."""
        debt_s = self._requests.spend(key_id)
        if debt_s:
            _REQUESTS_REFUSED.inc()
            raise request_rate_exceeded(self._requests.rate_per_s, debt_s)

    def require_no_event_debt(self, key_id: str) -> None:
        """Before a body is read: whose is refused anyway costs little. Raises the 429 Problem."""
        self._refuse_events(self._events.debt_s(key_id))

    def spend_events(self, key_id: str, events: int) -> None:
        """Once the events of a request are counted, good and bad. Raises the 429 Problem."""
        self._refuse_events(self._events.spend(key_id, events))

    def _refuse_events(self, debt_s: float) -> None:
        if debt_s:
            _EVENTS_REFUSED.inc()
            raise event_rate_exceeded(self._events.rate_per_s, debt_s)


def key_rates(settings: Settings, *, monotonic_s: MonotonicClock = time.monotonic) -> KeyRates:
    """The limits of these settings for one process: its share of them."""
    processes = settings.rate_processes
    return KeyRates(
        requests=RateLimit(settings.rate_requests_per_s / processes, monotonic_s=monotonic_s),
        events=RateLimit(settings.rate_events_per_s / processes, monotonic_s=monotonic_s),
    )


def request_rate_exceeded(rate_per_s: float, debt_s: float) -> Problem:
    """429, by requests."""
    return Problem(
        "request_rate_exceeded",
        status=429,
        title="Too many requests with this key",
        detail=f"One key may make at most {_in_words(rate_per_s)} requests a second here. Nothing"
        " was done; try again after the seconds of Retry-After.",
        headers=_retry_after(debt_s),
    )


def event_rate_exceeded(rate_per_s: float, debt_s: float) -> Problem:
    """429, by events."""
    return Problem(
        "event_rate_exceeded",
        status=429,
        title="Too many events with this key",
        detail=f"One key may send at most {_in_words(rate_per_s)} events a second here. Nothing of"
        " this request was stored; send it again after the seconds of Retry-After.",
        headers=_retry_after(debt_s),
    )


def _retry_after(debt_s: float) -> dict[str, str]:
    # Whole seconds, and never less than the debt: who waits so long is let through.
    return {"Retry-After": str(int(debt_s) + 1)}


def _in_words(rate_per_s: float) -> str:
    return f"{rate_per_s:,.0f}" if rate_per_s >= _WHOLE_RATE_MIN else f"{rate_per_s:.3g}"
