import itertools

from hypothesis import given
from hypothesis import strategies as st

from timeline.cursor import Order
from timeline.windows import GROWTH, Stretch, Window, windows

MINUTE = 60_000_000


@st.composite
def stretches(draw: st.DrawFn) -> list[Stretch]:
    ends = sorted(draw(st.sets(st.integers(0, 10**12), max_size=12)))
    pairs = zip(ends[::2], ends[1::2], strict=False)
    return [Stretch(first, last, draw(st.integers(1, 10**6))) for first, last in pairs]


@given(
    stretches(),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.sampled_from(Order),
    st.data(),
)
def test_windows_hold_every_time_once_and_in_order(
    known: list[Stretch], start: int, end: int, order: Order, data: st.DataObject
) -> None:
    bounds = Window(start, end)
    found = list(windows(known, bounds, order, 101))

    for window in found:
        assert start <= window.start < window.end <= end
    in_order = found if order is Order.ASC else found[::-1]
    for earlier, later in itertools.pairwise(in_order):
        assert earlier.end <= later.start
    for stretch in known:
        time = data.draw(st.integers(stretch.first, stretch.last))
        holders = [window for window in found if window.start <= time < window.end]
        assert len(holders) == (start <= time < end)


def test_few_rows_need_one_window() -> None:
    assert list(windows([Stretch(10, 90, 3)], Window(0, 100), Order.DESC, 101)) == [Window(0, 91)]


def test_windows_grow_until_everything_was_seen() -> None:
    year = Stretch(0, 365 * 24 * 60 * MINUTE, 100_000_000)

    found = list(windows([year], Window(0, 1 << 53), Order.DESC, 101))

    assert len(found) < 7
    assert found[1].end - found[1].start == GROWTH * (found[0].end - found[0].start)


def test_gaps_are_jumped_over() -> None:
    known = [Stretch(0, 10, 5), Stretch(10**15, 10**15 + 10, 5)]

    assert list(windows(known, Window(0, 1 << 53), Order.DESC, 10)) == [
        Window(10**15 + 11 - MINUTE, 10**15 + 11),
        Window(0, 11),
    ]


def test_no_rows_need_no_window() -> None:
    assert list(windows([], Window(0, 100), Order.ASC, 10)) == []
    assert list(windows([Stretch(5, 9, 1)], Window(10, 100), Order.ASC, 10)) == []
    assert list(windows([Stretch(5, 9, 1)], Window(0, 5), Order.DESC, 10)) == []
