"""Reading with a key that asks too often, by a clock that is moved by hand."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import httpx
import pytest

from query.app import build_query_app
from runtime.key_rates import key_rates
from runtime.rate_limit import BURST_S
from runtime.settings import Settings
from tests.query.problems import problem
from tests.query.world import READER, SENDER, World

# A power of two: its fraction is exact, so that tests can count to the last one.
RATE_PER_S = 8
PASSED_AT_ONCE = int(RATE_PER_S * BURST_S) + 1
# Cheap to answer, and through the same door as all others.
PATH = "/v1/cli-instances/cli-8f3891b2"


class LimitedReader:
    """Asks the API of a world whose keys have a rate."""

    def __init__(self, world: World, **settings: int) -> None:
        stated: dict[str, Any] = {f"rate_{name}": value for name, value in settings.items()}
        rates = key_rates(Settings(**stated), monotonic_s=lambda: self.now_s)
        self.now_s = 1_000.0
        self._world = world
        self._app = build_query_app(replace(world.services, rates=rates))

    def ask(self, *keys: str | None, path: str = PATH) -> list[httpx.Response]:
        """With all of these keys at once."""

        async def exchange() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://audit") as client:
                return await asyncio.gather(
                    *(
                        client.get(path, headers={"Authorization": f"Bearer {key}"} if key else {})
                        for key in keys
                    )
                )

        return self._world.run(exchange())


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def test_of_a_flood_of_questions_as_many_are_answered_as_the_rate_says(world: World) -> None:
    reader = LimitedReader(world, requests_per_s=RATE_PER_S)

    answers = reader.ask(*[READER] * 200)

    assert statuses(answers) == {404: PASSED_AT_ONCE, 429: 200 - PASSED_AT_ONCE}
    for answer in answers:
        if answer.status_code == 429:
            said = problem(answer, 429, "request_rate_exceeded")
            assert "8 requests a second" in said["detail"]
            assert answer.headers["retry-after"] == "1"


def test_who_asks_again_after_the_time_told_is_answered(world: World) -> None:
    reader = LimitedReader(world, requests_per_s=RATE_PER_S)
    (*_, refusal) = reader.ask(*[READER] * 100)

    reader.now_s += int(refusal.headers["retry-after"])

    assert statuses(reader.ask(*[READER] * 100)) == {404: RATE_PER_S, 429: 100 - RATE_PER_S}


def test_the_rate_comes_after_the_key_and_before_its_role(world: World) -> None:
    reader = LimitedReader(world, requests_per_s=RATE_PER_S)

    assert statuses(reader.ask(*[None, "unknown"] * 100)) == {401: 200}
    assert statuses(reader.ask(*[SENDER] * 100)) == {403: PASSED_AT_ONCE, 429: 100 - PASSED_AT_ONCE}


def test_events_have_no_part_in_the_rate_of_questions(world: World) -> None:
    reader = LimitedReader(world, requests_per_s=0, events_per_s=1)

    assert statuses(reader.ask(*[READER] * 100)) == {404: 100}


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_what_takes_no_key_has_no_rate(world: World, path: str) -> None:
    reader = LimitedReader(world, requests_per_s=1)

    assert statuses(reader.ask(*[READER] * 20, path=path)) == {200: 20}
