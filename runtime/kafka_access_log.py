"""The distributed log of access events: audit.access."""

from collections.abc import Sequence
from typing import Final

from runtime.kafka_log import KafkaLog
from schemas.access_event import AccessEvent, encode_access_event


class KafkaAccessLog:
    """Implements `runtime.access_log.AccessLog` on a KafkaLog of the topic audit.access."""

    def __init__(self, log: KafkaLog) -> None:
        self._log: Final = log

    async def append(self, events: Sequence[AccessEvent], *, timeout_s: float) -> None:
        messages = [(event.organization, encode_access_event(event)) for event in events]
        await self._log.append_messages(messages, timeout_s=timeout_s)

    async def ping(self, *, timeout_s: float) -> None:
        await self._log.ping(timeout_s=timeout_s)

    async def close(self) -> None:
        """Wait for what was handed over, then disconnect."""
        await self._log.close()
