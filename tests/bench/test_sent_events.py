"""The load is what clients may send: every event of it is accepted."""

import asyncio
import json

from ingest.acceptance import accept
from ingest.media_type import MediaType
from schemas.times import parse_us
from tests.bench.read import AnyKey
from tests.bench.sent_events import sendings

_SINCE_US = parse_us("2026-01-01T00:00:00Z")


def test_every_event_is_accepted() -> None:
    principal = asyncio.run(AnyKey().authenticate("any"))
    (sending,) = sendings(1, _SINCE_US, 200)

    accepted = accept(
        sending.body(1_000), MediaType.JSON, principal=principal, received_at=_SINCE_US
    )

    assert (accepted.accepted, accepted.rejected) == (1_000, [])


def test_the_same_seed_sends_the_same() -> None:
    first, again, other = (sendings(1, _SINCE_US, 200, seed=seed)[0].body(50) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_an_hour_holds_about_as_many_events_as_asked_for() -> None:
    (sending,) = sendings(1, _SINCE_US, 600)

    sending.body(6_000)

    hours = (sending.told_until_us - _SINCE_US) / 3_600e6
    assert 9 < hours < 11


def test_ids_are_told_twice_at_most() -> None:
    (sending,) = sendings(1, _SINCE_US, 200)

    ids = [event["id"] for event in json.loads(sending.body(1_000))]

    assert max(map(ids.count, ids)) == 2
