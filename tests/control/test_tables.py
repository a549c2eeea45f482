"""Times as they are stored."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from control.database import Control
from control.tables import KEYS, ORGANIZATIONS, PRINCIPALS
from tests.control.world import NOON, issue, settle


def test_a_time_comes_back_as_the_same_moment_in_utc_to_the_microsecond(control: Control) -> None:
    berlin = datetime(2026, 3, 24, 1, 2, 3, 456_789, tzinfo=timezone(timedelta(hours=2)))
    with control.writing() as connection:
        connection.execute(insert(ORGANIZATIONS).values(name="a", created_at=berlin))
    with control.reading() as connection:
        stored = connection.execute(select(ORGANIZATIONS.c.created_at)).scalar_one()

    assert stored == berlin
    assert stored.tzinfo is UTC


def test_a_time_without_its_zone_is_never_stored(control: Control) -> None:
    with pytest.raises(StatementError, match="without its zone"), control.writing() as connection:
        naive = NOON.replace(tzinfo=None)
        connection.execute(insert(ORGANIZATIONS).values(name="a", created_at=naive))


def test_no_key_can_belong_to_another_organizations_principal(control: Control) -> None:
    settle(control, "acme", "globex")
    created = issue(control, "acme")
    with control.reading() as connection:
        query = select(PRINCIPALS.c.id).join(ORGANIZATIONS).where(ORGANIZATIONS.c.name == "globex")
        foreign = connection.execute(query.limit(1)).scalar_one()

    with pytest.raises(IntegrityError), control.writing() as connection:
        connection.execute(
            KEYS.update().where(KEYS.c.key_id == created.key.key_id).values(principal_id=foreign)
        )
