"""The two clocks, as values to pass in, so that tests can pass in others."""

import time
from collections.abc import Callable
from typing import TypeAlias

MonotonicClock: TypeAlias = Callable[[], float]  # seconds, for waits
WallClock: TypeAlias = Callable[[], int]  # µs since 1970 UTC, for what is written down


def wall_clock_us() -> int:
    """Now, in µs since 1970 UTC."""
    return time.time_ns() // 1_000
