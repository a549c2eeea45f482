"""Whose key is it? Told as stories with a clock that is moved by hand.

An entry is fresh for 5 s; without the database it is good for 307 s: 5 minutes, and what may lie
between its last reading and the outage, and between the outage's end and the next try.
"""

import asyncio
import secrets
import time
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import structlog
from sqlalchemy import delete

from control import authenticator as authenticator_module
from control.api_key import KEY_CHARACTERS, generate
from control.authenticator import Authenticator, Principal
from control.dialects import open_engine
from control.errors import (
    ControlUnavailableError,
    KeyExpiredError,
    KeyRevokedError,
    MalformedKeyError,
    NotAuthenticatedError,
    UnknownKeyError,
)
from control.roles import Role
from control.tables import KEYS
from runtime.errors import RefusedError, UnavailableError
from schemas.kinds import ActorKind
from tests.control.world import (
    NOON,
    Clocks,
    FlakyControl,
    issue,
    last_used_on,
    revoke,
    settle,
    until_reads,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def control(control_url: str) -> Iterator[FlakyControl]:
    control = FlakyControl(open_engine(control_url))
    control.migrate()
    settle(control, "acme")
    control.installation()
    control.reads = 0
    yield control
    control.release()
    control.close()


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def authenticator(control: FlakyControl, clocks: Clocks) -> Authenticator:
    return Authenticator(
        control, monotonic_s=clocks.monotonic_s, utc_now=clocks.utc_now, read_wait_s=10
    )


@pytest.fixture
def hasty(control: FlakyControl, clocks: Clocks) -> Authenticator:
    """Waits 50 ms for the database where the real one waits 2 s."""
    return Authenticator(
        control, monotonic_s=clocks.monotonic_s, utc_now=clocks.utc_now, read_wait_s=0.05
    )


def stranger() -> str:
    """A well-formed key of no installation."""
    return generate(secrets.token_bytes)


async def refusal(authenticator: Authenticator, token: str) -> type[Exception] | None:
    """The class of the error that `token` is answered with; None when it is good."""
    try:
        await authenticator.authenticate(token)
    except (NotAuthenticatedError, ControlUnavailableError) as error:
        return type(error)
    return None


async def test_a_good_key_tells_who_sent_it_and_what_they_may_do(
    control: FlakyControl, authenticator: Authenticator
) -> None:
    created = issue(
        control, "acme", principal="anna", roles={Role.ADMIN}, workspace_patterns=["shop-*"]
    )

    assert await authenticator.authenticate(created.text) == Principal(
        organization="acme",
        actor="anna",
        actor_kind=ActorKind.PERSON,
        key_id=created.key.key_id,
        roles=frozenset({Role.ADMIN, Role.SUBMIT, Role.READ, Role.ANALYST}),
        workspace_patterns=("shop-*",),
    )
    await authenticator.close()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "Bearer",
        "opstrail_",
        "x" * KEY_CHARACTERS,
        "opstrail_" + "0" * 38,
        "é" * KEY_CHARACTERS,
        "\ud800" * KEY_CHARACTERS,
        "\n" * KEY_CHARACTERS,
        "x" * 1_000_000,
    ],
    ids=["empty", "word", "prefix", "shape", "checksum", "accents", "surrogates", "lines", "huge"],
)
async def test_a_malformed_key_is_refused_without_the_database(
    control: FlakyControl, authenticator: Authenticator, token: str
) -> None:
    assert await refusal(authenticator, token) is MalformedKeyError
    assert control.reads == 0


async def test_of_a_key_that_was_good_once_it_is_known_whose_it_was(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    revoked = issue(control, "acme", principal="anna")
    revoke(control, "acme", revoked)

    with pytest.raises(KeyRevokedError) as refused:
        await authenticator.authenticate(revoked.text)

    former = refused.value.former
    assert former is not None
    assert (former.organization, former.actor, former.key_id) == (
        *("acme", "anna", revoked.key.key_id),
    )
    assert revoked.key.key_id not in str(refused.value)
    with pytest.raises(UnknownKeyError) as unknown:
        await authenticator.authenticate(stranger())
    assert unknown.value.former is None


async def test_every_bad_key_gets_the_same_answer(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    revoked = issue(control, "acme")
    revoke(control, "acme", revoked)
    expired = issue(control, "acme", expires_at=NOON + timedelta(seconds=1))
    clocks.passed_s += 1
    classes, answers = set(), set()
    for token in ("", stranger(), revoked.text, expired.text):
        with pytest.raises(NotAuthenticatedError) as refused:
            await authenticator.authenticate(token)
        classes.add(refused.type)
        answers.add((str(refused.value), refused.value.code, refused.value.field))

    assert classes == {MalformedKeyError, UnknownKeyError, KeyRevokedError, KeyExpiredError}
    assert answers == {("The API key is missing or not valid.", "not_authenticated", None)}


def test_a_bad_key_is_the_senders_fault_and_an_outage_is_not() -> None:
    assert issubclass(NotAuthenticatedError, RefusedError)
    assert issubclass(ControlUnavailableError, UnavailableError)
    assert not issubclass(ControlUnavailableError, NotAuthenticatedError)


async def test_a_key_is_read_again_after_5_s_and_not_before(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    reads = []
    for wait_s in (0.0, 4.999, 0.001, 4.999, 0.001):
        clocks.passed_s += wait_s
        await authenticator.authenticate(created.text)
        reads.append(control.reads)

    assert reads == [1, 1, 2, 2, 3]
    await authenticator.close()


async def test_a_revoked_key_stops_within_10_s_and_stays_stopped(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    await authenticator.authenticate(created.text)
    await authenticator.close()
    revoke(control, "acme", created)

    answers = []
    for _ in range(4):
        clocks.passed_s += 4.999
        answers.append(await refusal(authenticator, created.text))

    assert answers == [None, KeyRevokedError, KeyRevokedError, KeyRevokedError]


async def test_a_key_revoked_while_nobody_used_it_is_refused_at_its_next_use(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    await authenticator.authenticate(created.text)
    await authenticator.close()
    revoke(control, "acme", created)
    clocks.passed_s += 3_600

    assert await refusal(authenticator, created.text) is KeyRevokedError


async def test_a_key_revoked_while_it_was_being_read_is_not_good_for_longer(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    control.hold(1)
    first = asyncio.create_task(authenticator.authenticate(created.text))
    await until_reads(control, 1)
    clocks.passed_s += 4
    control.release()
    await first
    await authenticator.close()

    revoke(control, "acme", created)
    clocks.passed_s += 1
    assert await refusal(authenticator, created.text) is KeyRevokedError


async def test_a_key_that_is_gone_from_the_database_is_refused(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    await authenticator.authenticate(created.text)
    await authenticator.close()
    with control.writing() as connection:
        connection.execute(delete(KEYS))
    clocks.passed_s += 5

    assert await refusal(authenticator, created.text) is UnknownKeyError
    assert await refusal(authenticator, created.text) is UnknownKeyError
    assert control.reads == 2


async def test_a_key_expires_at_its_moment_without_being_read_again(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme", expires_at=NOON + timedelta(seconds=2))
    answers = []
    for wait_s in (0.0, 1.999, 0.001, 0.001):
        clocks.passed_s += wait_s
        answers.append(await refusal(authenticator, created.text))

    assert answers == [None, None, KeyExpiredError, KeyExpiredError]
    assert control.reads == 1
    await authenticator.close()


async def test_a_stranger_is_looked_up_once_in_5_s(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    token = stranger()
    reads = []
    for wait_s in (0.0, 4.999, 0.001):
        clocks.passed_s += wait_s
        assert await refusal(authenticator, token) is UnknownKeyError
        reads.append(control.reads)

    assert reads == [1, 1, 2]


async def test_five_minutes_without_the_database_stop_no_key_that_was_in_use(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    await authenticator.authenticate(created.text)
    await authenticator.close()
    clocks.passed_s += 4.999
    control.is_away = True
    for _ in range(300):
        clocks.passed_s += 1
        await authenticator.authenticate(created.text)

    control.is_away = False
    clocks.passed_s += 1.999
    await authenticator.authenticate(created.text)


async def test_a_key_not_read_for_longer_can_no_longer_be_told(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    await authenticator.authenticate(created.text)
    await authenticator.close()
    control.is_away = True
    answers = []
    for wait_s in (306.999, 0.001, 1_000.0):
        clocks.passed_s += wait_s
        answers.append(await refusal(authenticator, created.text))
    control.is_away = False
    clocks.passed_s += 2
    answers.append(await refusal(authenticator, created.text))

    assert answers == [None, ControlUnavailableError, ControlUnavailableError, None]


async def test_without_the_database_expired_and_revoked_keys_stay_refused(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    expiring = issue(control, "acme", expires_at=NOON + timedelta(seconds=20))
    revoked = issue(control, "acme")
    revoke(control, "acme", revoked)
    await refusal(authenticator, expiring.text)
    await refusal(authenticator, revoked.text)
    await authenticator.close()
    control.is_away = True
    clocks.passed_s += 20

    assert await refusal(authenticator, expiring.text) is KeyExpiredError
    assert await refusal(authenticator, revoked.text) is KeyRevokedError


async def test_without_the_database_nobody_can_say_whether_a_new_key_is_good(
    control: FlakyControl, authenticator: Authenticator
) -> None:
    created = issue(control, "acme")
    control.is_away = True

    assert await refusal(authenticator, created.text) is ControlUnavailableError
    assert await refusal(authenticator, stranger()) is ControlUnavailableError
    assert await refusal(authenticator, "") is MalformedKeyError
    assert control.reads == 1


async def test_after_a_failure_the_database_is_left_alone_for_2_s(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    known, new = issue(control, "acme"), issue(control, "acme")
    await authenticator.authenticate(known.text)
    await authenticator.close()
    clocks.passed_s += 5
    control.is_away = True
    told = []
    for wait_s in (0.0, 1.999, 0.001):
        clocks.passed_s += wait_s
        for created in (known, new):
            told.append((await refusal(authenticator, created.text), control.reads))
    control.is_away = False
    clocks.passed_s += 2
    told.append((await refusal(authenticator, new.text), control.reads))

    away = ControlUnavailableError
    assert told == [(None, 2), (away, 2)] * 2 + [(None, 3), (away, 3), (None, 4)]
    await authenticator.close()


async def test_many_requests_with_one_key_read_it_once(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    for reads in (1, 2):
        control.hold(1)
        requests = [
            asyncio.create_task(authenticator.authenticate(created.text)) for _ in range(50)
        ]
        await until_reads(control, reads)
        await asyncio.sleep(0.02)
        control.release()
        principals = await asyncio.gather(*requests)

        assert control.reads == reads
        assert {principal.key_id for principal in principals} == {created.key.key_id}
        clocks.passed_s += 5
    await authenticator.close()


async def test_a_client_that_hangs_up_does_not_end_the_reading_for_the_others(
    control: FlakyControl, authenticator: Authenticator
) -> None:
    created = issue(control, "acme")
    control.hold(1)
    first = asyncio.create_task(authenticator.authenticate(created.text))
    await until_reads(control, 1)
    second = asyncio.create_task(authenticator.authenticate(created.text))
    await asyncio.sleep(0)
    first.cancel()
    control.release()

    assert (await second).key_id == created.key.key_id
    assert control.reads == 1
    await authenticator.close()


async def test_the_event_loop_goes_on_while_the_database_hangs(
    control: FlakyControl, authenticator: Authenticator
) -> None:
    known, new = issue(control, "acme"), issue(control, "acme")
    await authenticator.authenticate(known.text)
    await authenticator.close()
    control.hold(1)
    waiting = asyncio.create_task(authenticator.authenticate(new.text))
    await until_reads(control, 2)

    for _ in range(100):
        await asyncio.wait_for(authenticator.authenticate(known.text), timeout=1)
    assert not waiting.done()

    control.release()
    await waiting
    await authenticator.close()


async def test_one_request_finds_out_that_the_database_hangs_and_the_next_do_not_wait(
    control: FlakyControl, hasty: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    await hasty.authenticate(created.text)
    await hasty.close()
    clocks.passed_s += 5
    control.hold(10)

    before = control.reads
    for _ in range(3):
        # The hanging read ends only with `release`: whoever gets an answer has not waited for it.
        await hasty.authenticate(created.text)
    assert control.reads == before + 1

    control.release()
    await hasty.close()


async def test_a_new_key_waits_for_a_hanging_database_no_longer_than_the_limit(
    control: FlakyControl, hasty: Authenticator
) -> None:
    created = issue(control, "acme")
    control.hold(1)

    assert await refusal(hasty, created.text) is ControlUnavailableError

    control.release()
    await hasty.close()
    assert await refusal(hasty, created.text) is None
    await hasty.close()


async def test_strangers_cannot_delay_the_re_reading_of_a_known_key(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    await authenticator.authenticate(created.text)
    await authenticator.close()
    revoke(control, "acme", created)
    control.hold(2)
    strangers = [asyncio.create_task(refusal(authenticator, stranger())) for _ in range(20)]
    await until_reads(control, 3)
    clocks.passed_s += 5

    async with asyncio.timeout(5):
        assert await refusal(authenticator, created.text) is KeyRevokedError

    control.release()
    assert set(await asyncio.gather(*strangers)) == {UnknownKeyError}


async def test_strangers_that_have_to_wait_do_not_pass_for_an_outage(
    control: FlakyControl, hasty: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    await hasty.authenticate(created.text)
    await hasty.close()
    revoke(control, "acme", created)
    clocks.passed_s += 5
    control.hold(1)
    assert await refusal(hasty, stranger()) is ControlUnavailableError

    assert await refusal(hasty, created.text) is KeyRevokedError

    control.release()
    await hasty.close()


async def test_strangers_beyond_the_bound_are_turned_away_unread(
    control: FlakyControl, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticator_module, "UNKNOWN_READS_MAX", 2)
    control.hold(2)
    inside = [asyncio.create_task(refusal(authenticator, stranger())) for _ in range(2)]
    await until_reads(control, 2)

    assert await refusal(authenticator, stranger()) is ControlUnavailableError

    control.release()
    assert await asyncio.gather(*inside) == [UnknownKeyError] * 2
    assert control.reads == 2


@pytest.mark.parametrize("control_url", ["sqlite"], indirect=True)
async def test_strangers_are_remembered_up_to_a_thousand_and_push_out_no_known_key(
    control: FlakyControl, authenticator: Authenticator
) -> None:
    created = issue(control, "acme")
    await authenticator.authenticate(created.text)
    await authenticator.close()
    strangers = [stranger() for _ in range(1_001)]
    for token in strangers:
        await refusal(authenticator, token)
    assert control.reads == 1_002

    await authenticator.authenticate(created.text)
    await refusal(authenticator, strangers[1])
    assert control.reads == 1_002
    await refusal(authenticator, strangers[0])
    assert control.reads == 1_003


async def test_known_keys_are_remembered_up_to_the_bound(
    control: FlakyControl, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert authenticator_module.KNOWN_KEYS_MAX == 10_000
    monkeypatch.setattr(authenticator_module, "KNOWN_KEYS_MAX", 2)
    authenticator = Authenticator(control, monotonic_s=clocks.monotonic_s, utc_now=clocks.utc_now)
    one, two, three = (issue(control, "acme").text for _ in range(3))
    for token in (one, two, one, three):
        await authenticator.authenticate(token)
    assert control.reads == 3

    await authenticator.authenticate(one)
    assert control.reads == 3
    await authenticator.authenticate(two)
    assert control.reads == 4
    await authenticator.close()


async def test_the_day_of_use_is_written_once_a_day(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    control.writes = 0
    days = []
    for wait_s in (0.0, 5.0, 12 * 3_600 - 5.001, 0.001):
        clocks.passed_s += wait_s
        await authenticator.authenticate(created.text)
        await authenticator.close()
        days.append(last_used_on(control, "acme", created))

    today = date(2026, 3, 24)
    # The last one is a look-up in the cache: the day turns at most 5 s late.
    assert days == [today] * 4
    assert control.writes == 1
    clocks.passed_s += 5
    await authenticator.authenticate(created.text)
    await authenticator.close()
    assert last_used_on(control, "acme", created) == date(2026, 3, 25)


async def test_days_of_use_beyond_the_bound_are_written_at_a_later_reading(
    control: FlakyControl,
    authenticator: Authenticator,
    clocks: Clocks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(authenticator_module, "NOTES_MAX", 0)
    created = issue(control, "acme")
    await authenticator.authenticate(created.text)
    await authenticator.close()
    assert last_used_on(control, "acme", created) is None

    monkeypatch.setattr(authenticator_module, "NOTES_MAX", 1)
    clocks.passed_s += 5
    await authenticator.authenticate(created.text)
    await authenticator.close()
    assert last_used_on(control, "acme", created) == date(2026, 3, 24)


async def test_a_refused_key_is_not_in_use(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    revoked = issue(control, "acme")
    revoke(control, "acme", revoked)
    expired = issue(control, "acme", expires_at=NOON + timedelta(seconds=1))
    clocks.passed_s += 1
    for created in (revoked, expired):
        await refusal(authenticator, created.text)
        await authenticator.close()

        assert last_used_on(control, "acme", created) is None


async def test_a_database_that_takes_no_writing_still_lets_keys_in(
    control: FlakyControl, authenticator: Authenticator, clocks: Clocks
) -> None:
    created = issue(control, "acme")
    control.is_read_only = True
    await authenticator.authenticate(created.text)
    await authenticator.close()
    control.is_read_only = False
    assert last_used_on(control, "acme", created) is None

    clocks.passed_s += 5
    await authenticator.authenticate(created.text)
    await authenticator.close()
    assert last_used_on(control, "acme", created) == date(2026, 3, 24)


async def test_no_key_is_kept_or_logged(
    control: FlakyControl,
    authenticator: Authenticator,
    clocks: Clocks,
    capfd: pytest.CaptureFixture[str],
) -> None:
    created, unknown = issue(control, "acme"), stranger()
    for token in (created.text, unknown):
        await refusal(authenticator, token)
    control.is_away = True
    control.is_read_only = True
    clocks.passed_s += 5
    with structlog.testing.capture_logs() as logs:
        for token in (created.text, unknown):
            await refusal(authenticator, token)
        await authenticator.close()

    told = f"{logs} {capfd.readouterr()}"
    assert "control_database_away" in told
    for token in (created.text, unknown):
        assert token not in told
        assert token not in _everything_in(authenticator)


def _everything_in(authenticator: Authenticator) -> str:
    caches = [authenticator._known._items, authenticator._unknown_until_s._items]
    return repr([vars(authenticator), *caches])


@pytest.mark.parametrize("control_url", ["sqlite"], indirect=True)
async def test_checking_a_known_key_asks_nobody(control: FlakyControl) -> None:
    """What that costs: `python -m tests.bench.key_check`."""
    created = issue(control, "acme", expires_at=NOON + timedelta(days=1))
    authenticator = Authenticator(control, monotonic_s=time.monotonic, utc_now=lambda: NOON)
    await authenticator.authenticate(created.text)

    before = control.reads

    for _ in range(2_000):
        await authenticator.authenticate(created.text)

    assert control.reads == before
    await authenticator.close()
