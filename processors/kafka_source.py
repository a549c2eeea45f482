"""audit.events read from its beginning, for a rebuild: no group, nothing is committed."""

from collections.abc import AsyncIterator
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from processors.log_reader import POLL_MS, log_reader
from processors.rebuild_source import Message
from runtime.kafka_security import IN_THE_OPEN, KafkaSecurity, away
from schemas import topics

_MESSAGES_MAX: Final = 1_000


class KafkaSource:
    """Implements `processors.rebuild_source.Source`. Start it first, close it at the end."""

    first_offset: Final[int] = 0

    def __init__(
        self, bootstrap: str, *, partitions: int, security: KafkaSecurity = IN_THE_OPEN
    ) -> None:
        self._bootstrap: Final = bootstrap
        self._partitions: Final = partitions
        self._security: Final = security
        self._consumer: Final = log_reader(bootstrap, security)

    async def start(self) -> None:
        """Raises LogUnavailableError."""
        try:
            await self._consumer.start()
        except (KafkaError, OSError) as error:
            raise await away(self._bootstrap, self._security, error) from error

    async def close(self) -> None:
        await self._consumer.stop()

    async def ends(self) -> dict[int, int]:
        """Partition -> the offset after its last message. Raises LogUnavailableError."""
        wanted = [TopicPartition(topics.EVENTS, number) for number in range(self._partitions)]
        try:
            found = await self._consumer.end_offsets(wanted)
        except (KafkaError, OSError) as error:
            raise await away(self._bootstrap, self._security, error) from error
        return {partition.partition: end for partition, end in found.items()}

    async def messages(self, partition: int, start: int, end: int) -> AsyncIterator[list[Message]]:
        """All the log still has of [start, end), in order. Raises LogUnavailableError."""
        read = TopicPartition(topics.EVENTS, partition)
        try:
            beginning = (await self._consumer.beginning_offsets([read]))[read]
            self._consumer.assign([read])
            self._consumer.seek(read, max(start, beginning))
            while await self._consumer.position(read) < end:
                fetched = await self._consumer.getmany(
                    read, timeout_ms=POLL_MS, max_records=_MESSAGES_MAX
                )
                messages = [
                    Message(each.offset, each.value or b"")
                    for each in fetched.get(read, ())
                    if each.offset < end
                ]
                if messages:
                    yield messages
        except (KafkaError, OSError) as error:
            raise await away(self._bootstrap, self._security, error) from error
