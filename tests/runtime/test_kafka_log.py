"""The distributed log while Kafka is away, and where its keys go."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import LogUnavailableError
from runtime.kafka_log import KafkaLog, partition_of
from runtime.metrics import APPEND_FAILURES, INFLIGHT_BYTES
from tests.runtime.envelopes import envelope
from tests.support.ports import HOST, free_port


def tell_without_broker(story: Callable[[KafkaLog], Awaitable[None]], port: int) -> None:
    async def run() -> None:
        log = KafkaLog(f"{HOST}:{port}", partitions=4, inflight_bytes_max=100_000)
        try:
            await story(log)
        finally:
            await log.close()

    asyncio.run(run())


def test_nothing_connects_before_the_first_append() -> None:
    async def story(log: KafkaLog) -> None:
        assert log._producer is None

    tell_without_broker(story, free_port())


def test_an_append_without_a_broker_is_refused_in_time() -> None:
    async def story(log: KafkaLog) -> None:
        failures = APPEND_FAILURES._value.get()
        inflight_bytes = INFLIGHT_BYTES._value.get()
        started_s = time.monotonic()

        with pytest.raises(LogUnavailableError):
            await log.append([envelope()], timeout_s=2)

        assert time.monotonic() - started_s < 4
        assert APPEND_FAILURES._value.get() == failures + 1
        assert INFLIGHT_BYTES._value.get() == inflight_bytes

    tell_without_broker(story, free_port())


def test_a_ping_without_a_broker_fails_in_time() -> None:
    async def story(log: KafkaLog) -> None:
        started_s = time.monotonic()

        with pytest.raises(LogUnavailableError, match="does not answer"):
            await log.ping(timeout_s=2)

        assert time.monotonic() - started_s < 4

    tell_without_broker(story, free_port())


def test_a_broker_that_accepts_and_says_nothing_is_away_in_time() -> None:
    async def story(log: KafkaLog) -> None:
        started_s = time.monotonic()

        with pytest.raises(LogUnavailableError, match=r"within 0\.5 s"):
            await log.append([envelope()], timeout_s=0.5)
        with pytest.raises(LogUnavailableError, match="does not answer"):
            await log.ping(timeout_s=0.5)

        assert time.monotonic() - started_s < 3

    with socket.create_server((HOST, 0)) as silent:
        tell_without_broker(story, silent.getsockname()[1])


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        # From Kafka's own UtilsTest.testMurmur2.
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_a_key_goes_where_kafkas_own_murmur2_sends_it(key: str, hashed: int) -> None:
    for partitions in (1, 2, 24, 1024):
        assert partition_of(key, partitions=partitions) == (hashed & 0x7FFFFFFF) % partitions


@given(key=st.text(min_size=1), partitions=st.integers(1, 1024))
def test_any_kafka_client_finds_the_same_partition(key: str, partitions: int) -> None:
    theirs = DefaultPartitioner()(key.encode(), list(range(partitions)), [])

    assert partition_of(key, partitions=partitions) == theirs
