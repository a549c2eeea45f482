"""`POST /v1/events` for keys that send too much, by a clock that is moved by hand."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from control.roles import Role
from ingest.app import EVENTS_PATH, ingest_routes
from runtime.http import build_app
from runtime.rate_limit import BURST_S
from runtime.settings import Settings
from schemas.limits import MIB
from tests.ingest.world import (
    POSITION_SECRET,
    RECEIVED_AT,
    Keys,
    Server,
    principal,
    problem,
    refused,
    run,
    run_id,
)
from tests.support.access_log import failures

# A power of two: its fraction is exact, so that tests can count to the last one.
RATE_PER_S = 8
PASSED_AT_ONCE = int(RATE_PER_S * BURST_S) + 1
NDJSON = "application/x-ndjson"


@dataclass
class LimitedServer(Server):
    """One app for all that is sent to it, and so one memory of who sent how much."""

    now_s: float = 1_000.0
    _app: Starlette | None = field(default=None, init=False)

    def app(self) -> Starlette:
        if self._app is None:
            routes = ingest_routes(
                authenticator=self.keys,
                failed_authentications=failures(),
                log=self.log,
                position_secret=POSITION_SECRET,
                clock=lambda: RECEIVED_AT,
                settings=self.settings,
                monotonic_s=lambda: self.now_s,
            )
            self._app = build_app(routes)
        return self._app

    def flood(self, *bodies: Any) -> list[httpx.Response]:
        """Send them all at once."""

        async def exchange() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app())
            headers = {"Authorization": "Bearer good", "Content-Type": "application/json"}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://audit", headers=headers
            ) as client:
                asked = (client.post(EVENTS_PATH, content=json.dumps(body)) for body in bodies)
                return await asyncio.gather(*asked)

        return asyncio.run(exchange())


def limited(**settings: int) -> LimitedServer:
    stated: dict[str, Any] = {f"rate_{name}": value for name, value in settings.items()}
    return LimitedServer(settings=Settings(**stated))


def runs(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [run(id=run_id(first + number)) for number in range(count)]


async def unread() -> bytes:
    raise AssertionError("the body was read")


async def never_read() -> AsyncIterator[bytes]:
    yield await unread()


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


# --- Requests -------------------------------------------------------------------------------------


def test_of_a_flood_of_requests_as_many_pass_as_the_rate_says() -> None:
    server = limited(requests_per_s=RATE_PER_S)

    answers = server.flood(*([run()] * 200))

    assert statuses(answers) == {202: PASSED_AT_ONCE, 429: 200 - PASSED_AT_ONCE}
    assert len(server.log.events) == PASSED_AT_ONCE
    for answer in answers:
        if answer.status_code == 429:
            said = problem(answer, 429, "request_rate_exceeded")
            assert "8 requests a second" in said["detail"]
            assert answer.headers["retry-after"] == "1"


def test_who_comes_again_after_the_time_told_is_let_through() -> None:
    server = limited(requests_per_s=RATE_PER_S)
    (*_, refusal) = server.flood(*([run()] * 100))

    server.now_s += int(refusal.headers["retry-after"])

    assert statuses(server.flood(*([run()] * 100)))[202] == RATE_PER_S


def test_a_body_over_the_rate_of_requests_is_not_read() -> None:
    server = limited(requests_per_s=RATE_PER_S)
    server.flood(*([run()] * 100))

    problem(server.send(never_read()), 429, "request_rate_exceeded")


def test_bad_requests_count_like_good_ones() -> None:
    server = limited(requests_per_s=RATE_PER_S)

    answers = server.flood(*([5] * 100))

    assert statuses(answers) == {400: PASSED_AT_ONCE, 429: 100 - PASSED_AT_ONCE}


def test_a_key_that_may_not_send_is_limited_too() -> None:
    server = limited(requests_per_s=RATE_PER_S)
    server.keys = Keys(known={"good": principal(roles=frozenset({Role.READ}))})

    assert statuses(server.flood(*([run()] * 100)))[403] == PASSED_AT_ONCE


def test_what_has_no_good_key_is_no_request_of_anybody() -> None:
    server = limited(requests_per_s=RATE_PER_S)
    for key in [None, "unknown"] * PASSED_AT_ONCE:
        assert server.send(run(), key=key).status_code == 401

    assert server.send(run()).status_code == 202


def test_the_flood_of_one_key_is_not_that_of_another() -> None:
    server = limited(requests_per_s=RATE_PER_S, events_per_s=RATE_PER_S)
    server.keys.known["other"] = principal(key_id="key-2")
    server.flood(*([runs(100)] * 100))

    assert server.send(run()).status_code == 429
    assert server.send(run(), key="other").status_code == 202


# --- Events ---------------------------------------------------------------------------------------


def test_one_large_request_is_never_impossible() -> None:
    server = limited(events_per_s=1)

    assert server.send(runs(10_000)).json()["accepted"] == 10_000


def test_events_are_paid_for_by_waiting() -> None:
    server = limited(events_per_s=RATE_PER_S)
    server.send(runs(80))

    answer = server.send(run())

    said = problem(answer, 429, "event_rate_exceeded")
    assert "8 events a second" in said["detail"]
    assert answer.headers["retry-after"] == "6", "80 are 10 s, less the burst: 5 s, rounded up"
    server.now_s += 4.9
    assert server.send(run()).status_code == 429
    server.now_s += 0.1
    assert server.send(run()).status_code == 202


def test_of_a_flood_of_large_requests_one_more_than_the_burst_passes() -> None:
    server = limited(events_per_s=RATE_PER_S)

    answers = server.flood(*(runs(25, first=25 * number) for number in range(40)))

    # 25, then 50 > 40: the second one leaves the key in debt.
    assert statuses(answers) == {202: 2, 429: 38}
    assert len(server.log.events) == 50


def test_a_body_over_the_rate_of_events_is_not_read() -> None:
    server = limited(events_per_s=RATE_PER_S)
    server.send(runs(100))

    problem(server.send(never_read()), 429, "event_rate_exceeded")


def test_refused_events_are_paid_for_like_good_ones() -> None:
    server = limited(events_per_s=RATE_PER_S)

    assert refused(server.send([5] * 100))[-1] == (99, "not_an_object", None)

    problem(server.send(run()), 429, "event_rate_exceeded")


def test_a_request_that_came_in_while_another_made_the_debt_stores_nothing() -> None:
    server = limited(events_per_s=1)
    first, second = json.dumps(runs(100)).encode(), json.dumps(runs(100)).encode()

    async def slowly(body: bytes) -> AsyncIterator[bytes]:
        yield body[:10]
        # Both are past the first look at the debt by now.
        await asyncio.sleep(0.05)
        yield body[10:]

    async def exchange() -> list[httpx.Response]:
        transport = httpx.ASGITransport(server.app())
        headers = {"Authorization": "Bearer good", "Content-Type": "application/json"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://audit", headers=headers
        ) as client:
            asked = (client.post(EVENTS_PATH, content=slowly(body)) for body in (first, second))
            return await asyncio.gather(*asked)

    answers = asyncio.run(exchange())

    assert statuses(answers) == {202: 1, 429: 1}
    assert len(server.log.events) == 100


def test_a_body_that_holds_no_events_costs_a_request_and_no_event() -> None:
    server = limited(events_per_s=1)
    for _ in range(20):
        problem(server.send(b"{"), 400, "not_json")

    assert server.send(run()).status_code == 202


# --- Both -----------------------------------------------------------------------------------------


def test_without_limits_nobody_is_refused() -> None:
    server = limited(requests_per_s=0, events_per_s=0)

    assert statuses(server.flood(*([runs(20)] * 100))) == {202: 100}


def test_a_refusal_has_the_headers_of_every_answer() -> None:
    server = limited(requests_per_s=RATE_PER_S)
    server.flood(*([run()] * 100))

    answer = server.send(run(), headers={"X-Request-Id": "ci-42"})

    assert answer.status_code == 429
    assert answer.headers["x-request-id"] == "ci-42"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.timeout(60)
def test_the_defaults_let_a_day_of_work_through_at_once() -> None:
    server = LimitedServer()
    line = json.dumps(run()).encode()
    body = b"\n".join([line] * 10_000)
    assert len(body) < 10 * MIB

    for _ in range(3):
        assert server.send(body, media_type=NDJSON).json()["accepted"] == 10_000
