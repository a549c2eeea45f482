"""Which of what waits the sink inserts in one turn, and what it fetches no further."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
from aiokafka import TopicPartition

import processors.sink
from processors.owned_partition import MESSAGES_PER_INSERT_MAX, OwnedPartition
from processors.sink import Sink
from schemas.entry import TIMELINE_CODEC, TimelineBatch, decode_batch
from timeline.watermark_query import Watermark

ROWS_MAX = 4
ENOUGH_S = 100.0


class Line:
    """A sink without Kafka: what was fetched is put in by hand; each message is one row."""

    def __init__(self, sink: Sink, partitions: int) -> None:
        self.sink: Final = sink
        self.inserts: Final[list[tuple[str, Sequence[TimelineBatch]]]] = []  # token, batches
        self.paused: Final[set[TopicPartition]] = set()
        for number in range(partitions):
            sink._owned[partition(number)] = OwnedPartition()
            sink._owned[partition(number)].is_known = True

    async def read_watermarks(self) -> dict[int, Watermark]:
        return {}

    async def insert(self, batches: Sequence[TimelineBatch], *, token: str) -> None:
        self.inserts.append((token, batches))

    def put(self, number: int, *offsets: int) -> OwnedPartition:
        owned = self.sink._owned[partition(number)]
        owned.add([message(number, offset) for offset in offsets], 0.0)
        return owned

    async def turn(self) -> list[tuple[int, list[int]]]:
        """What one turn inserts, all of it at once: partitions with the offsets of each."""
        del self.inserts[:]
        await self.sink._insert_due(ENOUGH_S)
        assert len(self.inserts) <= 1
        inserted: dict[int, list[int]] = {}
        for _, batches in self.inserts:
            for batch in batches:
                inserted.setdefault(batch["partition"], []).append(batch["offset"])
        return list(inserted.items())


def partition(number: int) -> TopicPartition:
    return TopicPartition("audit.timeline", number)


def message(number: int, offset: int) -> Any:
    seen = {"cli_instance_id": "cli-00000001", "observed_at": 1, "is_sighting": True}
    batch = {
        "organization": "o",
        "workspace": "w",
        "partition": number,
        "offset": offset,
        "received_at": 1,
        "is_last": True,
        "entries": [],
        "snapshots": [],
        "actor": "alice",
        "actor_kind": "person",
        "key_id": "key-1",
        "observations": [{**seen, "actor": "alice"}],
    }
    value = TIMELINE_CODEC.encode(batch)
    return SimpleNamespace(partition=number, offset=offset, value=value)


def played(
    monkeypatch: pytest.MonkeyPatch, partitions: int, play: Callable[[Line], Awaitable[None]]
) -> None:
    async def run() -> None:
        writer = SimpleNamespace()
        sink = Sink("nobody:9092", cast("Any", writer), rows_max=ROWS_MAX, wait_s=1)
        line = Line(sink, partitions)
        writer.insert, writer.read_watermarks = line.insert, line.read_watermarks

        async def committed(_: Any) -> bool:
            return True

        monkeypatch.setattr(sink, "_committed", committed)
        monkeypatch.setattr(sink._consumer, "paused", lambda: set(line.paused))
        monkeypatch.setattr(sink._consumer, "resume", line.paused.discard)
        await play(line)
        await sink._consumer.stop()

    asyncio.run(run())


def test_what_is_inserted_at_a_time_is_bounded_over_all_partitions_and_each_has_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(line: Line) -> None:
        line.put(0, *range(10))
        line.put(1, *range(3))
        line.put(2, *range(6))

        turns = [await line.turn() for _ in range(6)]

        assert turns == [
            [(0, [0, 1, 2, 3])],
            [(1, [0, 1, 2]), (2, [0])],
            [(0, [4, 5, 6, 7])],
            [(2, [1, 2, 3, 4])],
            [(0, [8, 9]), (2, [5])],
            [],
        ]

    played(monkeypatch, 3, play)


def test_a_range_that_was_recorded_is_inserted_whole_however_much_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(line: Line) -> None:
        line.put(0, 0, 1)
        line.put(1, *range(7)).recorded_end = 7
        line.put(1, 7, 8)

        assert await line.turn() == [(1, [0, 1, 2, 3, 4, 5, 6])]
        assert await line.turn() == [(0, [0, 1]), (1, [7, 8])]

    played(monkeypatch, 2, play)


def test_ranges_that_were_recorded_together_are_inserted_with_their_token_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(line: Line) -> None:
        line.put(0, 0, 1)
        line.put(1, 5)
        assert await line.turn() == [(0, [0, 1]), (1, [5])]
        ((token, _),) = line.inserts
        assert token == "sink:v2:audit.timeline:0:0-1,audit.timeline:1:5-5"

        # As whoever comes after a crash fetches them, in another order and with more behind.
        line.put(1, 5, 6).recorded_end = 6
        line.put(0, 0, 1, 2).recorded_end = 2

        assert sorted(await line.turn()) == [(0, [0, 1]), (1, [5])]
        assert line.inserts[0][0] == token
        assert sorted(await line.turn()) == [(0, [2]), (1, [6])]
        assert line.inserts[0][0] != token

    played(monkeypatch, 2, play)


def test_a_range_that_the_log_kept_no_longer_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(line: Line) -> None:
        line.put(0, 7, 8).recorded_end = 7

        assert await line.turn() == [(0, [7, 8])]

    played(monkeypatch, 1, play)


def test_what_waits_anywhere_goes_along_when_one_partition_has_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(line: Line) -> None:
        line.put(0, 0)
        line.sink._owned[partition(1)].add([message(1, 0)], ENOUGH_S)

        assert await line.turn() == [(0, [0]), (1, [0])]

        line.sink._owned[partition(1)].add([message(1, 1)], ENOUGH_S)
        assert await line.turn() == []

    played(monkeypatch, 2, play)


def test_the_group_hears_from_the_sink_while_it_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    loops: list[int] = []
    decoders: list[int] = []

    def noted(value: bytes) -> TimelineBatch:
        decoders.append(threading.get_ident())
        return decode_batch(value)

    monkeypatch.setattr(processors.sink, "decode_batch", noted)

    async def play(line: Line) -> None:
        loops.append(threading.get_ident())
        line.put(0, 0)
        assert await line.turn() == [(0, [0])]

    played(monkeypatch, 1, play)

    assert decoders
    assert not set(decoders) & set(loops)


def test_a_partition_that_was_dealt_anew_while_it_was_decoded_is_left_to_its_next_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(line: Line) -> None:
        line.put(0, 0)
        line.put(1, 0)

        def dealt_anew(value: bytes) -> TimelineBatch:
            line.sink._owned[partition(0)] = OwnedPartition()
            return decode_batch(value)

        monkeypatch.setattr(processors.sink, "decode_batch", dealt_anew)

        assert await line.turn() == [(1, [0])]

    played(monkeypatch, 2, play)


def test_a_full_partition_is_fetched_no_further() -> None:
    owned = OwnedPartition()
    found = []
    for count in (MESSAGES_PER_INSERT_MAX - 1, 1):
        owned.add([message(0, offset) for offset in range(count)], 0.0)
        # Before it is known whether there is a range, too: the store may be away for long.
        found.append(owned.is_enough)
    owned.remove(1)

    assert [*found, owned.is_enough] == [False, True, False]


def test_a_recorded_range_is_fetched_whole() -> None:
    owned = OwnedPartition()
    owned.is_known = True
    owned.recorded_end = MESSAGES_PER_INSERT_MAX + 1
    found = []
    for offsets in (range(MESSAGES_PER_INSERT_MAX), [MESSAGES_PER_INSERT_MAX]):
        owned.add([message(0, offset) for offset in offsets], 0.0)
        found.append(owned.is_enough)

    assert found == [False, True]


def test_few_large_messages_fill_a_partition() -> None:
    owned = OwnedPartition()
    large: Any = SimpleNamespace(offset=0, value=bytes(4 * 1024 * 1024))
    owned.add([large], 0.0)
    found = [owned.is_full]
    owned.remove(1)

    assert [*found, owned.is_full] == [True, False]
    assert owned.waiting_bytes == 0
