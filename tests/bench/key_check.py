"""`make bench ONLY=key_check`: what a request pays for its key before anything else, in µs.

The real parts over SQLite: a key that the authenticator knows, and its rates. Each figure is the
least and the median of batches, one of which in 5 s also has the look into the database. Promised:
less than 20 µs for a known key.
"""

import asyncio
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from control.authenticator import KNOWN_KEYS_MAX, Authenticator
from control.database import Control, open_control
from control.keys import NewKey, create_key
from control.organizations import create_organization
from control.principals import create_principal
from control.roles import Role
from runtime.http import Problem
from runtime.key_rates import KeyRates, key_rates
from runtime.settings import Settings
from schemas.kinds import ActorKind

_CALLS_PER_BATCH: Final = 10_000
_BATCHES: Final = 30
_NS_PER_US: Final = 1_000
_ORGANIZATION: Final = "bench"


async def main() -> None:
    """Prints a line for each figure."""
    with tempfile.TemporaryDirectory(prefix="opstrail-bench-") as folder:
        control = open_control(f"sqlite:///{folder}/control.db")
        control.migrate()
        token = _new_key(control)
        authenticator = Authenticator(
            control, monotonic_s=time.monotonic, utc_now=lambda: datetime.now(UTC)
        )
        principal = await authenticator.authenticate(token)

        async def check_key() -> None:
            for _ in range(_CALLS_PER_BATCH):
                await authenticator.authenticate(token)

        _print("a known key", await _batches(check_key))
        key_id = principal.key_id
        unlimited = _within_rate()
        # As many keys as are remembered at a time.
        for number in range(KNOWN_KEYS_MAX):
            unlimited.spend_request(f"{key_id}{number}")

        async def spend_requests() -> None:
            for _ in range(_CALLS_PER_BATCH):
                unlimited.spend_request(key_id)

        async def spend_events() -> None:
            for _ in range(_CALLS_PER_BATCH):
                unlimited.require_no_event_debt(key_id)
                unlimited.spend_events(key_id, 100)

        exceeded = key_rates(Settings(rate_requests_per_s=1, rate_processes=1_000))
        exceeded.spend_request(key_id)

        async def refuse() -> None:
            for _ in range(_CALLS_PER_BATCH):
                try:
                    exceeded.spend_request(key_id)
                except Problem:
                    continue

        _print("its rate of requests", await _batches(spend_requests))
        _print("its rate of events", await _batches(spend_events))
        _print("a refusal, not yet answered", await _batches(refuse))
        await authenticator.close()
        control.close()


def _within_rate() -> KeyRates:
    """Rates that cost what rates cost and are never met."""
    return key_rates(Settings(rate_requests_per_s=10**9, rate_events_per_s=10**12))


async def _batches(call: Callable[[], Awaitable[None]]) -> list[float]:
    """µs of one call, batch by batch."""
    await call()
    times_us = []
    for _ in range(_BATCHES):
        started_ns = time.perf_counter_ns()
        await call()
        times_us.append((time.perf_counter_ns() - started_ns) / _NS_PER_US / _CALLS_PER_BATCH)
    return times_us


def _print(name: str, times_us: list[float]) -> None:
    median_us = statistics.median(times_us)
    print(f"{name:<28} least {min(times_us):6.2f} µs   median {median_us:6.2f} µs")


def _new_key(control: Control) -> str:
    now = datetime.now(UTC)
    with control.writing() as connection:
        create_organization(connection, _ORGANIZATION, now=now)
        create_principal(
            connection, organization=_ORGANIZATION, name="ci", kind=ActorKind.SERVICE, now=now
        )
        created = create_key(
            connection,
            NewKey(
                organization=_ORGANIZATION,
                principal="ci",
                name="bench",
                roles=frozenset({Role.SUBMIT}),
            ),
            pepper=control.installation().pepper,
            random_bytes=secrets.token_bytes,
            now=now,
        )
    return created.text


if __name__ == "__main__":
    asyncio.run(main())
