"""How Faust reads audit.events and its changelog here, and what it commits.

Must stay true:
- No fetch lives through a rebalance. What it took would be dropped by Faust behind the offsets that
  were sought since: a changelog read with a hole is state lost without a word.
- No partition means none. To aiokafka it means all, and Faust empties the set it hands over.
- What is read again is handed on again: `Progress` and the stage tell what is new.
"""

import asyncio
import contextlib
from collections.abc import Set as AbstractSet
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from mode import Service
from mode.utils.queues import FlowControlEvent

from processors.progress import Progress
from processors.recovery_watch import STALLED_AFTER_S, RecoveryWatch
from processors.stop import stop_at_once
from runtime.errors import LogUnavailableError
from schemas import topics

# Faust hard-codes 1500 ms, during which idle partitions hold up the busy ones.
FETCH_WAIT_MS: Final = 50
_WATCH_EVERY_S: Final = 5.0


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # skipped types
    """The aiokafka consumer, in a thread and an event loop of its own."""

    # The one under way, or the last.
    _fetch: asyncio.Future[dict[Any, list[Any]]] | None = None

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Private, so aiokafka is pinned exactly; read by the fetcher when the consumer starts.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_partitions_assigned(
        self, assigned: AbstractSet[Any], generation_id: int = 0
    ) -> None:
        # Before anything is sought.
        await self._end_fetch()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: AbstractSet[Any],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[Any, list[Any]]:
        if not active_partitions:
            return {}
        fetch = asyncio.ensure_future(
            super()._fetch_records(consumer, active_partitions, timeout, max_records)
        )
        self._fetch = fetch
        try:
            await asyncio.wait({fetch})
        finally:
            fetch.cancel()
        if fetch.cancelled():
            return {}
        records: dict[Any, list[Any]] = fetch.result()
        return records

    async def _end_fetch(self) -> None:
        """Only where it waits, so that nothing it took is lost."""
        if (fetch := self._fetch) is not None and not fetch.done():
            fetch.cancel()
            await asyncio.wait({fetch})

    async def seek_to_committed(self) -> dict[Any, int]:
        """As the driver's, but to the start of the log where nothing was committed yet.

        The driver's leaves those where they are, behind whatever was fetched and dropped.
        """
        offsets: dict[Any, int] = await self.call_thread(self._seek_to_committed)
        return offsets

    def known_ends(self) -> dict[int, int]:
        """By partition of the input, as last heard of; from any thread, and without asking."""
        if (consumer := self._consumer) is None:
            return {}
        ends: dict[int, int] = {}
        for each in consumer.assignment():
            # It may be dealt to another worker while we look.
            with contextlib.suppress(AssertionError, AttributeError):
                if each.topic == topics.EVENTS and (end := consumer.highwater(each)) is not None:
                    ends[each.partition] = end
        return ends

    async def committed_offsets(self) -> dict[int, int]:
        """By partition of the input that is ours; those where nothing was committed are missing."""
        offsets: dict[int, int] = await self.call_thread(self._committed_offsets)
        return offsets

    async def _committed_offsets(self) -> dict[int, int]:
        consumer = self._ensure_consumer()
        offsets: dict[int, int] = {}
        for each in consumer.assignment():
            if each.topic == topics.EVENTS:
                offset = await consumer.committed(each)
                if offset is not None:
                    offsets[each.partition] = offset
        return offsets

    async def _seek_to_committed(self) -> dict[Any, int]:
        consumer = self._ensure_consumer()
        inputs = [each for each in consumer.assignment() if each.topic == topics.EVENTS]
        first = await consumer.beginning_offsets(inputs)
        offsets: dict[Any, int] = {}
        for each in inputs:
            # What retention took is past reading.
            offset = max(await consumer.committed(each) or 0, first[each])
            consumer.seek(each, offset)
            offsets[ensure_TP(each)] = offset
        return offsets


class _NothingRead(dict[Any, None]):
    """Keeps Faust from dropping what comes a second time: it may not have got through the first."""

    def __missing__(self, _: Any) -> None:
        return None

    def __setitem__(self, _: Any, __: Any) -> None:
        pass

    def update(self, *_: Any, **__: Any) -> None:
        pass


class _Consumer(driver.Consumer):  # type: ignore[misc]  # skipped types
    """Commits what our `Progress` says, whatever Faust believes to be acknowledged."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._read_offset = _NothingRead()

    @Service.task  # type: ignore[untyped-decorator]
    async def _watch_recovery(self) -> None:
        watch = RecoveryWatch()
        while not self.should_stop:
            await self.sleep(_WATCH_EVERY_S)
            read = self.app.tables.recovery.active_offsets
            if watch.has_stalled(read, is_reading=self.app.in_recovery, now_s=monotonic()):
                stop_at_once(
                    "restoring state",
                    RuntimeError(f"nothing of the changelog came for {STALLED_AFTER_S:.0f} s"),
                )

    def _new_consumer_thread(self) -> Any:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_assigned(
        self, assigned: AbstractSet[Any], generation_id: int = 0
    ) -> None:
        # Faust stops it when partitions are revoked; who had none was never stopped, and would
        # read while its state is still sought.
        self.stop_flow()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _getmany(self, active_partitions: AbstractSet[Any] | None, timeout: float) -> Any:
        # A copy of this moment: Faust changes the set while the thread waits with it.
        return await super()._getmany(frozenset(active_partitions or ()), timeout)

    def known_ends(self) -> dict[int, int]:
        """Where each partition of the input that is ours ends, as far as it is known."""
        ends: dict[int, int] = self._thread.known_ends()
        return ends

    async def committed_offsets(self) -> dict[int, int]:
        """Up to where each partition of the input that is ours is committed.

        Raises LogUnavailableError.
        """
        try:
            offsets: dict[int, int] = await self._thread.committed_offsets()
        except (KafkaError, AssertionError, ConsumerNotStarted) as error:
            # Also while partitions are dealt anew.
            raise LogUnavailableError(f"committed offsets: {type(error).__name__}") from error
        return offsets

    async def force_commit(self, *arguments: Any, **named: Any) -> Any:
        # So that all that was handled until now is confirmed, and counts.
        await self.app.producer.flush()
        return await super().force_commit(*arguments, **named)

    def _new_offset(self, tp: Any) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        if tp.topic != topics.EVENTS:
            return None
        try:
            progress: Progress = self.transport.progress
            return progress.committable(tp.partition, monotonic())
        except BaseException as error:
            stop_at_once(f"committing partition {tp.partition}", error)


class Transport(driver.Transport):  # type: ignore[misc]  # skipped types
    Consumer = _Consumer

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.progress: Final = Progress()


class FlowControl(FlowControlEvent):  # type: ignore[misc]  # skipped types
    """Empties the streams' buffers once a rebalance.

    Faust resumes again after it sought the committed offsets, and what it read since would be gone.
    """

    def resume(self) -> None:
        if not self.is_active():
            super().resume()
