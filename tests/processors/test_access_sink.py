"""The sink of access events on a real broker, with a table that is a list."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from processors.access_sink import AccessSink
from runtime.errors import TimelineUnavailableError
from runtime.kafka_access_log import KafkaAccessLog
from runtime.kafka_log import KafkaLog
from runtime.kafka_topics import make_topics
from runtime.settings import load_settings
from schemas import topics
from schemas.access_event import AccessEvent
from tests.support.opstrail import PARTITIONS  # of the one broker of a run: the topics are shared
from tests.timeline.test_access_query import access

WAIT_S = 60.0


class Table:
    """Takes rows; first raises each of `errors`."""

    def __init__(self, *errors: BaseException) -> None:
        self.ids: list[str] = []
        self.tokens: list[str] = []
        self._errors = list(errors)

    async def insert(self, events: Sequence[AccessEvent], *, token: str) -> None:
        if self._errors:
            raise self._errors.pop(0)
        self.tokens.append(token)
        self.ids += [event.id for event in events]


@pytest.fixture(scope="module")
def bootstrap(kafka_bootstrap: str) -> str:
    settings = load_settings(kafka_bootstrap=kafka_bootstrap, partitions=PARTITIONS, replication=1)
    asyncio.run(make_topics(settings))
    return kafka_bootstrap


def append(bootstrap: str, *events: AccessEvent) -> list[str]:
    async def run() -> None:
        log = KafkaAccessLog(
            KafkaLog(
                bootstrap,
                partitions=PARTITIONS,
                inflight_bytes_max=1 << 20,
                topic=topics.ACCESS,
            )
        )
        await log.append(events, timeout_s=WAIT_S)
        await log.close()

    asyncio.run(run())
    return [event.id for event in events]


def drain(bootstrap: str, table: Table, last: str) -> None:
    """Run a sink until the table holds this one. Raises what the sink raises."""

    async def run() -> None:
        sink = AccessSink(bootstrap, cast("Any", table), wait_s=0.05)
        running = asyncio.create_task(sink.run())
        async with asyncio.timeout(WAIT_S):
            while last not in table.ids and not running.done():
                await asyncio.sleep(0.05)
        sink.stop()
        await running

    asyncio.run(run())


def test_what_the_log_holds_comes_into_the_table_once(bootstrap: str) -> None:
    first = append(bootstrap, *(access(f"acme-{number}") for number in range(20)))
    table = Table()
    for id_ in first:
        drain(bootstrap, table, id_)

    last = append(bootstrap, access("acme"))
    second = Table()
    drain(bootstrap, second, last[0])

    assert set(first) <= set(table.ids)
    assert not set(first) & set(second.ids)
    assert len({*table.tokens}) == len(table.tokens)


def test_a_store_that_is_away_is_waited_for(bootstrap: str) -> None:
    ids = append(bootstrap, access("acme"), access("acme"))
    table = Table(TimelineUnavailableError("away"))

    drain(bootstrap, table, ids[-1])

    assert set(ids) <= set(table.ids)


def test_what_was_not_committed_comes_again(bootstrap: str) -> None:
    ids = append(bootstrap, access("acme"), access("acme"))
    with pytest.raises(AssertionError, match="a bug"):
        drain(bootstrap, Table(AssertionError("a bug")), ids[-1])
    table = Table()

    drain(bootstrap, table, ids[-1])

    assert set(ids) <= set(table.ids)
