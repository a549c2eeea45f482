"""Records of one kind, found by when they were.

Must stay true: every search costs O(log n + what it looks at), whatever the order of arrival.

Theory of operation. Spans that overlap a given one may start arbitrarily long before it, so a list
by start alone does not bound the search to the left. Records are therefore kept in one sorted list
per length class: in a class, nothing that started earlier than the greatest length it ever had can
still be running. A second list, by end, serves "ended shortly before". Opening a search in a sorted
list costs as much as looking at twenty records, so the classes are few: up to a minute, up to about
an hour (which every search looks through anyway), and then each sixteen times as long.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from sortedcontainers import SortedList

from processors.record import Record
from schemas.limits import LINK_WINDOW_US

# Lengths below 2^26 µs (67 s), below 2^32 (72 min), and on by factors of sixteen.
_SHORT_BITS: Final = 26
_HOUR_BITS: Final = 32
_CLASS_BITS: Final = 4

# (time, id, record): ids are unique inside a kind, so the record itself is never compared.
_Item: TypeAlias = tuple[int, str, Record]
# (distance in µs, record)
Ranked: TypeAlias = tuple[int, Record]


class TimeIndex:
    """All searches look at `start`, `span_end` and `end` of what was added, which must not change
    between `add` and `discard`."""

    __slots__ = ("_by_end", "_by_length", "_longest")

    def __init__(self) -> None:
        self._by_length: dict[int, SortedList[_Item]] = {}
        self._longest: dict[int, int] = {}  # by length class
        self._by_end: SortedList[_Item] = SortedList()

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def add(self, record: Record) -> None:
        length_class = _length_class(record)
        items = self._by_length.get(length_class)
        if items is None:
            items = self._by_length[length_class] = SortedList()
            self._longest[length_class] = 0
        items.add((record.start, record.id, record))
        length = record.span_end - record.start
        if length > self._longest[length_class]:
            self._longest[length_class] = length
        if record.end is not None:
            self._by_end.add((record.end, record.id, record))

    def discard(self, record: Record) -> None:
        length_class = _length_class(record)
        items = self._by_length[length_class]
        items.remove((record.start, record.id, record))
        if not items:
            del self._by_length[length_class]
        if record.end is not None:
            self._by_end.remove((record.end, record.id, record))

    def starting(self, first_us: int, end_us: int | None) -> Iterator[Record]:
        """Every record that starts in [first, end); no end: all later ones."""
        for items in self._by_length.values():
            maximum = None if end_us is None else (end_us,)
            for _, _, record in items.irange((first_us,), maximum, (True, False)):
                yield record

    def related(self, asking: Record) -> Iterator[Record]:
        """Every record that overlaps `asking`, ended shortly before it or started shortly after it.

        Source: the contract, section 4.
        """
        start = asking.start
        # Those that start at the very start overlap even when one of the two is a moment.
        end = max(asking.span_end, start + 1)
        if asking.end is not None:
            end = max(end, asking.end + LINK_WINDOW_US + 1)
        for length_class, items in self._by_length.items():
            first = start - self._longest[length_class]
            for other_start, _, record in items.irange((first,), (end,), (True, False)):
                if other_start >= start or record.span_end > start:
                    yield record
        for _, record in self.ended_before(asking):
            yield record

    def ended_before(self, asking: Record) -> Iterator[Ranked]:
        """Closed, no overlap, ended 0 to 60 min before `asking` starts; the nearest first."""
        start = asking.start
        for end, _, record in self._by_end.irange(
            (start - LINK_WINDOW_US,), (start + 1,), (True, False), reverse=True
        ):
            # Only a moment at the very start both has ended by then and overlaps.
            if record.start != start:
                yield start - end, record

    def nearest_overlapping(self, asking: Record, count: int) -> list[Ranked]:
        """The `count` with the nearest starts at most, ties by the higher id."""
        found: list[Ranked] = []
        for length_class, items in self._by_length.items():
            found += _first(_overlapping_right(items, asking), count)
            found += _first(_overlapping_left(items, self._longest[length_class], asking), count)
        return _nearest(found, count)

    def nearest_ended_before(self, asking: Record, count: int) -> list[Ranked]:
        """As `ended_before`, cut after `count`; already in the contract's order."""
        found: list[Ranked] = []
        for ranked in self.ended_before(asking):
            found.append(ranked)
            if len(found) == count:
                break
        return found

    def nearest_started_after(self, asking: Record, count: int) -> list[Ranked]:
        """The `count` that started soonest after `asking` ended, ties by the higher id."""
        found: list[Ranked] = []
        for items in self._by_length.values():
            found += _first(_started_after(items, asking), count)
        return _nearest(found, count)

    def has_related(self, asking: Record) -> bool:
        """Whether there is any."""
        return next(self.related(asking), None) is not None


def _length_class(record: Record) -> int:
    bits = (record.span_end - record.start).bit_length()
    if bits <= _SHORT_BITS:
        return _SHORT_BITS
    return max(_HOUR_BITS, -(-bits // _CLASS_BITS) * _CLASS_BITS)


def _overlapping_right(items: "SortedList[_Item]", asking: Record) -> Iterator[Ranked]:
    start = asking.start
    # Those that start at the very start overlap even when one of the two is a moment.
    maximum = (max(asking.span_end, start + 1),)
    for other_start, _, record in items.irange((start,), maximum, (True, False)):
        yield other_start - start, record


def _overlapping_left(items: "SortedList[_Item]", longest: int, asking: Record) -> Iterator[Ranked]:
    start = asking.start
    for other_start, _, record in items.irange(
        (start - longest,), (start,), (True, False), reverse=True
    ):
        if record.span_end > start:
            yield start - other_start, record


def _started_after(items: "SortedList[_Item]", asking: Record) -> Iterator[Ranked]:
    end = asking.end
    if end is None:
        return
    for other_start, _, record in items.irange((end,), (end + LINK_WINDOW_US + 1,), (True, False)):
        # A moment overlaps what starts with it; a longer span cannot start where it ends.
        if other_start != asking.start:
            yield other_start - end, record


def _first(ranked: Iterator[Ranked], count: int) -> list[Ranked]:
    """The first `count` of a list ordered by distance, and all that tie with the last of them."""
    found: list[Ranked] = []
    for pair in ranked:
        if len(found) >= count and pair[0] != found[-1][0]:
            break
        found.append(pair)
    return found


def _nearest(found: list[Ranked], count: int) -> list[Ranked]:
    if len(found) > 1:
        # Two stable sorts: the higher id first, then the nearest first.
        found.sort(key=lambda pair: pair[1].id, reverse=True)
        found.sort(key=lambda pair: pair[0])
    return found[:count]
