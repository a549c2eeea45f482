"""What may be handled and committed of a partition of the input."""

from asyncio import Future
from typing import Any
from unittest.mock import Mock

import pytest

from processors.progress import InputStuckError, Progress


def sent(result: object = None, *, is_done: bool = True) -> "Future[Any]":
    future: Future[Any] = Future(loop=Mock())
    if isinstance(result, BaseException):
        future.set_exception(result)
    elif is_done:
        future.set_result(result)
    return future


@pytest.fixture
def progress() -> Progress:
    progress = Progress()
    progress.start({3: 100})
    return progress


def test_a_partition_that_is_not_ours_has_no_next_offset(progress: Progress) -> None:
    assert progress.next_offset(3) == 100
    assert progress.next_offset(4) is None


def test_each_message_makes_way_for_the_next(progress: Progress) -> None:
    progress.handled(3, 100, [])
    progress.handled(3, 101, [])

    assert progress.next_offset(3) == 102
    assert progress.committable(3, 0.0) == 102


def test_a_repetition_takes_nothing_back(progress: Progress) -> None:
    for offset in (100, 101, 102, 100):
        progress.handled(3, offset, [])

    assert progress.next_offset(3) == 103
    assert progress.committable(3, 0.0) == 103


def test_nothing_is_committed_before_something_was_handled(progress: Progress) -> None:
    assert progress.committable(3, 0.0) is None
    assert progress.committable(4, 0.0) is None


def test_what_the_broker_has_not_taken_is_not_committed_nor_what_follows_it(
    progress: Progress,
) -> None:
    waiting = sent(is_done=False)
    progress.handled(3, 100, [sent()])
    progress.handled(3, 101, [sent(), waiting])
    progress.handled(3, 102, [sent()])

    assert progress.committable(3, 0.0) == 101
    waiting.set_result(None)
    assert progress.committable(3, 0.0) == 103


def test_what_could_not_be_sent_is_told_and_never_committed(progress: Progress) -> None:
    progress.handled(3, 100, [sent(ConnectionError("away"))])

    with pytest.raises(ConnectionError, match="away"):
        progress.committable(3, 0.0)


def test_only_the_first_message_that_came_too_early_asks_to_read_again(progress: Progress) -> None:
    assert progress.is_first_miss(3, 1.0)
    assert not progress.is_first_miss(3, 2.0)

    progress.handled(3, 100, [])

    assert progress.is_first_miss(3, 3.0)


def test_a_message_that_is_due_and_never_comes_is_an_error(progress: Progress) -> None:
    progress.is_first_miss(3, 1.0)

    assert progress.committable(3, 31.0) is None
    with pytest.raises(InputStuckError, match="offset 100 of partition 3"):
        progress.committable(3, 31.1)


def test_a_new_start_forgets_what_was_before(progress: Progress) -> None:
    progress.handled(3, 100, [sent(is_done=False)])
    progress.is_first_miss(3, 1.0)

    progress.start({3: 90, 4: 0})

    assert (progress.next_offset(3), progress.next_offset(4)) == (90, 0)
    assert progress.committable(3, 1_000.0) is None


def test_what_is_finished_for_a_partition_that_went_elsewhere_is_left_to_its_owner(
    progress: Progress,
) -> None:
    progress.start({})

    progress.handled(3, 100, [])

    assert progress.next_offset(3) is None
    assert progress.committable(3, 0.0) is None
