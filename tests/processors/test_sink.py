"""What the sink does without Kafka: the range that a commit records before an insert, its lag."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from processors.sink import Sink, range_metadata, recorded_end
from runtime.errors import TimelineUnavailableError
from timeline.watermark_query import Watermark


@pytest.mark.parametrize("end", [0, 1, 5_000, 2**63 - 1])
def test_a_recorded_range_is_read_back(end: int) -> None:
    assert recorded_end(range_metadata(end)) == end


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "",
        " ",
        "7",
        "null",
        "true",
        '"next"',
        "[]",
        '["next", 7]',
        "{}",
        '{"next": null}',
        '{"next": "7"}',
        '{"next": 7.5}',
        '{"next": [7]}',
        '{"next": 7',
        '{"end": 7}',
        "not json",
        "\ufffd",
    ],
)
def test_metadata_that_records_no_range_is_none(metadata: str | None) -> None:
    assert recorded_end(metadata) is None


def test_metadata_of_somebody_else_records_no_range() -> None:
    for metadata in ('{"next": true}', "[" * 100_000):
        assert recorded_end(metadata) is None


def test_a_store_that_knows_nothing_of_what_was_inserted_promises_nothing_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else readers would be told that the timeline is complete, while its past is missing."""
    told: list[dict[int, Any]] = []

    class Writer:
        async def read_watermarks(self) -> dict[int, Watermark]:
            return {2: Watermark(7, 50_000_000)}

        async def advance_watermark(self, reached: dict[int, Any]) -> None:
            told.append(reached)

    partitions = [TopicPartition("audit.timeline", number) for number in range(3)]
    emptied, new, known = partitions

    async def play() -> list[Any]:
        sink = Sink("nobody:9092", cast("Any", Writer()), rows_max=1, wait_s=1)

        async def no_ends() -> dict[TopicPartition, int]:
            sink._begun = {emptied, known}
            return {}

        monkeypatch.setattr(sink, "_recorded_ends", no_ends)
        with capture_logs() as logs:
            await sink.on_partitions_assigned(partitions)
        for partition, end in ((emptied, 5), (new, 0), (known, 8)):
            sink._owned[partition].log_end = (end, 60_000_000)
        await sink._tell_completeness()
        await sink._consumer.stop()
        return logs

    logs = asyncio.run(play())

    assert [each["partition"] for each in logs if each["log_level"] == "warning"] == [0]
    assert told == [{1: (-1, 60_000_000), 2: (7, 60_000_000)}]


def test_while_the_store_is_away_the_timeline_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    now_us = 60_000_000
    lags: list[float | None] = []

    class Writer:
        async def read_watermarks(self) -> dict[int, Watermark]:
            return {3: Watermark(7, 50_000_000)}

    async def no_ends() -> dict[TopicPartition, int]:
        return {}

    async def away_twice() -> None:
        nonlocal now_us
        lags.append(REGISTRY.get_sample_value("opstrail_watermark_lag_seconds"))
        if len(lags) < 3:
            now_us += 5_000_000
            raise TimelineUnavailableError("away")

    async def play() -> None:
        sink = Sink(
            "nobody:9092", cast("Any", Writer()), rows_max=1, wait_s=1, clock=lambda: now_us
        )
        monkeypatch.setattr(sink, "_recorded_ends", no_ends)
        await sink.on_partitions_assigned([TopicPartition("audit.timeline", 3)])
        await sink._until_stored(away_twice)
        await sink._consumer.stop()

    monkeypatch.setattr("processors.sink._RETRY_S", 0)
    asyncio.run(play())

    assert lags[1:] == [15, 20]
