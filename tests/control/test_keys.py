"""API keys as they are stored."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Event

import pytest
from sqlalchemy import select, update

from control.api_key import digest, is_well_formed
from control.database import Control
from control.errors import InvalidValueError, LastAdminKeyError, NotFoundError
from control.keys import (
    Key,
    KeyFilter,
    any_key_exists,
    find_key,
    list_keys,
    note_use,
    revoke_key,
)
from control.pages import Page
from control.roles import Role
from control.tables import KEYS
from schemas.kinds import ActorKind
from tests.control.world import NOON, Details, issue, keys_of, last_used_on, revoke, settle


def test_a_new_key_is_listed_with_all_that_was_asked_for(control: Control) -> None:
    settle(control, "acme")
    created = issue(
        control,
        "acme",
        principal="anna",
        name="laptop",
        roles={Role.ANALYST, Role.SUBMIT},
        workspace_patterns=["shop", "web-*"],
        expires_at=NOON + timedelta(days=1),
    )

    assert re.fullmatch(r"key-[0-9a-f]{12}", created.key.key_id)
    assert keys_of(control, "acme") == [created.key]
    assert created.key == Key(
        key_id=created.key.key_id,
        organization="acme",
        principal="anna",
        principal_kind=ActorKind.PERSON,
        name="laptop",
        roles=frozenset({Role.ANALYST, Role.SUBMIT}),
        workspace_patterns=("shop", "web-*"),
        created_at=NOON,
        last_used_on=None,
        expires_at=NOON + timedelta(days=1),
        revoked_at=None,
    )


def test_the_text_of_a_key_is_stored_nowhere_only_its_digest(control: Control) -> None:
    settle(control, "acme")
    created = issue(control, "acme")
    with control.reading() as connection:
        row = connection.execute(select(KEYS)).one()

    assert is_well_formed(created.text)
    assert row.hash == digest(control.installation().pepper, created.text)
    assert not any(created.text[9:] in str(value) for value in row)
    assert created.text not in repr(created)


def test_a_key_is_found_by_its_digest(control: Control) -> None:
    settle(control, "acme")
    created, _other = issue(control, "acme"), issue(control, "acme")
    pepper = control.installation().pepper
    with control.reading() as connection:
        assert find_key(connection, digest(pepper, created.text)) == created.key
        assert find_key(connection, digest(b"other", created.text)) is None


@pytest.mark.parametrize(
    ("details", "field"),
    [
        ({"name": ""}, "name"),
        ({"roles": set()}, "roles"),
        ({"workspace_patterns": []}, "workspaces"),
        ({"expires_at": NOON}, "expires_at"),
        ({"expires_at": NOON - timedelta(seconds=1)}, "expires_at"),
    ],
)
def test_a_key_that_could_never_be_used_is_refused(
    control: Control, details: Details, field: str
) -> None:
    settle(control, "acme")
    with pytest.raises(InvalidValueError) as refused:
        issue(control, "acme", **details)

    assert refused.value.field == field
    assert keys_of(control, "acme") == []


def test_a_key_needs_a_principal_of_its_own_organization(control: Control) -> None:
    settle(control, "acme")
    with pytest.raises(NotFoundError):
        issue(control, "acme", principal="nobody")
    with pytest.raises(NotFoundError):
        issue(control, "globex")


def test_a_revoked_key_keeps_the_moment_of_its_first_revocation(control: Control) -> None:
    settle(control, "acme")
    created, other = issue(control, "acme"), issue(control, "acme")
    with control.writing() as connection:
        for hours in (1, 2):
            revoked = revoke_key(
                connection,
                organization="acme",
                key_id=created.key.key_id,
                now=NOON + timedelta(hours=hours),
            )

    assert revoked.revoked_at == NOON + timedelta(hours=1)
    assert {key.key_id: key.revoked_at for key in keys_of(control, "acme")} == {
        created.key.key_id: revoked.revoked_at,
        other.key.key_id: None,
    }


def test_another_organizations_key_is_answered_like_none(control: Control) -> None:
    settle(control, "acme", "globex")
    created = issue(control, "acme")
    answers = []
    for key_id in (created.key.key_id, "key-000000000000"):
        with pytest.raises(NotFoundError) as refused, control.writing() as connection:
            revoke_key(connection, organization="globex", key_id=key_id, now=NOON)
        answers.append(str(refused.value))

    assert answers[0] == answers[1]
    assert keys_of(control, "acme") == [created.key]
    assert keys_of(control, "globex") == []


def test_the_day_of_use_only_moves_on(control: Control) -> None:
    settle(control, "acme")
    created, other = issue(control, "acme"), issue(control, "acme")
    noted = []
    for day in (date(2026, 3, 24), date(2026, 3, 23), date(2026, 3, 25)):
        with control.writing() as connection:
            note_use(connection, created.key.key_id, day)
        noted.append(last_used_on(control, "acme", created))

    assert noted == [date(2026, 3, 24), date(2026, 3, 24), date(2026, 3, 25)]
    assert last_used_on(control, "acme", other) is None


def test_a_revoked_key_still_counts_as_a_key(control: Control) -> None:
    settle(control, "acme")
    with control.reading() as connection:
        assert not any_key_exists(connection)
    revoke(control, "acme", issue(control, "acme"))
    issue(control, "acme")
    with control.reading() as connection:
        assert any_key_exists(connection)


def test_a_role_a_newer_version_stored_is_left_out(control: Control) -> None:
    settle(control, "acme")
    issue(control, "acme")
    with control.writing() as connection:
        connection.execute(update(KEYS).values(roles=["submit", "emperor"]))

    assert [key.roles for key in keys_of(control, "acme")] == [{Role.SUBMIT}]


def test_of_two_admin_keys_that_are_revoked_at_once_one_stays(control: Control) -> None:
    settle(control, "acme")
    first, second = (issue(control, "acme", roles={Role.ADMIN}).key.key_id for _ in range(2))
    first_is_revoked, second_has_ended = Event(), Event()

    def revoke_first() -> None:
        with control.writing() as connection:
            revoke_key(
                connection, organization="acme", key_id=first, now=NOON, spares_last_admin=True
            )
            first_is_revoked.set()
            # Not yet for others to see: the second has to wait for that.
            second_has_ended.wait(timeout=0.3)

    def revoke_second() -> None:
        assert first_is_revoked.wait(timeout=20)
        try:
            with pytest.raises(LastAdminKeyError), control.writing() as connection:
                revoke_key(
                    connection, organization="acme", key_id=second, now=NOON, spares_last_admin=True
                )
        finally:
            second_has_ended.set()

    with ThreadPoolExecutor(2) as threads:
        for under_way in [threads.submit(revoke_first), threads.submit(revoke_second)]:
            under_way.result()

    assert [key.key_id for key in keys_of(control, "acme") if key.is_good_at(NOON)] == [second]


def test_keys_are_listed_by_whether_they_are_good_as_they_say_themselves(
    control: Control,
) -> None:
    settle(control, "acme")
    end = NOON + timedelta(hours=1)
    issue(control, "acme")
    issue(control, "acme", expires_at=end)
    revoke(control, "acme", issue(control, "acme"))
    for moment in (end - timedelta(microseconds=1), end):
        with control.reading() as connection:
            good = list_keys(connection, "acme", only=KeyFilter(good_at=moment))
            others = list_keys(connection, "acme", only=KeyFilter(not_good_at=moment))
        every = keys_of(control, "acme")
        assert good == [key for key in every if key.is_good_at(moment)]
        assert others == [key for key in every if not key.is_good_at(moment)]


def test_pages_follow_one_another(control: Control) -> None:
    settle(control, "acme")
    ids = sorted(issue(control, "acme").key.key_id for _ in range(3))
    with control.reading() as connection:
        first = list_keys(connection, "acme", Page(limit=2))
        rest = list_keys(connection, "acme", Page(after=first[-1].key_id, limit=2))

    assert [[key.key_id for key in page] for page in (first, rest)] == [ids[:2], ids[2:]]
