import asyncio
import json
from typing import Any

import pytest

from control.errors import (
    FormerKey,
    KeyExpiredError,
    KeyRevokedError,
    MalformedKeyError,
    NotAuthenticatedError,
    UnknownKeyError,
)
from control.failed_authentications import FORMER_KEYS_MAX, FailedAuthentications
from schemas.access_event import AccessEvent
from schemas.kinds import ActorKind
from tests.support.access_log import AT_US, MemoryAccessLog, failures

pytestmark = pytest.mark.anyio

HERE, THERE = "192.0.2.1", "192.0.2.2"


def former(number: int = 1) -> FormerKey:
    return FormerKey(
        organization="acme", actor="bob", actor_kind=ActorKind.PERSON, key_id=f"key-{number}"
    )


@pytest.fixture
def log() -> MemoryAccessLog:
    return MemoryAccessLog()


@pytest.fixture
def counted(log: MemoryAccessLog) -> FailedAuthentications:
    return failures(log)


def told(event: AccessEvent) -> tuple[Any, ...]:
    return (json.loads(event.target)["reason"], event.organization, event.key_id, event.count)


async def test_tries_are_counted_by_reason_and_by_a_key_that_was_good_once(
    log: MemoryAccessLog, counted: FailedAuthentications
) -> None:
    errors = [None, MalformedKeyError(), UnknownKeyError(), UnknownKeyError()]
    for error in [*errors, KeyRevokedError(former(1)), KeyExpiredError(former(2))]:
        counted.count(error, HERE)

    await counted.tell()

    assert sorted(map(told, log.events)) == [
        ("expired_key", "acme", "key-2", 1),
        ("malformed_key", "", "", 1),
        ("no_key", "", "", 1),
        ("revoked_key", "acme", "key-1", 1),
        ("unknown_key", "", "", 2),
    ]
    (revoked,) = (event for event in log.events if event.key_id == "key-1")
    assert (revoked.actor, revoked.actor_kind, revoked.status, revoked.at) == (
        *("bob", "person", 401, AT_US),
    )


async def test_what_was_told_is_not_told_again(
    log: MemoryAccessLog, counted: FailedAuthentications
) -> None:
    counted.count(UnknownKeyError(), HERE)

    await counted.tell()
    await counted.tell()

    assert len(log.events) == 1


@pytest.mark.parametrize(("clients", "shown"), [((HERE, HERE), HERE), ((HERE, THERE), "")])
async def test_an_address_is_told_when_all_came_from_there(
    log: MemoryAccessLog, counted: FailedAuthentications, clients: list[str], shown: str
) -> None:
    for client in clients:
        counted.count(None, client)

    await counted.tell()

    assert [event.client for event in log.events] == [shown]


async def test_counts_wait_for_a_log_that_is_away(
    log: MemoryAccessLog, counted: FailedAuthentications
) -> None:
    log.is_there = False
    counted.count(UnknownKeyError(), HERE)
    await counted.tell()
    counted.count(UnknownKeyError(), THERE)
    counted.count(None, THERE)
    await counted.tell()
    log.is_there = True

    await counted.tell()

    assert sorted(map(told, log.events)) == [("no_key", "", "", 1), ("unknown_key", "", "", 2)]
    assert {event.client for event in log.events} == {"", THERE}


async def test_an_event_that_may_have_been_taken_is_told_again_as_the_same(
    log: MemoryAccessLog, counted: FailedAuthentications
) -> None:
    attempts: list[AccessEvent] = []
    take = log.append

    async def append(events: Any, *, timeout_s: float) -> None:
        attempts.extend(events)
        await take(events, timeout_s=timeout_s)

    log.append = append  # type: ignore[method-assign]
    log.is_there = False
    counted.count(None, HERE)
    await counted.tell()
    log.is_there = True
    await counted.tell()

    first, second = attempts
    assert (first.id, first.at) == (second.id, second.at)
    assert first.revision < second.revision


async def test_many_keys_that_were_good_once_fill_no_memory(
    log: MemoryAccessLog, counted: FailedAuthentications
) -> None:
    for number in range(FORMER_KEYS_MAX + 50):
        counted.count(KeyRevokedError(former(number)), HERE)

    await counted.tell()

    assert len(log.events) <= FORMER_KEYS_MAX + 1
    assert sum(event.count for event in log.events) == FORMER_KEYS_MAX + 50


async def test_the_counts_go_out_at_the_end(
    log: MemoryAccessLog, counted: FailedAuthentications
) -> None:
    async with counted.running():
        counted.count(NotAuthenticatedError(), HERE)
        assert not log.events

    assert [event.count for event in log.events] == [1]


async def test_the_counts_go_out_each_period(log: MemoryAccessLog) -> None:
    counted = FailedAuthentications(log, wall_clock=lambda: AT_US, period_s=0.01)
    async with counted.running():
        counted.count(None, HERE)
        while not log.events:
            await asyncio.sleep(0.01)
