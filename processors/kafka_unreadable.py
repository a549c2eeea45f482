"""What nobody could read, from the topic audit.dead-letters: no group, nothing is committed.

Must stay true: bounded in memory, however many there are; one that was set aside again after a
crash is there once.
"""

from collections.abc import AsyncIterator
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from processors.log_reader import POLL_MS, log_reader
from processors.unreadable import (
    LogAddress,
    Unreadable,
    UnreadableMessage,
    unreadable_message,
)
from runtime.kafka_security import away, kafka_security
from runtime.settings import Settings
from schemas import topics

_US_PER_MS: Final = 1_000


class KafkaUnreadable:
    """Those that the topic still has."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings

    async def newest(self, limit: int) -> list[Unreadable]:
        """Set aside last, first. Raises LogUnavailableError, SettingsError."""
        kept: dict[LogAddress, Unreadable] = {}
        async for message in self._messages():
            kept.setdefault(message.about.address, message.about)
            if len(kept) > 2 * limit:
                kept = {each.address: each for each in _newest(kept, limit)}
        return _newest(kept, limit)

    async def one(self, address: LogAddress) -> UnreadableMessage | None:
        """The one from there; None when there is none. Raises as `newest`."""
        async for message in self._messages():
            if message.about.address == address:
                return message
        return None

    async def _messages(self) -> AsyncIterator[UnreadableMessage]:
        bootstrap, security = self._settings.kafka_bootstrap, kafka_security(self._settings)
        consumer = log_reader(bootstrap, security)
        try:
            await consumer.start()
            wanted = [
                TopicPartition(topics.DEAD_LETTERS, number)
                for number in range(self._settings.partitions)
            ]
            ends = await consumer.end_offsets(wanted)
            consumer.assign(wanted)
            for partition, start in (await consumer.beginning_offsets(wanted)).items():
                consumer.seek(partition, start)
            while [each for each in wanted if await consumer.position(each) < ends[each]]:
                for messages in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                    for each in messages:
                        found = unreadable_message(
                            each.value or b"", found_at=each.timestamp * _US_PER_MS
                        )
                        if found is not None:
                            yield found
        except (KafkaError, OSError) as error:
            raise await away(bootstrap, security, error) from error
        finally:
            await consumer.stop()


def _newest(found: dict[LogAddress, Unreadable], limit: int) -> list[Unreadable]:
    return sorted(
        found.values(), key=lambda each: (each.found_at or 0, each.address), reverse=True
    )[:limit]
