"""Recomputes one generation of the timeline from all that was ever received.

Must stay true:
- The same stage and the same rows as everywhere: only the generation in the revisions differs.
- A partition's watermark in that generation says up to where it is inserted: stopped or killed at
  any moment, the next run inserts the rest. What it needs of the part before, it computes again.
- Memory holds one partition's records within the horizon. What is needed of older ones is read back
  from the generation itself, as it was before the message at hand: there may be more in it, of an
  earlier run and of the sinks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from processors.horizon import Horizon
from processors.past import PastMissingError
from processors.past_reader import PastReader
from processors.rebuild_source import Message, WholePast
from processors.received_digest import ReceivedDigest
from processors.stage import Stage
from schemas.entry import TimelineBatch, row_count
from timeline.generation import generation_database
from timeline.rebuild_check import read_digest
from timeline.store import Store
from timeline.watermark_query import read_watermarks
from timeline.writer import insert_into


@dataclass(slots=True, kw_only=True)
class RebuildProgress:
    """In messages of the log. `is_stopped`: it was asked to end before its end."""

    total: int
    done: int = 0
    is_stopped: bool = False
    # Of the partitions that were worked on in this run.
    received: dict[int, ReceivedDigest] = field(default_factory=dict)


class Rebuild:
    """Run once. `stop` ends the run after the insert under way."""

    def __init__(
        self,
        past: WholePast,
        store: Store,
        generation: int,
        *,
        lost_after_us: int,
        horizon: Horizon,
        rows_max: int,
        told: Callable[[RebuildProgress], None],
    ) -> None:
        self._past: Final = past
        self._store: Final = store
        self._generation: Final = generation
        self._lost_after_us: Final = lost_after_us
        self._horizon: Final = horizon
        self._reader: Final = PastReader(
            lambda: store,
            lost_after_us=lost_after_us,
            database=generation_database(store.database, generation),
        )
        self._rows_max: Final = rows_max
        self._told: Final = told
        self._is_stopping = False

    def stop(self) -> None:
        self._is_stopping = True

    async def run(self, ends: dict[int, int]) -> RebuildProgress:
        """Fill in all that is before `ends`, partition by partition.

        Raises LogUnavailableError, TimelineUnavailableError; the next run goes on.
        """
        database = generation_database(self._store.database, self._generation)
        inserted = await read_watermarks(self._store, database)
        progress = RebuildProgress(total=sum(ends.values()))
        for partition, end in sorted(ends.items()):
            reached = inserted[partition].offset if partition in inserted else -1
            if reached >= end - 1 and await self._is_gapless(partition, end):
                progress.done += end
            else:
                await self._partition(partition, end, reached, progress)
            self._told(progress)
            if self._is_stopping:
                break
        # Asked to stop after the last insert, it was through all the same.
        progress.is_stopped = progress.done < progress.total
        return progress

    async def _is_gapless(self, partition: int, end: int) -> bool:
        """Whether of each message something is stored: if not, it is asked again what is missing,
        or a run that follows a refused one would not know.
        """
        stored = await read_digest(self._store, self._generation, partition, end)
        return stored.messages == max(end - self._past.first_offset, 0)

    async def _partition(
        self, partition: int, end: int, inserted: int, progress: RebuildProgress
    ) -> None:
        """`inserted`: the offset up to which an earlier run came."""
        stage = Stage(lost_after_us=self._lost_after_us)
        digest = ReceivedDigest()
        done_before = progress.done
        waiting = _Waiting()
        async for messages in self._past.messages(partition, end):
            for message in messages:
                batches = await self._batches(stage, partition, message)
                digest.add(batches)
                if message.offset > inserted:
                    waiting.add(message.offset, batches)
                if waiting.rows >= self._rows_max:
                    await self._insert(partition, waiting)
                    waiting = _Waiting()
                    inserted = max(inserted, message.offset)
                    progress.done = done_before + message.offset + 1
                    self._told(progress)
                if self._is_stopping:
                    return
                stage.evict(
                    partition,
                    horizon=self._horizon,
                    inserted_offset=min(inserted, message.offset),
                    load_row=_no_row,
                )
            progress.done = done_before + messages[-1].offset + 1
            self._told(progress)
        if waiting.batches:
            await self._insert(partition, waiting)
        progress.received[partition] = digest
        progress.done = done_before + end

    async def _batches(self, stage: Stage, partition: int, message: Message) -> list[TimelineBatch]:
        while True:
            try:
                return stage.handle(
                    message.content, partition=partition, offset=message.offset, load_row=_no_row
                ).batches
            except PastMissingError as missing:
                needed = missing.needed
            stored = await self._reader.read(needed)
            stage.supply(partition, needed, [row for row in stored if row.offset < message.offset])

    async def _insert(self, partition: int, waiting: "_Waiting") -> None:
        token = f"rebuild:v1:{partition}:{waiting.first}-{waiting.last}"
        await insert_into(self._store, self._generation, waiting.batches, token=token)


def _no_row(key: bytes) -> None:
    """There is no table: nothing of this stage outlives its run."""


class _Waiting:
    """What was computed and is not inserted yet."""

    def __init__(self) -> None:
        self.batches: list[TimelineBatch] = []
        self.rows = 0
        self.first = -1
        self.last = -1

    def add(self, offset: int, batches: list[TimelineBatch]) -> None:
        if not self.batches:
            self.first = offset
        self.last = offset
        self.batches += batches
        self.rows += sum(map(row_count, batches))
