"""A generation recomputed from all that was received, from wherever it is still to be had."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar
from zlib import crc32

import pytest

from processors.eviction import RowLoader
from processors.horizon import Horizon
from processors.past import PastNeeded, PastSnapshot
from processors.rebuild import Rebuild, RebuildProgress
from processors.rebuild_source import Message, WholePast
from processors.stage import Outcome, Stage
from runtime.errors import LogUnavailableError
from schemas.envelope import encode_envelope
from tests.simulation.core import LOST_AFTER_US, envelopes_of, requests_of
from tests.simulation.histories import mixed_history
from tests.timeline.stores import own_store
from tests.timeline.trail import run
from timeline.generation import generation_database
from timeline.migrations import migrate_generation
from timeline.rebuild_check import check_generation, problems
from timeline.statement import Statement
from timeline.store import Store
from timeline.watermark_query import read_watermarks
from timeline.writer import insert_into

PARTITIONS = 2
# Some ten inserts a partition; each takes 20 ms.
ROWS_MAX = 100
_ROWS = (
    "SELECT * EXCEPT(revision), bitAnd(revision, 281474976710655) FROM entries FINAL ORDER BY ALL"
)
_REGISTER = "SELECT * FROM cli_observations FINAL ORDER BY ALL"
_RECEIVED = "SELECT * FROM snapshots FINAL ORDER BY ALL"


class MemorySource:
    """A log that lost its first messages; `fails_at` once, as a broker does."""

    first_offset = 0

    def __init__(self, log: Mapping[int, Sequence[bytes]], beginnings: Mapping[int, int]) -> None:
        self.log = log
        self.beginnings = dict(beginnings)
        self.fails_at: tuple[int, int] | None = None
        self.read: list[tuple[int, int]] = []

    async def ends(self) -> dict[int, int]:
        return {partition: len(messages) for partition, messages in self.log.items()}

    async def messages(self, partition: int, start: int, end: int) -> AsyncIterator[list[Message]]:
        offset = max(start, self.beginnings.get(partition, 0))
        while offset < end:
            if self.fails_at == (partition, offset):
                self.fails_at = None
                raise LogUnavailableError("gone for a moment")
            self.read.append((partition, offset))
            yield [Message(offset, self.log[partition][offset])]
            offset += 1


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    url = request.getfixturevalue("clickhouse_url") if request.param == "server" else ""
    with own_store(request.param, url) as store:
        migrate_generation(store, 1)
        yield store


@pytest.fixture(scope="module")
def log() -> dict[int, list[bytes]]:
    """A month of two partitions, with a message that nobody can read."""
    log: dict[int, list[bytes]] = {partition: [] for partition in range(PARTITIONS)}
    for request in requests_of(mixed_history(9, 150), 10):
        for envelope in envelopes_of(request):
            log[crc32(envelope.key.encode()) % PARTITIONS].append(encode_envelope(envelope))
    log[1].insert(5, b"no envelope")
    assert all(len(messages) > 20 for messages in log.values())
    return log


def insert_as_the_sink(
    store: Store, log: Mapping[int, Sequence[bytes]], generation: int = 0
) -> None:
    """Into the first generation, as the pipeline did when it arrived."""
    stage = Stage(lost_after_us=LOST_AFTER_US)
    for partition, messages in log.items():
        batches = [
            batch
            for offset, message in enumerate(messages)
            for batch in stage.handle(
                message, partition=partition, offset=offset, load_row=no_row
            ).batches
        ]
        is_living = generation == 0
        run(
            insert_into(
                store,
                generation,
                batches,
                token=f"sink:{partition}",
                is_watermark_moved=is_living,
            )
        )


def no_row(key: bytes) -> None:
    """A table that holds nothing."""


class Rebuilt:
    """One run of a rebuild."""

    def __init__(
        self,
        store: Store,
        source: MemorySource,
        *,
        rows_max: int = ROWS_MAX,
        horizon_us: int = 7 * 24 * 3_600_000_000,
    ) -> None:
        self.past = WholePast(source, store, store.database)
        self.told: list[tuple[int, int]] = []
        self.stop_at: int | None = None
        self.rebuild = Rebuild(
            self.past,
            store,
            1,
            lost_after_us=LOST_AFTER_US,
            horizon=Horizon(longest_us=horizon_us, least_us=horizon_us, records_max=1_000_000),
            rows_max=rows_max,
            told=self._tell,
        )
        self._source = source

    def run(self) -> RebuildProgress:
        return run(self._run())

    async def _run(self) -> RebuildProgress:
        return await self.rebuild.run(await self._source.ends())

    def _tell(self, progress: RebuildProgress) -> None:
        self.told.append((progress.done, progress.total))
        if self.stop_at is not None and progress.done >= self.stop_at:
            self.rebuild.stop()


def content(store: Store, generation: int) -> list[Any]:
    database = generation_database(store.database, generation)
    return [
        store.read_now(lambda c, sql=sql: c.rows(Statement(sql)), database=database)  # type: ignore[misc]
        for sql in (_ROWS, _REGISTER, _RECEIVED)
    ]


def total(log: Mapping[int, Sequence[bytes]]) -> int:
    return sum(map(len, log.values()))


def assert_whole(store: Store, log: Mapping[int, Sequence[bytes]]) -> None:
    assert content(store, 1) == content(store, 0)
    assert not problems(run(check_generation(store, 0, 1)))
    reached = run(read_watermarks(store, generation_database(store.database, 1)))
    assert {partition: each.offset + 1 for partition, each in reached.items()} == {
        partition: len(messages) for partition, messages in log.items()
    }


def test_what_is_rebuilt_is_what_there_was(store: Store, log: dict[int, list[bytes]]) -> None:
    insert_as_the_sink(store, log)
    rebuilt = Rebuilt(store, MemorySource(log, {}))

    progress = rebuilt.run()

    assert_whole(store, log)
    assert (progress.done, progress.total, progress.is_stopped) == (total(log), total(log), False)
    assert rebuilt.told == sorted(rebuilt.told)
    assert (rebuilt.past.counts.from_snapshots, rebuilt.past.counts.missing) == (0, 0)
    assert sum(each.events for each in progress.received.values()) >= 150


def test_a_rebuild_of_nothing_is_through_at_once(store: Store) -> None:
    progress = Rebuilt(store, MemorySource({0: []}, {})).run()

    assert (progress.done, progress.is_stopped) == (0, False)


@pytest.mark.parametrize("stop_at", [1, 7, 40])
def test_one_that_was_stopped_goes_on(
    store: Store, log: dict[int, list[bytes]], stop_at: int
) -> None:
    insert_as_the_sink(store, log)
    first = Rebuilt(store, MemorySource(log, {}), rows_max=1)
    first.stop_at = stop_at

    stopped = first.run()
    second = Rebuilt(store, MemorySource(log, {}))
    progress = second.run()

    assert stopped.is_stopped
    assert stop_at <= stopped.done < total(log)
    assert not progress.is_stopped
    assert_whole(store, log)


def test_one_that_broke_off_in_the_second_partition_leaves_the_first_alone(
    store: Store, log: dict[int, list[bytes]]
) -> None:
    insert_as_the_sink(store, log)
    source = MemorySource(log, {})
    source.fails_at = (1, 9)
    with pytest.raises(LogUnavailableError):
        Rebuilt(store, source, rows_max=20).run()
    source.read.clear()

    Rebuilt(store, source).run()

    assert {partition for partition, _ in source.read} == {1}
    assert_whole(store, log)


@pytest.mark.parametrize("kept_from", [1, 6, 12])
def test_what_the_log_lacks_comes_from_what_was_kept(
    store: Store, log: dict[int, list[bytes]], kept_from: int
) -> None:
    insert_as_the_sink(store, log)
    rebuilt = Rebuilt(store, MemorySource(log, {0: len(log[0]), 1: kept_from}))

    rebuilt.run()

    assert_whole(store, log)
    unreadable = int(kept_from > 5)
    assert rebuilt.past.counts.missing == unreadable
    assert rebuilt.past.counts.from_snapshots == len(log[0]) + kept_from - unreadable


def test_what_is_nowhere_is_counted_by_every_run(store: Store, log: dict[int, list[bytes]]) -> None:
    runs = [Rebuilt(store, MemorySource(log, {0: 3})) for _ in range(2)]

    for each in runs:
        each.run()

    assert [each.past.counts.missing for each in runs] == [3, 3]


def test_what_the_log_drops_meanwhile_comes_from_what_was_kept(
    store: Store, log: dict[int, list[bytes]]
) -> None:
    insert_as_the_sink(store, log)

    class Shrinking(MemorySource):
        async def messages(
            self, partition: int, start: int, end: int
        ) -> AsyncIterator[list[Message]]:
            async for messages in super().messages(partition, start, end):
                if not 10 <= messages[0].offset < 15:
                    yield messages

    rebuilt = Rebuilt(store, Shrinking(log, {}))
    rebuilt.run()

    assert_whole(store, log)
    assert rebuilt.past.counts.from_snapshots == 5 * PARTITIONS


class Watched(Stage):
    """Notes what it was given of the past, and for which message."""

    supplied: ClassVar[list[tuple[int, int]]] = []
    offset = -1

    def handle(
        self, message: bytes, *, partition: int, offset: int, load_row: RowLoader
    ) -> Outcome:
        self.offset = offset
        return super().handle(message, partition=partition, offset=offset, load_row=load_row)

    def supply(self, partition: int, needed: PastNeeded, stored: Iterable[PastSnapshot]) -> None:
        rows = list(stored)
        self.supplied.extend((self.offset, row.offset) for row in rows)
        super().supply(partition, needed, rows)


def test_what_memory_let_go_of_is_read_back_as_it_was_then(
    store: Store, log: dict[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_as_the_sink(store, log)
    # All of it is there already, as the sinks and an earlier run left it.
    insert_as_the_sink(store, log, 1)
    Watched.supplied.clear()
    monkeypatch.setattr("processors.rebuild.Stage", Watched)

    Rebuilt(store, MemorySource(log, {}), rows_max=20, horizon_us=3_600_000_000).run()

    assert_whole(store, log)
    assert Watched.supplied
    assert all(row < message for message, row in Watched.supplied)
