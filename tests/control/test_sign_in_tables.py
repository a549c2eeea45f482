"""The tables of sign-in: how a database gets them, and what they cannot hold."""

from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from control.database import Control
from control.dialects import take_turn
from control.tables import (
    GROUP_ROLES,
    IDENTITY_PROVIDERS,
    KEYS,
    ORGANIZATIONS,
    PRINCIPAL_IDENTITIES,
    PRINCIPALS,
    SESSIONS,
)
from tests.control.world import NOON, issue, keys_of, settle

ISSUER = "https://login.example.com"
TABLES = {table.name for table in (IDENTITY_PROVIDERS, PRINCIPAL_IDENTITIES, GROUP_ROLES, SESSIONS)}


def at_version(connection: Connection, version: str) -> None:
    """As a process of that version would leave a new database."""
    take_turn(connection)
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "control:migrations")
    command.upgrade(config, version)


@pytest.fixture
def first_version(empty_control: Control) -> Control:
    with empty_control.writing() as connection:
        at_version(connection, "0001")
    return empty_control


def test_a_database_of_the_first_version_gets_them_and_keeps_what_it_has(
    first_version: Control,
) -> None:
    with first_version.reading() as connection:
        assert not TABLES & set(inspect(connection).get_table_names())
    with first_version.writing() as connection:
        organization = connection.execute(
            insert(ORGANIZATIONS).values(name="acme", created_at=NOON).returning(ORGANIZATIONS.c.id)
        ).scalar_one()
        principal = connection.execute(
            insert(PRINCIPALS)
            .values(organization_id=organization, name="ci", kind="service", created_at=NOON)
            .returning(PRINCIPALS.c.id)
        ).scalar_one()
        connection.execute(
            insert(KEYS).values(
                key_id="key-1",
                organization_id=organization,
                principal_id=principal,
                hash=b"digest",
                name="a key",
                roles=["submit"],
                created_at=NOON,
            )
        )

    first_version.migrate()

    with first_version.reading() as connection:
        assert set(inspect(connection).get_table_names()) >= TABLES
    assert [key.key_id for key in keys_of(first_version, "acme")] == ["key-1"]
    settle(first_version, "globex")
    issue(first_version, "globex")


def organization_and_anna(connection: Connection, name: str) -> tuple[int, int]:
    row = connection.execute(
        select(ORGANIZATIONS.c.id, PRINCIPALS.c.id)
        .join(PRINCIPALS)
        .where(ORGANIZATIONS.c.name == name, PRINCIPALS.c.name == "anna")
    ).one()
    return row[0], row[1]


def add_provider(connection: Connection, organization: int, **changes: Any) -> None:
    provider = {
        "organization_id": organization,
        "issuer": ISSUER,
        "client_id": "opstrail",
        "client_secret_reference": "env:OPSTRAIL_OIDC_SECRET_ACME",
        "groups_claim": "groups",
        "created_at": NOON,
        **changes,
    }
    connection.execute(insert(IDENTITY_PROVIDERS).values(**provider))


def add_identity(connection: Connection, organization: int, principal: int) -> None:
    connection.execute(
        insert(PRINCIPAL_IDENTITIES).values(
            organization_id=organization,
            issuer=ISSUER,
            subject="248289761001",
            principal_id=principal,
            created_at=NOON,
        )
    )


def add_session(
    connection: Connection, organization: int, principal: int, *, digest: bytes = b"1"
) -> None:
    connection.execute(
        insert(SESSIONS).values(
            hash=digest,
            organization_id=organization,
            principal_id=principal,
            issuer=ISSUER,
            subject="248289761001",
            roles=["read"],
            created_at=NOON,
            rotated_at=NOON,
            last_seen_at=NOON,
            expires_at=NOON,
        )
    )


def test_one_provider_may_serve_two_organizations_with_one_person_in_both(
    control: Control,
) -> None:
    settle(control, "acme", "globex")
    with control.writing() as connection:
        for number, name in enumerate(("acme", "globex")):
            organization, anna = organization_and_anna(connection, name)
            add_provider(connection, organization)
            add_identity(connection, organization, anna)
            add_session(connection, organization, anna, digest=bytes([number]))

    with control.reading() as connection:
        found = connection.execute(select(SESSIONS.c.expires_at, SESSIONS.c.ended_at)).all()
    assert [tuple(row) for row in found] == [(NOON, None)] * 2


@pytest.mark.parametrize("secret", ["hunter2", "", "environment"])
def test_a_client_secret_itself_cannot_be_stored(control: Control, secret: str) -> None:
    settle(control, "acme")

    with pytest.raises(IntegrityError), control.writing() as connection:
        organization, _ = organization_and_anna(connection, "acme")
        add_provider(connection, organization, client_secret_reference=secret)


@pytest.mark.parametrize("reference", [None, "env:OPSTRAIL_OIDC_SECRET", "file:/run/secrets/oidc"])
def test_where_it_is_can_be_stored(control: Control, reference: str | None) -> None:
    settle(control, "acme")

    with control.writing() as connection:
        organization, _ = organization_and_anna(connection, "acme")
        add_provider(connection, organization, client_secret_reference=reference)


def test_an_identity_never_leads_to_another_organizations_principal(control: Control) -> None:
    settle(control, "acme", "globex")

    with pytest.raises(IntegrityError), control.writing() as connection:
        acme, _ = organization_and_anna(connection, "acme")
        _, foreign = organization_and_anna(connection, "globex")
        add_provider(connection, acme)
        add_identity(connection, acme, foreign)


def test_a_session_is_of_an_identity_and_a_principal_of_its_organization(control: Control) -> None:
    settle(control, "acme", "globex")
    with control.writing() as connection:
        acme, anna = organization_and_anna(connection, "acme")
        globex, _ = organization_and_anna(connection, "globex")
        add_provider(connection, acme)
        add_provider(connection, globex)
        add_identity(connection, acme, anna)

    for organization, principal in ((globex, anna), (globex, anna + 2), (acme, anna + 2)):
        with pytest.raises(IntegrityError), control.writing() as connection:
            add_session(connection, organization, principal)


def test_two_sessions_never_share_a_token(control: Control) -> None:
    settle(control, "acme")

    with pytest.raises(IntegrityError), control.writing() as connection:
        acme, anna = organization_and_anna(connection, "acme")
        add_provider(connection, acme)
        add_identity(connection, acme, anna)
        add_session(connection, acme, anna)
        add_session(connection, acme, anna)
