"""One limit, told with a clock that is moved by hand."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.rate_limit import BURST_S, RateLimit


@dataclass
class Clock:
    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def spent_until_refused(limit: RateLimit, key_id: str = "key", tokens: int = 1) -> int:
    """How many tokens a key spends before it is turned away."""
    spent = 0
    while not limit.spend(key_id, tokens):
        spent += tokens
    return spent


def test_a_key_may_spend_a_burst_at_once_and_one_spending_more(clock: Clock) -> None:
    assert spent_until_refused(RateLimit(8, monotonic_s=clock)) == 8 * BURST_S + 1


def test_after_a_burst_a_key_goes_on_at_the_rate(clock: Clock) -> None:
    limit = RateLimit(8, monotonic_s=clock)
    spent_until_refused(limit)

    clock.now_s += 1

    assert spent_until_refused(limit) == 8


def test_a_rest_fills_the_bucket_and_no_rest_more_than_that(clock: Clock) -> None:
    limit = RateLimit(8, monotonic_s=clock)
    burst = spent_until_refused(limit)

    clock.now_s += BURST_S + 1 / 8
    assert spent_until_refused(limit) == burst
    clock.now_s += 1_000_000
    assert spent_until_refused(limit) == burst


def test_one_large_spending_passes_and_is_paid_for_by_waiting(clock: Clock) -> None:
    limit = RateLimit(100, monotonic_s=clock)

    assert limit.spend("key", 10_000) == 0.0
    assert limit.spend("key") == pytest.approx(100 - BURST_S)


def test_a_key_is_in_debt_only_beyond_its_burst(clock: Clock) -> None:
    limit = RateLimit(1, monotonic_s=clock)

    limit.spend("key", int(BURST_S))
    assert limit.debt_s("key") == 0.0, "all of the bucket, and not more"
    limit.spend("key", 1)
    assert limit.debt_s("key") == 1.0
    clock.now_s += 0.75
    assert limit.debt_s("key") == limit.spend("key") == 0.25
    clock.now_s += 0.25
    assert limit.debt_s("key") == limit.spend("key") == 0.0


def test_asking_for_the_debt_spends_nothing(clock: Clock) -> None:
    limit = RateLimit(1, monotonic_s=clock)
    for _ in range(100):
        assert limit.debt_s("key") == 0.0

    assert spent_until_refused(limit) == BURST_S + 1


def test_trying_does_not_put_off_the_end_of_the_debt(clock: Clock) -> None:
    limit = RateLimit(1, monotonic_s=clock)
    spent_until_refused(limit)

    refusals = [limit.spend("key", 10_000) for _ in range(100)]

    assert refusals == [1.0] * 100
    clock.now_s += 1
    assert limit.spend("key") == 0.0


def test_the_debt_of_one_key_is_not_that_of_another(clock: Clock) -> None:
    limit = RateLimit(1, monotonic_s=clock)
    spent_until_refused(limit, "mine")

    assert limit.spend("theirs") == 0.0


def test_a_rate_below_one_still_lets_a_key_through_at_times(clock: Clock) -> None:
    limit = RateLimit(1 / 100, monotonic_s=clock)

    assert limit.spend("key") == 0.0
    assert limit.spend("key") == pytest.approx(95)


def test_no_rate_is_no_limit(clock: Clock) -> None:
    limit = RateLimit(0, monotonic_s=clock)

    assert [limit.spend("key", 10_000) for _ in range(1_000)] == [0.0] * 1_000
    assert limit.debt_s("key") == 0.0


def test_a_clock_that_stands_still_or_is_negative_is_no_error() -> None:
    limit = RateLimit(1, monotonic_s=Clock(-50.0))

    assert spent_until_refused(limit) == BURST_S + 1


def test_so_many_keys_are_remembered_and_the_one_used_longest_ago_is_forgotten(
    clock: Clock,
) -> None:
    limit = RateLimit(1, monotonic_s=clock, keys_max=3)
    for key_id in ("a", "b", "c"):
        spent_until_refused(limit, key_id)
    limit.spend("a")

    limit.spend("d")

    assert [limit.debt_s(key_id) > 0 for key_id in ("a", "b", "c")] == [True, False, True]


def test_a_flood_of_keys_takes_no_more_room_than_the_bound(clock: Clock) -> None:
    limit = RateLimit(1, monotonic_s=clock, keys_max=100)
    for number in range(10_000):
        limit.spend(f"key-{number}")

    assert len(limit._full_at_s) == 100


SPENDINGS = st.lists(
    st.tuples(st.floats(0, 30, allow_nan=False), st.integers(1, 10_000)), min_size=1, max_size=60
)


@given(rate_per_s=st.floats(0.01, 100_000), spendings=SPENDINGS)
def test_in_no_stretch_of_time_a_key_spends_more_than_promised(
    rate_per_s: float, spendings: list[tuple[float, int]]
) -> None:
    clock = Clock()
    limit = RateLimit(rate_per_s, monotonic_s=clock)
    spent: list[tuple[float, int]] = []
    for pause_s, tokens in spendings:
        clock.now_s += pause_s
        if not limit.spend("key", tokens):
            spent.append((clock.now_s, tokens))

    assert spent, "the first is always let through"
    for first in range(len(spent)):
        total = 0
        for at_s, tokens in spent[first:]:
            within_s = at_s - spent[first][0]
            assert total <= rate_per_s * (within_s + BURST_S) * (1 + 1e-9)
            total += tokens
