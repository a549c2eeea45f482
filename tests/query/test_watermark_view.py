import asyncio

import pytest

from query import watermark_view
from query.watermark_view import WatermarkView
from runtime.errors import TimelineUnavailableError
from tests.timeline.trail import run
from timeline.watermark_query import Watermark


class Reads:
    """Stands for the store: counts, and answers when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.error: Exception | None = None
        self.now_s = 100.0
        self.database = "opstrail"
        self.view = WatermarkView(self, monotonic_s=lambda: self.now_s)  # type: ignore[arg-type]
        monkeypatch.setattr(watermark_view, "read_watermarks", self._read)

    async def living_database(self) -> str:
        return self.database

    async def _read(self, _: object, database: str) -> dict[int, Watermark]:
        assert database == self.database
        self.count += 1
        await asyncio.sleep(0.01)
        if self.error is not None:
            raise self.error
        return {0: Watermark(self.count, self.count)}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def test_all_who_ask_at_once_share_one_reading(reads: Reads) -> None:
    async def ask() -> None:
        answers = await asyncio.gather(*[reads.view.current() for _ in range(50)])
        assert {answer[0].offset for answer in answers} == {1}

    run(ask())
    assert reads.count == 1


def test_a_reading_is_used_for_50_ms_from_its_start(reads: Reads) -> None:
    async def ask() -> list[int]:
        counts = []
        for now_s in (100.0, 100.049, 100.051):
            reads.now_s = now_s
            await reads.view.current()
            counts.append(reads.count)
        return counts

    assert run(ask()) == [1, 1, 2]


def test_one_who_hangs_up_does_not_end_the_reading_of_the_others(reads: Reads) -> None:
    async def ask() -> None:
        first = asyncio.create_task(reads.view.current())
        second = asyncio.create_task(reads.view.current())
        await asyncio.sleep(0.001)
        first.cancel()
        assert (await second)[0].offset == 1

    run(ask())


def test_a_failed_reading_is_tried_again(reads: Reads) -> None:
    async def ask() -> None:
        reads.error = TimelineUnavailableError("away")
        with pytest.raises(TimelineUnavailableError):
            await reads.view.current()
        reads.error = None
        assert (await reads.view.current())[0].offset == 2

    run(ask())


def test_what_is_promised_is_shown_as_a_time(reads: Reads) -> None:
    async def ask() -> None:
        assert await reads.view.json(1) == {"complete_until": "1970-01-01T00:00:00.000001Z"}
        assert await reads.view.json(2) == {"complete_until": None}

    run(ask())


def test_readers_are_behind_by_the_age_of_what_they_have_it_all_up_to(reads: Reads) -> None:
    assert run(reads.view.lag_s(1, 2_500_001)) == 2.5
    assert run(reads.view.lag_s(2, 2_500_001)) is None


def test_each_partition_has_its_own_age_and_one_that_is_unknown_has_none(reads: Reads) -> None:
    assert reads.view.partition_lags_s(1, 2_500_001) == [None]
    run(reads.view.lag_s(2, 2_500_001))

    assert reads.view.partition_lags_s(2, 2_500_001) == [2.5, None]


def test_while_the_store_is_away_what_was_last_read_ages(reads: Reads) -> None:
    run(reads.view.lag_s(1, 1_000_001))
    reads.error = TimelineUnavailableError("away")
    reads.now_s += 1

    assert run(reads.view.lag_s(1, 60_000_001)) == 60


def test_while_the_store_is_away_from_the_start_the_lag_is_not_known(reads: Reads) -> None:
    reads.error = TimelineUnavailableError("away")

    assert run(reads.view.lag_s(1, 60_000_001)) is None
