"""The two limits of a key as a process keeps them, and what the 429 says."""

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from runtime.http import Problem, problem_response
from runtime.key_rates import KeyRates, event_rate_exceeded, key_rates, request_rate_exceeded
from runtime.rate_limit import BURST_S
from runtime.settings import Settings
from tests.runtime.test_rate_limit import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


# Rates are powers of two where a test counts to the last one: their fractions are exact.


def rates_of(clock: Clock, **settings: int) -> KeyRates:
    stated: dict[str, Any] = {f"rate_{name}": value for name, value in settings.items()}
    return key_rates(Settings(**stated), monotonic_s=clock)


def refusal(ask: Callable[..., None], *arguments: Any) -> Problem | None:
    try:
        ask(*arguments)
    except Problem as problem:
        return problem
    return None


def let_through(rates: KeyRates, tries: int) -> int:
    return sum(refusal(rates.spend_request, "key") is None for _ in range(tries))


def refused(limit: str) -> float:
    """Refusals so far by this limit."""
    value = REGISTRY.get_sample_value("opstrail_rate_refusals_total", {"limit": limit})
    assert value is not None, "there from the start"
    return value


def test_too_many_requests_are_refused_and_the_refusal_says_which_rate(clock: Clock) -> None:
    rates = rates_of(clock, requests_per_s=1_024)
    assert let_through(rates, 10_000) == 1_024 * BURST_S + 1

    problem = refusal(rates.spend_request, "key")

    assert problem is not None
    assert (problem.slug, problem.status) == ("request_rate_exceeded", 429)
    assert "1,024 requests a second" in problem.detail
    assert problem.headers == {"Retry-After": "1"}


def test_too_many_events_are_refused_and_the_refusal_says_which_rate(clock: Clock) -> None:
    rates = rates_of(clock, events_per_s=100)
    rates.spend_events("key", 10_000)

    for problem in (
        refusal(rates.spend_events, "key", 1),
        refusal(rates.require_no_event_debt, "key"),
    ):
        assert problem is not None
        assert (problem.slug, problem.status) == ("event_rate_exceeded", 429)
        assert "100 events a second" in problem.detail
        assert problem.headers == {"Retry-After": "96"}


def test_events_cost_no_requests_and_requests_no_events(clock: Clock) -> None:
    rates = rates_of(clock, requests_per_s=1, events_per_s=1)
    rates.spend_events("key", 10_000)
    assert let_through(rates, 100) == BURST_S + 1

    rates.require_no_event_debt("other")
    rates.spend_events("other", 1)


@pytest.mark.parametrize("debt_s", [0.000_001, 0.999_999, 1.0, 1.5, 95.0])
def test_who_waits_as_long_as_told_is_let_through(debt_s: float) -> None:
    for problem in (request_rate_exceeded(1, debt_s), event_rate_exceeded(1, debt_s)):
        wait_s = problem.headers["Retry-After"]
        assert wait_s.isdigit()
        assert int(wait_s) >= 1
        assert debt_s < int(wait_s) <= debt_s + 1


def test_processes_that_share_a_rate_take_their_share_of_it(clock: Clock) -> None:
    shared = [rates_of(clock, requests_per_s=128, processes=4) for _ in range(4)]

    passed = sum(let_through(rates, 1_000) for rates in shared)

    assert passed == 128 * BURST_S + 4
    problem = refusal(shared[0].spend_request, "key")
    assert problem is not None
    assert "32 requests a second" in problem.detail


@pytest.mark.parametrize(
    ("rate_per_s", "said"),
    [(100_000, "100,000"), (2_000 / 3, "667"), (100, "100"), (10 / 3, "3.33"), (0.025, "0.025")],
)
def test_a_rate_reads_as_people_write_it(rate_per_s: float, said: str) -> None:
    assert f" {said} requests a second" in request_rate_exceeded(rate_per_s, 1).detail


def test_zero_is_no_limit(clock: Clock) -> None:
    rates = rates_of(clock, requests_per_s=0, events_per_s=0, processes=3)

    assert let_through(rates, 20_000) == 20_000
    for _ in range(100):
        rates.require_no_event_debt("key")
        rates.spend_events("key", 10_000)


def test_what_is_on_unless_somebody_says_otherwise(clock: Clock) -> None:
    rates = rates_of(clock)

    # The last one hangs on a fraction's last digit.
    assert let_through(rates, 20_000) in (2_000 * BURST_S, 2_000 * BURST_S + 1)
    rates.spend_events("key", 500_000)
    rates.spend_events("key", 1)
    assert refusal(rates.spend_events, "key", 1) is not None


def test_refusals_are_counted_by_their_limit_and_nothing_else_is(clock: Clock) -> None:
    rates = rates_of(clock, requests_per_s=1, events_per_s=1)
    requests, events = refused("requests"), refused("events")

    let_through(rates, 10)
    rates.spend_events("key", 100)
    refusal(rates.spend_events, "key", 100)
    refusal(rates.require_no_event_debt, "key")

    assert refused("requests") == requests + 10 - (BURST_S + 1)
    assert refused("events") == events + 2


def test_a_refusal_never_says_whose_key_it_is(clock: Clock) -> None:
    rates = rates_of(clock, requests_per_s=1)
    let_through(rates, 10)

    problem = refusal(rates.spend_request, "key")

    assert problem is not None
    assert b'"key"' not in bytes(problem_response(problem).body)
