"""What Faust's consumer takes from Kafka around a rebalance, and leaves."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from processors.app import build_app
from processors.faust_transport import ConsumerThread
from runtime.settings import load_settings

Story = Callable[
    [ConsumerThread, AIOKafkaConsumer, AIOKafkaProducer, TopicPartition], Awaitable[None]
]


@pytest.fixture
def tell(kafka_bootstrap: str, tmp_path: Path) -> Callable[[Story], None]:
    """Plays a story with the consumer's half of a worker, on a new partition with one record."""

    async def run(story: Story) -> None:
        partition = TopicPartition(f"changelog-{uuid.uuid4().hex}", 0)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(partition.topic, 1, 1)])
        producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
        await producer.start()
        await producer.send_and_wait(partition.topic, b"0")
        consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        await consumer.start()
        consumer.assign([partition])
        app = build_app(load_settings(kafka_bootstrap=kafka_bootstrap, data_dir=tmp_path))
        thread = app.consumer._thread
        loop = thread.thread_loop
        try:
            await story(thread, consumer, producer, partition)
        finally:
            loop.close()
            await consumer.stop()
            await producer.stop()
            await admin.delete_topics([partition.topic])
            await admin.close()

    return lambda story: asyncio.run(run(story))


async def taken(
    thread: ConsumerThread,
    consumer: AIOKafkaConsumer,
    partitions: frozenset[TopicPartition],
    timeout_s: float = 10.0,
) -> list[bytes]:
    records: dict[Any, Any] = await thread._fetch_records(consumer, partitions, timeout_s)
    return [each.value for found in records.values() for each in found]


def test_no_partition_means_none(tell: Callable[[Story], None]) -> None:
    """To aiokafka it means all; what it takes then is given to nobody, and never comes again."""

    async def story(thread: Any, consumer: Any, _: Any, partition: TopicPartition) -> None:
        assert await taken(thread, consumer, frozenset(), 1.0) == []
        assert await consumer.position(partition) == 0
        assert await taken(thread, consumer, frozenset({partition})) == [b"0"]

    tell(story)


def test_a_fetch_that_waits_ends_when_partitions_are_dealt_anew_and_takes_nothing(
    tell: Callable[[Story], None],
) -> None:
    async def story(thread: Any, consumer: Any, producer: Any, partition: TopicPartition) -> None:
        assert await taken(thread, consumer, frozenset({partition})) == [b"0"]
        waiting = asyncio.create_task(taken(thread, consumer, frozenset({partition}), 60.0))
        await asyncio.sleep(0.2)
        assert not waiting.done()

        await thread._end_fetch()

        assert await asyncio.wait_for(waiting, 5) == []
        await producer.send_and_wait(partition.topic, b"1")
        assert await taken(thread, consumer, frozenset({partition})) == [b"1"]

    tell(story)


def test_when_partitions_are_dealt_the_fetch_ends_first_and_the_flow_stops(
    tell: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(thread: Any, consumer: Any, _: Any, partition: TopicPartition) -> None:
        seen: list[tuple[bool, bool]] = []
        assert await taken(thread, consumer, frozenset({partition})) == [b"0"]
        waiting = asyncio.create_task(taken(thread, consumer, frozenset({partition}), 60.0))
        await asyncio.sleep(0.2)
        reader = thread.consumer

        async def dealt(*_: Any) -> None:
            seen.append((thread._fetch.done(), reader.flow_active))

        async def at_once(_loop: Any, *assigned: Any) -> None:
            await reader.on_partitions_assigned(*assigned)

        monkeypatch.setattr(reader, "_on_partitions_assigned", dealt)
        monkeypatch.setattr(reader, "threadsafe_partitions_assigned", at_once)
        monkeypatch.setattr(thread, "thread_loop", asyncio.get_running_loop())
        assert reader.flow_active

        await thread.on_partitions_assigned({partition}, 1)

        assert seen == [(True, False)]
        assert await waiting == []

    tell(story)
