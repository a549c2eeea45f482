"""The watermarks as readers see them: one reading of the store for all who ask at the same time."""

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


class WatermarkView:
    """Belongs to one event loop. A reading may be FRESH_S old: it never promises too much."""

    def __init__(self, store: Store, *, monotonic_s: MonotonicClock = time.monotonic) -> None:
        self._store = store
        self._monotonic_s = monotonic_s
        self._read: dict[int, Watermark] = {}
        self._read_at_s = float("-inf")
        self._reading: asyncio.Task[dict[int, Watermark]] | None = None

    async def current(self) -> Mapping[int, Watermark]:
        """Partition -> watermark. Raises TimelineUnavailableError."""
        if self._monotonic_s() - self._read_at_s < FRESH_S:
            return self._read
        if self._reading is None:
            self._reading = asyncio.create_task(self._refresh())
        # A client that hangs up does not end the reading for the others who wait.
        return await asyncio.shield(self._reading)

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

    async def _refresh(self) -> dict[int, Watermark]:
        started_s = self._monotonic_s()
        try:
            self._read = await read_watermarks(self._store)
            self._read_at_s = started_s
            return self._read
        finally:
            self._reading = None
