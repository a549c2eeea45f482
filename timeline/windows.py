"""Where on the time axis to look for a page, a window at a time. Pure.

The table is not sorted by time across workspaces, so a page without bounds would read everything.
Windows start at the page's end of the axis and grow: whatever the filters, all windows together
cost little more than the last one, and a page that is full after the first one reads no further.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from timeline.cursor import Order

# Each window is so many times as wide as the one before.
GROWTH: Final = 16
# The first one is to hold so many times the rows that are wanted, were all rows wanted ones.
_OVERSCAN: Final = 4
_WIDTH_US_MIN: Final = 60 * 1_000_000


class Stretch(NamedTuple):
    """A partition: between which times (both in, µs) it holds how many rows."""

    first: int
    last: int
    rows: int


class Window(NamedTuple):
    """Half-open, in µs."""

    start: int
    end: int


def windows(
    stretches: Sequence[Stretch], bounds: Window, order: Order, wanted: int
) -> Iterator[Window]:
    """Disjoint windows that together hold every row inside `bounds`, in `order`."""
    if order is Order.DESC:
        yield from _backwards(stretches, bounds, wanted)
    else:
        # The same on the mirrored axis.
        mirrored = [Stretch(-last, -first, rows) for first, last, rows in stretches]
        for start, end in _backwards(mirrored, Window(1 - bounds.end, 1 - bounds.start), wanted):
            yield Window(1 - end, 1 - start)


def _backwards(stretches: Sequence[Stretch], bounds: Window, wanted: int) -> Iterator[Window]:
    waiting = sorted(stretches)  # the latest at the end
    end = bounds.end
    width = 0
    while waiting:
        latest = waiting[-1]
        end = min(end, latest.last + 1)
        if latest.first >= end:
            waiting.pop()
            continue
        if end <= bounds.start:
            return
        width = width * GROWTH or _first_width(latest, wanted)
        start = max(bounds.start, end - width)
        yield Window(start, end)
        end = start


def _first_width(stretch: Stretch, wanted: int) -> int:
    us_per_row = (stretch.last + 1 - stretch.first) // max(stretch.rows, 1)
    return max(_WIDTH_US_MIN, us_per_row * wanted * _OVERSCAN)
