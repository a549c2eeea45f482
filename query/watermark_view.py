"""The watermarks as readers see them: one reading of the store for all who ask at the same time.

Must stay true: an answer's watermark is of the generation that its rows are of.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from runtime.clock import MonotonicClock
from runtime.errors import TimelineUnavailableError
from schemas.limits import US_PER_S
from schemas.times import format_us
from timeline.store import Store
from timeline.watermark_query import Watermark, complete_until, read_watermarks

# Who waits for a position looks so often, however many wait.
FRESH_S: Final = 0.05
# Answers under way may still be of the one before.
_GENERATIONS_MAX: Final = 2


class WatermarkView:
    """Belongs to one event loop. A reading may be FRESH_S old: it never promises too much."""

    def __init__(self, store: Store, *, monotonic_s: MonotonicClock = time.monotonic) -> None:
        self._store = store
        self._monotonic_s = monotonic_s
        self._read: dict[int, Watermark] = {}
        self._of: dict[str, _OfGeneration] = {}

    async def current(self) -> Mapping[int, Watermark]:
        """Partition -> watermark. Raises TimelineUnavailableError."""
        database = await self._store.living_database()
        of = self._of.get(database)
        if of is None:
            while len(self._of) >= _GENERATIONS_MAX:
                del self._of[next(iter(self._of))]
            of = self._of[database] = _OfGeneration(database)
        if self._monotonic_s() - of.read_at_s < FRESH_S:
            return of.read
        if of.reading is None:
            of.reading = asyncio.create_task(self._refresh(of))
            # Whoever still waits is told; when nobody does, the failure is no news for the log.
            of.reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        # A client that hangs up does not end the reading for the others who wait.
        return await asyncio.shield(of.reading)

    async def json(self, partitions: int) -> dict[str, Any]:
        """The `watermark` of an answer. To be asked before the rows that it is about."""
        until = complete_until(await self.current(), partitions)
        return {"complete_until": None if until is None else format_us(until)}

    async def lag_s(self, partitions: int, now_us: int) -> float | None:
        """Age of the time up to which readers have it all; None: nothing is promised yet.

        While the store is away, of the time that was last read.
        """
        try:
            known = await self.current()
        except TimelineUnavailableError:
            known = self._read
        until = complete_until(known, partitions)
        return None if until is None else (now_us - until) / US_PER_S

    def partition_lags_s(self, partitions: int, now_us: int) -> list[float | None]:
        """The same of each partition, as it was last read."""
        until = [
            self._read[partition].complete_until if partition in self._read else None
            for partition in range(partitions)
        ]
        return [None if each is None else (now_us - each) / US_PER_S for each in until]

    async def _refresh(self, of: "_OfGeneration") -> dict[int, Watermark]:
        started_s = self._monotonic_s()
        try:
            of.read = await read_watermarks(self._store, of.database)
            of.read_at_s = started_s
            self._read = of.read
            return of.read
        finally:
            of.reading = None


class _OfGeneration:
    """What was read last, and who is reading now."""

    def __init__(self, database: str) -> None:
        self.database: Final = database
        self.read: dict[int, Watermark] = {}
        self.read_at_s = float("-inf")
        self.reading: asyncio.Task[dict[int, Watermark]] | None = None
