"""The sink of access events: audit.access → access log table, by plain aiokafka.

Must stay true:
- Inserted first, committed after. An insert whose outcome is unknown is repeated, never skipped.
- A range may come again, cut otherwise: the table stands that, so nothing is recorded beforehand.
- Bounded: what is fetched is inserted before more is asked for.
"""

import asyncio
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from processors.access_batch import access_token, decoded
from runtime.errors import TimelineUnavailableError
from runtime.kafka_security import IN_THE_OPEN, KafkaSecurity, away
from schemas import topics
from timeline.access_writer import AccessWriter

_RETRY_S: Final = 1.0
_POLL_MS: Final = 250
_MESSAGES_PER_INSERT_MAX: Final = 5_000
_FETCH_BYTES_MAX: Final = 4 * 1024 * 1024
_SESSION_TIMEOUT_MS: Final = 15_000
_HEARTBEAT_MS: Final = 3_000

_log: Final = structlog.get_logger(__name__)


class AccessSink:
    """Run once; `stop` ends the run after the insert under way."""

    def __init__(
        self,
        bootstrap: str,
        writer: AccessWriter,
        *,
        wait_s: float,
        security: KafkaSecurity = IN_THE_OPEN,
    ) -> None:
        """`wait_s`: how long to collect for one insert."""
        self._bootstrap: Final = bootstrap
        self._security: Final = security
        self._writer: Final = writer
        self._wait_s: Final = wait_s
        self._is_stopping = False
        self._consumer: Final = AIOKafkaConsumer(
            topics.ACCESS,
            bootstrap_servers=bootstrap,
            group_id=topics.ACCESS_GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_POLL_MS,
            max_partition_fetch_bytes=_FETCH_BYTES_MAX,
            max_poll_records=_MESSAGES_PER_INSERT_MAX,
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
            while not self._is_stopping:
                await self._turn()
        except (KafkaError, OSError) as error:
            raise await away(self._bootstrap, self._security, error) from error
        finally:
            await self._consumer.stop()

    async def _turn(self) -> None:
        fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
        if not fetched:
            return
        for partition, messages in fetched.items():
            await self._insert(partition, messages)
        try:
            await self._consumer.commit(
                {
                    partition: OffsetAndMetadata(messages[-1].offset + 1, "")
                    for partition, messages in fetched.items()
                }
            )
        except (CommitFailedError, IllegalStateError):
            _log.warning("commit refused: the group moved on; the next owner repeats it")
        # What comes in the meantime shares the next insert.
        await asyncio.sleep(self._wait_s)

    async def _insert(self, partition: TopicPartition, messages: list[ConsumerRecord]) -> None:
        events = decoded((each.partition, each.offset, each.value or b"") for each in messages)
        if not events:
            return
        first, last = messages[0].offset, messages[-1].offset
        token = access_token(partition.partition, first, last, events[0])
        while True:
            try:
                await self._writer.insert(events, token=token)
                return
            except TimelineUnavailableError as error:
                _log.warning("the access log waits for the store", error=str(error))
                if self._is_stopping:
                    raise
                await asyncio.sleep(_RETRY_S)
