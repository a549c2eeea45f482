"""Reading state back may take long, but not stand still."""

from processors.recovery_watch import STALLED_AFTER_S, RecoveryWatch

LATER_S = STALLED_AFTER_S + 1


def test_what_stands_still_while_it_reads_has_stalled() -> None:
    watch = RecoveryWatch()

    assert not watch.has_stalled({3: 7}, is_reading=True, now_s=1000.0)
    assert not watch.has_stalled({3: 7}, is_reading=True, now_s=1000.0 + STALLED_AFTER_S - 1)
    assert watch.has_stalled({3: 7}, is_reading=True, now_s=1000.0 + STALLED_AFTER_S)


def test_what_comes_slowly_has_not() -> None:
    watch = RecoveryWatch()
    offsets: dict[int, int | None] = {3: None}

    for turn in range(5):
        # The same object each time, as Faust's.
        offsets[3] = turn
        assert not watch.has_stalled(offsets, is_reading=True, now_s=turn * (STALLED_AFTER_S - 1))


def test_what_is_not_read_back_may_rest() -> None:
    watch = RecoveryWatch()

    assert not watch.has_stalled({3: 7}, is_reading=True, now_s=0.0)
    assert not watch.has_stalled({3: 7}, is_reading=False, now_s=LATER_S)
    assert not watch.has_stalled({3: 7}, is_reading=True, now_s=2 * LATER_S)
    assert not watch.has_stalled({3: 7}, is_reading=False, now_s=4 * LATER_S)
