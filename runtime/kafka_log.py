"""The distributed log: messages on one topic, acknowledged by all replicas.

Must stay true:
- At most `inflight_bytes_max` bytes are handed to aiokafka and unconfirmed; it has no bound itself.
- A send that timed out is unknown, not failed: its bytes stay counted until it is settled.
- A producer that lost its sequence fails every further send (aiokafka issue 1017), so it is
  replaced, not retried.
- Nothing connects before the first append, and a broker that comes back is used without a restart.
"""

import asyncio
import functools
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, OutOfOrderSequenceNumber, ProducerFenced
from aiokafka.partitioner import murmur2

from runtime.errors import LogUnavailableError
from runtime.kafka_security import IN_THE_OPEN, KafkaSecurity, refusal
from runtime.log import Position
from runtime.metrics import APPEND_FAILURES, INFLIGHT_BYTES, PRODUCERS_REPLACED
from schemas import topics
from schemas.envelope import Envelope, encode_envelope

LINGER_MS: Final = 5
BATCH_BYTES_MAX: Final = 512 * 1024
REQUEST_BYTES_MAX: Final = 1024 * 1024
_KEYS_CACHED: Final = 65_536
# What aiokafka reports for an append whose sequence was already known: durable, offset unknown.
_OFFSET_UNKNOWN: Final = -1


class KafkaLog:
    """Implements `runtime.log.Log`. Use from one event loop; close when done."""

    def __init__(
        self,
        bootstrap: str,
        *,
        partitions: int,
        inflight_bytes_max: int,
        security: KafkaSecurity = IN_THE_OPEN,
        topic: str = topics.EVENTS,
        linger_ms: int = LINGER_MS,
    ) -> None:
        self._bootstrap: Final = bootstrap
        self._topic: Final = topic
        self._linger_ms: Final = linger_ms
        self._security: Final = security
        self._partition_of: Final = functools.lru_cache(_KEYS_CACHED)(
            functools.partial(partition_of, partitions=partitions)
        )
        self._inflight_bytes_max: Final = inflight_bytes_max
        self._inflight_bytes = 0
        self._producer: AIOKafkaProducer | None = None
        self._starting: Final = asyncio.Lock()

    async def append(self, envelopes: Sequence[Envelope], *, timeout_s: float) -> list[Position]:
        messages = [(envelope.key, encode_envelope(envelope)) for envelope in envelopes]
        return await self.append_messages(messages, timeout_s=timeout_s)

    async def append_messages(
        self, messages: Sequence[tuple[str, bytes]], *, timeout_s: float
    ) -> list[Position]:
        """The same for messages of any kind, each with the key that decides its partition."""
        size = sum(len(message) for _, message in messages)
        if self._inflight_bytes + size > self._inflight_bytes_max:
            raise LogUnavailableError("the log is behind: too many bytes are unconfirmed")
        self._count(size)
        sending = asyncio.ensure_future(self._send(messages))
        sending.add_done_callback(lambda _: self._count(-size))
        try:
            # Shielded: cancelling would not take the records back, only lose sight of them.
            return await asyncio.wait_for(asyncio.shield(sending), timeout_s)
        except TimeoutError as error:
            APPEND_FAILURES.inc()
            sending.add_done_callback(_see)
            raise LogUnavailableError(f"Kafka did not answer within {timeout_s:g} s") from error
        except LogUnavailableError:
            APPEND_FAILURES.inc()
            raise

    async def ping(self, *, timeout_s: float) -> None:
        try:
            producer = await asyncio.wait_for(self._started(), timeout_s)
            await asyncio.wait_for(producer.client.fetch_all_metadata(), timeout_s)
        except (KafkaError, TimeoutError, OSError) as error:
            reason = None
            if not isinstance(error, TimeoutError):  # who does not answer would not now, either
                reason = await refusal(self._bootstrap, self._security)
            raise LogUnavailableError(
                f"Kafka at {self._bootstrap} {reason or 'does not answer'}"
            ) from error

    async def close(self) -> None:
        """Wait for what was handed over, then disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _send(self, messages: Sequence[tuple[str, bytes]]) -> list[Position]:
        producer: AIOKafkaProducer | None = None
        try:
            producer = await self._started()
            sent = [
                await producer.send(
                    self._topic, message, key=key.encode(), partition=self._partition_of(key)
                )
                for key, message in messages
            ]
            landed = await asyncio.gather(*sent)
        except (OutOfOrderSequenceNumber, ProducerFenced) as error:
            await self._replace(producer)
            raise LogUnavailableError("the Kafka producer lost its sequence") from error
        except (KafkaError, OSError) as error:
            if "Unexpected error during batch delivery" in str(error):
                await self._replace(producer)
            raise LogUnavailableError(f"Kafka refused an append: {type(error).__name__}") from error
        if any(metadata.offset == _OFFSET_UNKNOWN for metadata in landed):
            # Durable, but where is not known; the sender sends again and gets a position.
            raise LogUnavailableError("Kafka did not say where the append landed")
        return [Position(metadata.partition, metadata.offset) for metadata in landed]

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is not None:
            return self._producer
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    enable_idempotence=True,
                    acks="all",
                    compression_type="zstd",
                    linger_ms=self._linger_ms,
                    max_batch_size=BATCH_BYTES_MAX,
                    max_request_size=REQUEST_BYTES_MAX,
                    **self._security.arguments(),
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def _replace(self, producer: AIOKafkaProducer | None) -> None:
        """Let go of a broken producer; the next append starts another."""
        if self._producer is not producer or producer is None:
            return
        self._producer = None
        PRODUCERS_REPLACED.inc()
        await producer.stop()

    def _count(self, size: int) -> None:
        self._inflight_bytes += size
        INFLIGHT_BYTES.inc(size)


def partition_of(key: str, *, partitions: int) -> int:
    """Kafka's own default partitioning of a key, so that any client finds the same."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def _see(sending: "asyncio.Future[list[Position]]") -> None:
    """Nobody waits any more: look at the outcome so that asyncio does not complain."""
    if not sending.cancelled():
        sending.exception()
