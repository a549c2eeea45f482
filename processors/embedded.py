"""The embedded pipeline: SQLite log → correlation → store, in one thread of this process.

Must stay true:
- Before an insert its range is recorded; after a crash exactly that range goes first, so its token
  names the same envelopes.
- Inserted first, progress after; repeating a step changes nothing.
- What fails for lack of a dependency is tried again, never skipped. Only the call that failed: the
  messages of a step are handled once, because memory has them from then on, and its rows have not.
"""

import asyncio
import functools
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import structlog

from processors.correlate_lag import CorrelateLag
from processors.embedded_state import EmbeddedState
from processors.eviction import ROWS_PER_PASS_MAX, RowLoader
from processors.horizon import Horizon
from processors.past import PastMissingError
from processors.past_reader import PastReader
from processors.stage import Outcome, Stage
from runtime.clock import WallClock, wall_clock_us
from runtime.errors import TimelineUnavailableError, UnavailableError
from runtime.metrics import CORRELATE_LAG_SECONDS, FACTS_HELD, NEWEST_ENVELOPE_AGE_SECONDS
from runtime.sqlite_log import PARTITION, LoggedMessage, SqliteLog
from schemas.entry import TimelineBatch, row_count
from timeline.writer import EntryWriter

T = TypeVar("T")

MESSAGES_PER_STEP_MAX: Final = 2_000
# A step ends early above this, so that one step never holds more than one insert's worth.
_IDLE_WATERMARK_S: Final = 1.0
_RETRY_S: Final = 0.5

_log: Final = structlog.get_logger()


class EmbeddedPipeline:
    """Start once, stop once. What is in the log when it stops is done at the next start."""

    def __init__(
        self,
        log: SqliteLog,
        state_path: Path,
        writer: EntryWriter,
        *,
        lost_after_us: int,
        horizon: Horizon,
        past: PastReader,
        rows_max: int,
        has_room: Callable[[], bool] = lambda: True,
        clock: WallClock = wall_clock_us,
    ) -> None:
        self._log: Final = log
        self._state: Final = EmbeddedState(state_path)
        self._writer: Final = writer
        self._stage: Final = Stage(lost_after_us=lost_after_us)
        self._horizon: Final = horizon
        self._past: Final = past
        self._rows_max: Final = rows_max
        self._has_room: Final = has_room
        self._clock: Final = clock
        self._lag: Final = CorrelateLag(clock)
        self._is_stopping = threading.Event()
        self._idle_reported_s = 0.0
        self._failed: BaseException | None = None
        self._reached = 0
        self._thread: Final = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def start(self) -> None:
        CORRELATE_LAG_SECONDS.set_function(self.lag_s)
        NEWEST_ENVELOPE_AGE_SECONDS.set_function(self._lag.newest_age_s)
        self._thread.start()

    def stop(self) -> None:
        """Finish the step under way, then stop."""
        self._is_stopping.set()
        self._thread.join()
        self._state.close()

    @property
    def failure(self) -> BaseException | None:
        """Why the pipeline ended by itself: a bug of ours. None while all is well."""
        return self._failed

    @property
    def reached(self) -> int:
        """Offset up to which all is on the timeline; 0 before it is known."""
        return self._reached

    def lag_s(self) -> float:
        """Age of the oldest envelope that is not on the timeline yet; 0 when all are."""
        return self._lag.seconds(lambda: {PARTITION: self._log.last_offset + 1})

    async def ping(self) -> None:
        """Return while the pipeline runs. Raises UnavailableError when it stopped by itself."""
        if self._failed is not None:
            raise UnavailableError("the pipeline stopped; restart the process, see its log")

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:
            self._failed = error
            _log.critical("pipeline stopped", error=type(error).__name__, exc_info=error)

    async def _work(self) -> None:
        progress = self._state.progress()
        self._stage.restore(self._state.rows())
        offset = progress.inserted_offset
        if progress.intended_offset > offset:
            await self._step(offset, progress.intended_offset)
            offset = progress.intended_offset
        self._lag.start({PARTITION: offset + 1})
        while not self._is_stopping.is_set():
            self._reached = offset
            offset = await self._step(offset, None)
            FACTS_HELD.set(self._stage.facts)

    async def _repeat(self, call: Callable[[], Awaitable[T]]) -> T:
        """Until it works: a store that is away is waited for, nothing is skipped."""
        while True:
            try:
                return await call()
            except UnavailableError as error:
                self._wait_or_stop(error)

    def _repeat_now(self, call: Callable[[], T]) -> T:
        """The same for what is not awaited."""
        while True:
            try:
                return call()
            except UnavailableError as error:
                self._wait_or_stop(error)

    def _wait_or_stop(self, error: UnavailableError) -> None:
        _log.warning("the embedded store is away; trying again", error=str(error))
        if self._is_stopping.wait(_RETRY_S):
            raise error

    async def _step(self, after: int, last: int | None) -> int:
        """Bring one range of the log onto the timeline; the offset reached.

        `last` is given when the range was recorded before a crash.
        """
        asked_at_us, end = self._clock(), self._log.last_offset
        messages = self._repeat_now(
            lambda: self._log.read(after, messages_max=MESSAGES_PER_STEP_MAX)
        )
        if last is not None:
            messages = [message for message in messages if message.offset <= last]
        if not messages:
            await self._repeat(lambda: self._idle(after, end, asked_at_us))
            return after
        outcomes = await self._handle(messages, is_bounded=last is None)
        reached = messages[len(outcomes) - 1].offset
        rows = [outcome.row for outcome in outcomes if outcome.row is not None]
        letters = [letter for outcome in outcomes for letter in outcome.dead_letters]
        self._repeat_now(lambda: self._state.intend(reached, rows, letters))
        batches: list[TimelineBatch] = [batch for each in outcomes for batch in each.batches]
        token = f"pipeline:v1:{PARTITION}:{after + 1}-{reached}"
        await self._repeat(lambda: self._insert(batches, token))
        self._repeat_now(lambda: self._state.inserted(reached))
        self._evict(reached, passes_max=1 + len(outcomes) // ROWS_PER_PASS_MAX)
        self._lag.handled(PARTITION, reached, batches[-1]["received_at"])
        return reached

    def _evict(self, inserted_offset: int, *, passes_max: int) -> None:
        """Let go of what is old, as many rows as came."""
        for _ in range(passes_max):
            changes = self._stage.evict(
                PARTITION,
                horizon=self._horizon,
                inserted_offset=inserted_offset,
                load_row=self._row,
            )
            if not changes:
                return
            self._repeat_now(functools.partial(self._state.change, changes))

    async def _insert(self, batches: list[TimelineBatch], token: str) -> None:
        if not self._has_room():
            raise TimelineUnavailableError("the disk is nearly full; make room in the data folder")
        await self._writer.insert(batches, token=token)

    async def _handle(self, messages: list[LoggedMessage], *, is_bounded: bool) -> list[Outcome]:
        """Correlate messages one by one, until a batch is full."""
        outcomes: list[Outcome] = []
        rows = 0
        kept: dict[bytes, bytes] = {}

        def load_row(key: bytes) -> bytes | None:
            return kept.get(key) or self._row(key)

        for message in messages:
            outcome = await self._correlate(message, load_row)
            if outcome.row is not None:
                kept[outcome.row[0]] = outcome.row[1]
            outcomes.append(outcome)
            rows += sum(map(row_count, outcome.batches))
            if is_bounded and rows >= self._rows_max:
                break
        return outcomes

    async def _correlate(self, message: LoggedMessage, load_row: RowLoader) -> Outcome:
        while True:
            try:
                return self._stage.handle(
                    message.message, partition=PARTITION, offset=message.offset, load_row=load_row
                )
            except PastMissingError as missing:
                needed = missing.needed
            stored = await self._repeat(functools.partial(self._past.read, needed))
            self._stage.supply(PARTITION, needed, stored)

    def _row(self, key: bytes) -> bytes | None:
        return self._repeat_now(lambda: self._state.row(key))

    async def _idle(self, offset: int, end: int, asked_at_us: int) -> None:
        """Nothing to do: say up to when that is so, then wait for more."""
        now_s = time.monotonic()
        if offset >= end and now_s - self._idle_reported_s >= _IDLE_WATERMARK_S:
            self._idle_reported_s = now_s
            await self._writer.advance_watermark({PARTITION: (offset, asked_at_us)})
        await asyncio.to_thread(self._log.wait_for_growth, offset, 0.25)
