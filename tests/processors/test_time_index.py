"""Every search of the time index against a filter over all records."""

from collections.abc import Iterable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.record import Record
from processors.snapshot import snapshot_of
from processors.time_index import Ranked, TimeIndex
from schemas.envelope import Event, Sender
from schemas.limits import LINK_WINDOW_US
from tests.processors.builders import id_of

SENDER = Sender(organization="default", actor="anna", actor_kind="person", key_id="key-1")
BASE_US = 10**15
LOST_AFTER_US = 2 * LINK_WINDOW_US

# Times at which spans touch, nearly touch, or stand at the border of the window.
offsets = st.builds(
    lambda windows, near: windows * LINK_WINDOW_US + near,
    st.integers(-2, 3),
    st.integers(-2, 2),
)
# Around the borders of the length classes, and moments.
lengths = st.one_of(
    st.sampled_from([0, 1, 2, 15, 16, 17, 255, 256, 257, LINK_WINDOW_US - 1, LINK_WINDOW_US]),
    st.integers(0, 4 * LINK_WINDOW_US),
    st.none(),
)
spans = st.tuples(offsets, lengths)
many = settings(max_examples=200, deadline=None)


def record(number: int, offset: int, length: int | None) -> Record:
    """A run; without a length it is open."""
    fields = {"id": id_of(number), "started_at": BASE_US + offset}
    if length is not None:
        fields["finished_at"] = BASE_US + offset + length
    return Record(snapshot_of(Event("action_run", fields), SENDER, BASE_US), LOST_AFTER_US)


def overlap(one: Record, other: Record) -> bool:
    for moment, span in ((one, other), (other, one)):
        if moment.start == moment.span_end:
            return span.start <= moment.start < span.span_end or moment.start == span.start
    return max(one.start, other.start) < min(one.span_end, other.span_end)


def gap_after(earlier: Record, later: Record) -> int | None:
    """By how much the later one follows; None when it does not, or not within the window."""
    if earlier.end is None or overlap(earlier, later):
        return None
    gap_us = later.start - earlier.end
    return gap_us if 0 <= gap_us <= LINK_WINDOW_US else None


def nearest(ranked: Iterable[Ranked], count: int) -> list[Ranked]:
    higher_id_first = sorted(ranked, key=lambda pair: pair[1].id, reverse=True)
    return sorted(higher_id_first, key=lambda pair: pair[0])[:count]


@st.composite
def filled(draw: st.DrawFn) -> tuple[TimeIndex, list[Record], Record]:
    """An index after random adds and discards, what it must hold, and a record that asks."""
    records = [
        record(number, *span)
        for number, span in enumerate(draw(st.lists(spans, max_size=25)), start=1)
    ]
    random = Random(draw(st.integers(0, 2**32)))
    random.shuffle(records)
    index = TimeIndex()
    held: list[Record] = []
    for each in records:
        index.add(each)
        held.append(each)
        if random.random() < 0.3:
            gone = held.pop(random.randrange(len(held)))
            index.discard(gone)
    return index, held, record(1000, *draw(spans))


def test_a_new_index_is_empty_and_so_is_one_that_lost_its_last() -> None:
    index = TimeIndex()
    only = record(1, 0, 5)
    assert not index

    index.add(only)
    assert index

    index.discard(only)
    assert not index
    assert list(index.related(only)) == []
    assert list(index.ended_before(record(2, 6, 5))) == []


@many
@given(filled(), offsets, st.one_of(st.none(), offsets))
def test_starting_finds_what_starts_in_the_range(
    given_index: tuple[TimeIndex, list[Record], Record], first: int, end: int | None
) -> None:
    index, held, _ = given_index
    first_us, end_us = BASE_US + first, None if end is None else BASE_US + end

    found = list(index.starting(first_us, end_us))

    assert len(found) == len(set(found))
    assert set(found) == {
        each for each in held if first_us <= each.start and (end_us is None or each.start < end_us)
    }


@many
@given(filled())
def test_related_finds_once_whoever_any_rule_holds_for(
    given_index: tuple[TimeIndex, list[Record], Record],
) -> None:
    index, held, asking = given_index
    related = {
        each
        for each in held
        if overlap(asking, each)
        or gap_after(each, asking) is not None
        or gap_after(asking, each) is not None
    }

    found = list(index.related(asking))

    assert len(found) == len(set(found))
    assert set(found) == related
    assert index.has_related(asking) is bool(related)


@many
@given(filled(), st.integers(1, 12))
def test_nearest_overlapping_is_by_the_distance_of_starts_then_the_higher_id(
    given_index: tuple[TimeIndex, list[Record], Record], count: int
) -> None:
    index, held, asking = given_index
    overlapping = [(abs(each.start - asking.start), each) for each in held if overlap(asking, each)]

    assert index.nearest_overlapping(asking, count) == nearest(overlapping, count)


@many
@given(filled(), st.integers(1, 12))
def test_ended_before_is_by_the_gap_then_the_higher_id(
    given_index: tuple[TimeIndex, list[Record], Record], count: int
) -> None:
    index, held, asking = given_index
    ended = [(gap, each) for each in held if (gap := gap_after(each, asking)) is not None]

    assert list(index.ended_before(asking)) == nearest(ended, len(ended))
    assert index.nearest_ended_before(asking, count) == nearest(ended, count)


@many
@given(filled(), st.integers(1, 12))
def test_started_after_is_by_the_gap_then_the_higher_id(
    given_index: tuple[TimeIndex, list[Record], Record], count: int
) -> None:
    index, held, asking = given_index
    started = [(gap, each) for each in held if (gap := gap_after(asking, each)) is not None]

    assert index.nearest_started_after(asking, count) == nearest(started, count)
