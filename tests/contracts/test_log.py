"""What `runtime/log.py` promises, held against both implementations."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.errors import LogUnavailableError
from runtime.kafka_log import KafkaLog
from runtime.kafka_topics import make_topics
from runtime.log import Log, Position
from runtime.settings import load_settings
from runtime.sqlite_log import SqliteLog
from schemas import topics
from schemas.envelope import Envelope, decode_envelope
from tests.runtime.envelopes import envelope
from tests.support.opstrail import PARTITIONS  # of the one broker of a run: the topics are shared

T = TypeVar("T")

TIMEOUT_S = 30.0
INFLIGHT_BYTES_MAX = 100_000
_numbers = itertools.count()

Story = Callable[["LogUnderTest"], Awaitable[None]]


class LogUnderTest(Protocol):
    """A log, and a way to read it back that is not its own."""

    @property
    def log(self) -> Log: ...

    async def read(self, positions: Sequence[Position]) -> list[Envelope]: ...

    async def count_of(self, workspace: str, positions: Sequence[Position]) -> int:
        """How many envelopes of `workspace` stand at or before the last of `positions`."""
        ...


class SqliteUnderTest:
    def __init__(self, path: Path) -> None:
        self.log = SqliteLog(path, inflight_bytes_max=INFLIGHT_BYTES_MAX)

    async def read(self, positions: Sequence[Position]) -> list[Envelope]:
        messages = dict(self.log.read(0, messages_max=100_000))
        return [decode_envelope(messages[position.offset]) for position in positions]

    async def count_of(self, workspace: str, positions: Sequence[Position]) -> int:
        messages = self.log.read(0, messages_max=100_000)
        return sum(decode_envelope(message).workspace == workspace for _, message in messages)


class KafkaUnderTest:
    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.log = KafkaLog(bootstrap, partitions=PARTITIONS, inflight_bytes_max=INFLIGHT_BYTES_MAX)

    async def read(self, positions: Sequence[Position]) -> list[Envelope]:
        found = await self._between(positions)
        return [found[position] for position in positions]

    async def count_of(self, workspace: str, positions: Sequence[Position]) -> int:
        found = await self._between(positions)
        return sum(read.workspace == workspace for read in found.values())

    async def _between(self, positions: Sequence[Position]) -> dict[Position, Envelope]:
        """What stands from the first to the last position of each partition."""
        found: dict[Position, Envelope] = {}
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, auto_offset_reset="none")
        await consumer.start()
        try:
            for number in {position.partition for position in positions}:
                offsets = [offset for partition, offset in positions if partition == number]
                partition = TopicPartition(topics.EVENTS, number)
                consumer.assign([partition])
                consumer.seek(partition, min(offsets))
                offset = -1
                while offset < max(offsets):
                    message: Any = await asyncio.wait_for(consumer.getone(partition), TIMEOUT_S)
                    offset = message.offset
                    found[Position(number, offset)] = decode_envelope(message.value)
        finally:
            await consumer.stop()
        return found


@pytest.fixture(scope="session")
def topics_made(kafka_bootstrap: str) -> str:
    settings = load_settings(kafka_bootstrap=kafka_bootstrap, partitions=PARTITIONS, replication=1)
    asyncio.run(make_topics(settings))
    return kafka_bootstrap


@pytest.fixture(params=["sqlite", "kafka"])
def tell(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Story], None]:
    """Runs a story with a new log of one implementation, and closes it."""

    def with_sqlite(story: Story) -> None:
        under_test = SqliteUnderTest(tmp_path / "log.db")
        with closing(under_test.log):
            asyncio.run(_awaited(story(under_test)))

    def with_kafka(story: Story) -> None:
        bootstrap: str = request.getfixturevalue("topics_made")

        async def run() -> None:
            under_test = KafkaUnderTest(bootstrap)
            try:
                await story(under_test)
            finally:
                await under_test.log.close()

        asyncio.run(run())

    return {"sqlite": with_sqlite, "kafka": with_kafka}[request.param]


async def _awaited(promise: Awaitable[T]) -> T:
    return await promise


def new_workspace() -> str:
    """Unlike any other, so that tests may share a broker."""
    return f"contract-{next(_numbers)}"


def test_what_was_appended_is_read_back_as_it_was(tell: Callable[[Story], None]) -> None:
    async def story(under_test: LogUnderTest) -> None:
        sent = [envelope(new_workspace(), events=number) for number in (1, 2, 7)]

        positions = await under_test.log.append(sent, timeout_s=TIMEOUT_S)

        assert await under_test.read(positions) == sent

    tell(story)


def test_positions_come_in_the_order_of_the_envelopes(tell: Callable[[Story], None]) -> None:
    async def story(under_test: LogUnderTest) -> None:
        workspace = new_workspace()
        sent = [envelope(workspace, note=str(number)) for number in range(20)]

        first = await under_test.log.append(sent[:10], timeout_s=TIMEOUT_S)
        second = await under_test.log.append(sent[10:], timeout_s=TIMEOUT_S)

        assert len({partition for partition, _ in first + second}) == 1
        offsets = [offset for _, offset in first + second]
        assert offsets == sorted(set(offsets))
        assert await under_test.read(first + second) == sent

    tell(story)


def test_workspaces_in_one_append_each_have_their_position(tell: Callable[[Story], None]) -> None:
    async def story(under_test: LogUnderTest) -> None:
        sent = [envelope(new_workspace()) for _ in range(30)]

        positions = await under_test.log.append(sent, timeout_s=TIMEOUT_S)

        assert len(set(positions)) == 30
        assert await under_test.read(positions) == sent

    tell(story)


def test_appends_at_the_same_time_all_land_once(tell: Callable[[Story], None]) -> None:
    async def story(under_test: LogUnderTest) -> None:
        workspace = new_workspace()
        sent = [envelope(workspace, note=str(number)) for number in range(100)]

        answers = await asyncio.gather(
            *(under_test.log.append([one], timeout_s=TIMEOUT_S) for one in sent)
        )

        positions = [position for (position,) in answers]
        assert len(set(positions)) == 100
        assert await under_test.read(positions) == sent
        assert await under_test.count_of(workspace, positions) == 100

    tell(story)


def test_appending_nothing_returns_no_positions_and_harms_nothing(
    tell: Callable[[Story], None],
) -> None:
    async def story(under_test: LogUnderTest) -> None:
        assert await under_test.log.append([], timeout_s=TIMEOUT_S) == []
        assert await under_test.log.append([envelope(new_workspace())], timeout_s=TIMEOUT_S)

    tell(story)


def test_more_bytes_than_may_be_in_flight_are_refused_and_not_appended(
    tell: Callable[[Story], None],
) -> None:
    async def story(under_test: LogUnderTest) -> None:
        workspace = new_workspace()
        too_large = [envelope(workspace, note="x" * 200, events=600)]

        (before,) = await under_test.log.append([envelope(workspace)], timeout_s=TIMEOUT_S)
        with pytest.raises(LogUnavailableError, match="too many bytes"):
            await under_test.log.append(too_large, timeout_s=TIMEOUT_S)
        (after,) = await under_test.log.append([envelope(workspace)], timeout_s=TIMEOUT_S)

        assert await under_test.count_of(workspace, [before, after]) == 2

    tell(story)


def test_bytes_are_in_flight_until_their_append_is_settled(tell: Callable[[Story], None]) -> None:
    async def story(under_test: LogUnderTest) -> None:
        workspace = new_workspace()
        half = envelope(workspace, note="x" * 200, events=270)

        first, second = await asyncio.gather(
            under_test.log.append([half], timeout_s=TIMEOUT_S),
            under_test.log.append([half], timeout_s=TIMEOUT_S),
            return_exceptions=True,
        )
        again = await under_test.log.append([half], timeout_s=TIMEOUT_S)

        assert isinstance(second, LogUnavailableError)
        assert not isinstance(first, BaseException)
        assert await under_test.count_of(workspace, first + again) == 2

    tell(story)


def test_a_sender_that_stopped_waiting_blocks_nobody(tell: Callable[[Story], None]) -> None:
    async def story(under_test: LogUnderTest) -> None:
        workspace = new_workspace()
        half = envelope(workspace, note="x" * 200, events=270)
        (before,) = await under_test.log.append([envelope(workspace)], timeout_s=TIMEOUT_S)

        gone = asyncio.create_task(under_test.log.append([half], timeout_s=TIMEOUT_S))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        after = await _until_accepted(under_test.log, half)

        # Cancelled is not taken back: it may land, and it must not be cut in half.
        assert await under_test.count_of(workspace, [before, after]) in (2, 3)

    tell(story)


async def _until_accepted(log: Log, sent: Envelope) -> Position:
    for _ in range(100):
        try:
            (position,) = await log.append([sent], timeout_s=TIMEOUT_S)
        except LogUnavailableError:
            await asyncio.sleep(0.05)
        else:
            return position
    raise AssertionError("the bytes of the one that left were never released")


def test_a_log_that_is_there_answers_a_ping(tell: Callable[[Story], None]) -> None:
    async def story(under_test: LogUnderTest) -> None:
        await under_test.log.ping(timeout_s=TIMEOUT_S)

    tell(story)
