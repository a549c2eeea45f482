"""The sink: audit.timeline → the timeline store, by plain aiokafka.

Must stay true:
- What waits in all partitions goes into one insert: the store pays by the insert, not by the row.
- Before an insert, the exact range of each partition is recorded in the metadata of the committed
  offset; after a crash, whoever owns partitions inserts exactly their ranges first. A token always
  names the same messages. Where partitions were dealt to others meanwhile it is another token, and
  rows stand twice until the store merges them: each answer takes them for one.
- Inserted first, committed after. An insert whose outcome is unknown is repeated, never skipped.
- Bounded: partitions with enough waiting are paused, and what is decoded at a time is so over all
  partitions. Whoever went without is first the next time.
- The event loop never works on many rows: it has to tell the group that it is alive.
- What cannot be read stops nothing: it is logged, counted and passed, because its source is still
  in audit.events.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    GroupLoadInProgressError,
    IllegalStateError,
    KafkaError,
)
from aiokafka.structs import OffsetAndMetadata

from processors.owned_partition import MESSAGES_PER_INSERT_MAX, OwnedPartition
from runtime.clock import WallClock, wall_clock_us
from runtime.errors import TimelineUnavailableError
from runtime.kafka_security import IN_THE_OPEN, KafkaSecurity, away
from runtime.metrics import WATERMARK_LAG_SECONDS, count_dead_letter
from schemas import topics
from schemas.codec import UndecodableError
from schemas.entry import TimelineBatch, decode_batch, row_count
from schemas.kinds import DeadLetterReason
from schemas.limits import US_PER_S
from timeline.writer import EntryWriter

T = TypeVar("T")

TOKEN_VERSION: Final = "v2"
# Below the group's limit of five minutes, with room for an insert and its commit.
_RETRY_S: Final = 1.0
_POLL_MS: Final = 50
_FETCH_BYTES_MAX: Final = 2 * 1024 * 1024
_LOG_END_EVERY_S: Final = 1.0
_SESSION_TIMEOUT_MS: Final = 15_000
_HEARTBEAT_MS: Final = 3_000


class _Decoded(NamedTuple):
    """The first of a partition's messages, and what they hold."""

    messages: list[ConsumerRecord]
    batches: list[TimelineBatch]


class Sink(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Run once; `stop` ends the run after the insert under way."""

    def __init__(
        self,
        bootstrap: str,
        writer: EntryWriter,
        *,
        rows_max: int,
        wait_s: float,
        clock: WallClock = wall_clock_us,
        security: KafkaSecurity = IN_THE_OPEN,
    ) -> None:
        self._bootstrap: Final = bootstrap
        self._security: Final = security
        self._writer: Final = writer
        self._rows_max: Final = rows_max
        self._wait_s: Final = wait_s
        self._clock: Final = clock
        self._owned: dict[TopicPartition, OwnedPartition] = {}
        # Of which something was committed once, as far as the group knows.
        self._begun: set[TopicPartition] = set()
        self._is_stopping = False
        # What went wrong where aiokafka calls us: it would go on without.
        self._failure: Exception | None = None
        self._log_end_asked_s = 0.0
        self._log: Final = structlog.get_logger()
        self._consumer: Final = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=topics.SINK_GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_POLL_MS,
            max_partition_fetch_bytes=_FETCH_BYTES_MAX,
            session_timeout_ms=_SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            **security.arguments(),
        )

    def stop(self) -> None:
        self._is_stopping = True

    async def run(self) -> None:
        """Until `stop`. Raises LogUnavailableError when Kafka refuses; the supervisor restarts."""
        try:
            await self._consumer.start()
            self._consumer.subscribe([topics.TIMELINE], listener=self)
            while not self._is_stopping:
                await self._turn()
        except (KafkaError, OSError) as error:
            raise await away(self._bootstrap, self._security, error) from error
        finally:
            await self._consumer.stop()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        # What waits is not inserted: the next owner starts at the committed offset.
        self._owned.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        try:
            await self._take_over(list(assigned))
        except Exception as error:
            # aiokafka only logs it, and nothing of these partitions would be inserted ever.
            self._failure = error

    async def _take_over(self, partitions: Sequence[TopicPartition]) -> None:
        """Learn what was recorded, inserted and told of partitions by whoever had them before."""
        recorded = await self._recorded_ends(partitions) if partitions else {}
        watermarks = await self._until_stored(self._writer.read_watermarks)
        for partition in partitions:
            owned = self._owned.setdefault(partition, OwnedPartition())
            owned.is_known = True
            owned.recorded_end = recorded.get(partition)
            if not owned.is_enough:
                # A whole range may be more than was waited for until now.
                self._resume(partition)
            if (known := watermarks.get(partition.partition)) is not None:
                owned.source_offset = known.offset
                owned.told_until_us = max(owned.told_until_us, known.complete_until or 0)
            elif partition in self._begun:
                # Nothing is promised of it: what was inserted once may be gone.
                self._log.warning(
                    "the store has no watermark of a partition that was inserted before; if it was"
                    " emptied or is another one, run `opstrail rebuild`",
                    partition=partition.partition,
                )
        self._log.info("partitions assigned", partitions=len(partitions))

    async def _recorded_ends(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Where recorded ranges end whose commit did not come."""
        committed = await self._until_told(partitions)
        self._begun = {partition for partition, offset in committed.items() if offset.offset > 0}
        ends = {partition: recorded_end(offset.metadata) for partition, offset in committed.items()}
        return {
            partition: end
            for partition, end in ends.items()
            if end is not None and end > committed[partition].offset
        }

    async def _until_told(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """What the group committed of each, with metadata; asked until Kafka knows.

        Raises KafkaError where asking again would not help.
        """
        while True:
            try:
                return await self._committed_of(partitions)
            except KafkaError as error:
                if self._is_stopping or not error.retriable:
                    raise
                self._log.warning(
                    "Kafka does not know what was committed; asking again", error=str(error)
                )
                await asyncio.sleep(_RETRY_S)

    async def _committed_of(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, **self._security.arguments())
        try:
            await admin.start()
            committed: dict[
                TopicPartition, OffsetAndMetadata
            ] = await admin.list_consumer_group_offsets(topics.SINK_GROUP, partitions=partitions)
        finally:
            await admin.close()
        if any(partition not in committed for partition in partitions):
            # aiokafka does not look at the error of an answer as a whole: it comes without any.
            raise GroupLoadInProgressError(topics.SINK_GROUP)
        return committed

    async def _turn(self) -> None:
        """Fetch what is there, insert what is due, and say how far the timeline is complete."""
        if self._failure is not None:
            raise self._failure
        await self._ask_log_end()
        fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
        now_s = time.monotonic()
        for partition, messages in fetched.items():
            # The first may come while `on_partitions_assigned` still asks; none is dropped.
            owned = self._owned.setdefault(partition, OwnedPartition())
            owned.add(messages, now_s)
            if owned.is_enough:
                self._consumer.pause(partition)
        await self._insert_due(now_s)
        await self._tell_completeness()

    async def _insert_due(self, now_s: float) -> None:
        due = self._ranges() or self._waiting(now_s)
        if due:
            await self._insert(due)

    def _ranges(self) -> dict[TopicPartition, list[ConsumerRecord]]:
        """The messages of recorded ranges that are whole: on their own, as they were inserted."""
        ranges: dict[TopicPartition, list[ConsumerRecord]] = {}
        for partition, owned in self._owned.items():
            end = owned.recorded_end
            if not owned.is_known or end is None or not owned.is_range_whole:
                continue
            messages = [each for each in owned.waiting if each.offset < end]
            if messages:
                ranges[partition] = messages
            else:
                owned.recorded_end = None  # the log kept them no longer
        return ranges

    def _waiting(self, now_s: float) -> dict[TopicPartition, list[ConsumerRecord]]:
        """What waits in all partitions, once it has waited for long enough in one of them."""
        waiting = {
            partition: owned
            for partition, owned in self._owned.items()
            if owned.is_known and owned.recorded_end is None and owned.waiting
        }
        if not any(
            owned.is_full or now_s - owned.since_s >= self._wait_s for owned in waiting.values()
        ):
            return {}
        return {
            partition: owned.waiting[:MESSAGES_PER_INSERT_MAX]
            for partition, owned in waiting.items()
        }

    async def _insert(self, due: Mapping[TopicPartition, list[ConsumerRecord]]) -> None:
        owned = {partition: self._owned[partition] for partition in due}
        recorded = {partition for partition, each in owned.items() if each.recorded_end is not None}
        decoded = {
            partition: found
            for partition, found in (await asyncio.to_thread(self._decode, due, recorded)).items()
            # It may have been dealt anew meanwhile.
            if self._owned.get(partition) is owned[partition]
        }
        if not decoded:
            return
        intended = {
            partition: OffsetAndMetadata(
                messages[0].offset, range_metadata(messages[-1].offset + 1)
            )
            for partition, (messages, _) in decoded.items()
        }
        if not await self._committed(intended):
            return
        batches = [batch for _, (_, held) in sorted(decoded.items()) for batch in held]
        token = insert_token({partition: messages for partition, (messages, _) in decoded.items()})
        await self._until_stored(lambda: self._writer.insert(batches, token=token))
        done = {
            partition: OffsetAndMetadata(messages[-1].offset + 1, "")
            for partition, (messages, _) in decoded.items()
        }
        if not await self._committed(done):
            return
        for partition, (messages, held) in decoded.items():
            # After a rebalance in between, another object holds what is fetched anew.
            if self._owned.get(partition) is owned[partition]:
                self._inserted(partition, owned[partition], messages, held)

    async def _committed(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> bool:
        """Whether the group took the commit; when not, the next owner repeats the range."""
        try:
            await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            self._log.warning("commit refused: the group moved on; the next owner repeats it")
            return False
        return True

    def _decode(
        self,
        due: Mapping[TopicPartition, list[ConsumerRecord]],
        recorded: Container[TopicPartition],
    ) -> dict[TopicPartition, _Decoded]:
        """Decode messages until there are as many rows as may be; some partitions may get none.

        Of a recorded range all or nothing.
        """
        decoded: dict[TopicPartition, _Decoded] = {}
        rows_left = self._rows_max
        for partition, messages in due.items():
            if rows_left <= 0:
                break
            rows_max = None if partition in recorded else rows_left
            decoded[partition] = self._decode_some(messages, rows_max)
            rows_left -= sum(map(row_count, decoded[partition].batches))
        return decoded

    def _decode_some(self, messages: list[ConsumerRecord], rows_max: int | None) -> _Decoded:
        """Decode messages until there are `rows_max` rows; None: all messages."""
        taken: list[ConsumerRecord] = []
        batches: list[TimelineBatch] = []
        rows = 0
        for message in messages:
            if rows_max is not None and rows >= rows_max:
                break
            taken.append(message)
            try:
                batch = decode_batch(message.value or b"")
            except UndecodableError as error:
                count_dead_letter(DeadLetterReason.UNDECODABLE)
                self._log.error(
                    "a message of audit.timeline cannot be read; rebuild from audit.events",
                    partition=message.partition,
                    offset=message.offset,
                    error=str(error),
                )
                continue
            batches.append(batch)
            rows += row_count(batch)
        return _Decoded(taken, batches)

    def _inserted(
        self,
        partition: TopicPartition,
        owned: OwnedPartition,
        messages: list[ConsumerRecord],
        batches: list[TimelineBatch],
    ) -> None:
        owned.recorded_end = None
        owned.remove(len(messages))
        # Behind those that were not inserted.
        self._owned[partition] = self._owned.pop(partition)
        if not owned.is_enough:
            self._resume(partition)
        for batch in batches:
            if batch["is_last"]:
                owned.source_offset = max(owned.source_offset, batch["offset"])
                owned.told_until_us = max(owned.told_until_us, batch["received_at"])

    def _resume(self, partition: TopicPartition) -> None:
        if partition in self._consumer.paused():
            self._consumer.resume(partition)

    async def _ask_log_end(self) -> None:
        """Note the ends of audit.events, and when: all that was answered before is below them."""
        now_s = time.monotonic()
        if now_s - self._log_end_asked_s < _LOG_END_EVERY_S or not self._owned:
            return
        self._log_end_asked_s = now_s
        asked_at_us = self._clock()
        sources = {TopicPartition(topics.EVENTS, each.partition): each for each in self._owned}
        ends = await self._consumer.end_offsets(list(sources))
        for source, end in ends.items():
            owned = self._owned.get(sources[source])
            # An older question that is still open is answered first: it says no less.
            if owned is not None and owned.log_end is None:
                owned.log_end = (end, asked_at_us)

    async def _tell_completeness(self) -> None:
        """Advance the watermark of partitions that had nothing new when they were asked."""
        reached: dict[int, tuple[int, int]] = {}
        for partition, owned in self._owned.items():
            if (
                not owned.is_known
                or owned.log_end is None
                or owned.source_offset < owned.log_end[0] - 1
            ):
                continue
            _, asked_at_us = owned.log_end
            owned.log_end = None
            if asked_at_us > owned.told_until_us:
                owned.told_until_us = asked_at_us
                reached[partition.partition] = (owned.source_offset, asked_at_us)
        if reached:
            await self._until_stored(lambda: self._writer.advance_watermark(reached))
        self._tell_lag()

    def _tell_lag(self) -> None:
        # Of a partition of which nothing was ever told, there is no age.
        told = [owned.told_until_us for owned in self._owned.values() if owned.told_until_us]
        WATERMARK_LAG_SECONDS.set((self._clock() - min(told)) / US_PER_S if told else 0)

    async def _until_stored(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat one call until the store answers: the line stops rather than skips."""
        while True:
            try:
                return await call()
            except TimelineUnavailableError as error:
                self._log.warning("the timeline store is away; trying again", error=str(error))
                if self._is_stopping:
                    raise
                # Behind all the more: nothing else tells while the line stands.
                self._tell_lag()
                await asyncio.sleep(_RETRY_S)


def insert_token(inserted: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> str:
    """Names the topic, the partitions, the range of each and the version: the same for the same."""
    ranges = [
        f"{partition.topic}:{partition.partition}:{messages[0].offset}-{messages[-1].offset}"
        for partition, messages in sorted(inserted.items())
    ]
    return f"sink:{TOKEN_VERSION}:{','.join(ranges)}"


def range_metadata(end: int) -> str:
    """What a commit's metadata says before an insert: the range ends before `end`."""
    return json.dumps({"next": end})


def recorded_end(metadata: str | None) -> int | None:
    """The way back; None for a commit that records no range."""
    try:
        found = json.loads(metadata or "")
    except (ValueError, RecursionError):
        return None
    end = found.get("next") if isinstance(found, dict) else None
    return end if type(end) is int else None
