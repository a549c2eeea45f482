"""The cyclic garbage collector in processes that run for long.

It looks through everything now and then, and nobody gets an answer meanwhile: 120 ms in a process
that reads, seconds beside a large correlation state. Almost all of ours is freed without it.
"""

import gc
from typing import Final

# Young objects are looked at as often as is cheap; all of them rarely.
_THRESHOLDS: Final = (10_000, 20, 100)


def settle() -> None:
    """Call when a process has loaded what stays: that is not looked through any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
