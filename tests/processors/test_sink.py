"""What the sink does without Kafka: the range that a commit records before an insert, its lag."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, NotCoordinatorForGroupError
from aiokafka.structs import OffsetAndMetadata
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

        async def no_ends(_: object) -> dict[TopicPartition, int]:
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

    async def no_ends(_: object) -> dict[TopicPartition, int]:
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


class _Writer:
    async def read_watermarks(self) -> dict[int, Watermark]:
        return {}


class _Admin:
    """Kafka's answers about what the group committed, one a question; the last again and again."""

    def __init__(self, *answers: Exception | dict[TopicPartition, OffsetAndMetadata]) -> None:
        self._answers = list(answers)
        self.closed = 0

    def __call__(self, **_: Any) -> "_Admin":
        return self

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        self.closed += 1

    async def list_consumer_group_offsets(
        self, _group: str, *, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {partition: answer[partition] for partition in partitions if partition in answer}


PARTITION = TopicPartition("audit.timeline", 3)


def test_partitions_wait_until_kafka_knows_what_was_recorded_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aiokafka goes on when its caller fails, and an answer with an error is empty to it."""
    known = {PARTITION: OffsetAndMetadata(7, range_metadata(9))}
    admin = _Admin(NotCoordinatorForGroupError(), {}, known)
    monkeypatch.setattr("processors.sink.AIOKafkaAdminClient", admin)
    monkeypatch.setattr("processors.sink._RETRY_S", 0)

    async def play() -> int | None:
        sink = Sink("nobody:9092", cast("Any", _Writer()), rows_max=1, wait_s=1)
        await sink.on_partitions_assigned([PARTITION])
        await sink._consumer.stop()
        owned = sink._owned[PARTITION]
        assert owned.is_known
        return owned.recorded_end

    assert asyncio.run(play()) == 9
    assert admin.closed == 3


def test_a_sink_that_cannot_take_over_ends_instead_of_standing_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "processors.sink.AIOKafkaAdminClient", _Admin(GroupAuthorizationFailedError())
    )

    async def play() -> None:
        sink = Sink("nobody:9092", cast("Any", _Writer()), rows_max=1, wait_s=1)
        await sink.on_partitions_assigned([PARTITION])
        try:
            await sink._turn()
        finally:
            await sink._consumer.stop()

    with pytest.raises(GroupAuthorizationFailedError):
        asyncio.run(play())
