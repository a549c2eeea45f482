"""The first start of an installation: tables, secrets, one organization and the key to it."""

import secrets
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from control.database import Control
from control.dialects import take_turn
from control.keys import NewKey, any_key_exists, create_key
from control.organizations import create_organization, organization_exists
from control.principals import create_principal, principal_exists
from control.roles import Role
from schemas.kinds import ActorKind

FIRST_ORGANIZATION: Final = "default"
FIRST_PRINCIPAL: Final = "admin"
FIRST_KEY_NAME: Final = "first key"


def bootstrap(control: Control) -> str | None:
    """The first admin key when the installation has none at all, to be shown once; else None.

    Safe to repeat, and from several processes at once: one of them gets the key. Raises
    ControlUnavailableError: nothing is lost, call again; SettingsError: a newer version's database.
    """
    control.migrate()
    pepper = control.installation().pepper
    now = datetime.now(UTC)
    with control.writing() as connection:
        take_turn(connection)
        # A revoked key counts: whoever revoked the last one did not ask for a new one.
        if any_key_exists(connection):
            return None
        _ensure_principal(connection, now)
        wanted = NewKey(
            organization=FIRST_ORGANIZATION,
            principal=FIRST_PRINCIPAL,
            name=FIRST_KEY_NAME,
            roles={Role.ADMIN},
        )
        created = create_key(
            connection, wanted, pepper=pepper, random_bytes=secrets.token_bytes, now=now
        )
    return created.text


def _ensure_principal(connection: Connection, now: datetime) -> None:
    if not organization_exists(connection, FIRST_ORGANIZATION):
        create_organization(connection, FIRST_ORGANIZATION, now=now)
    if not principal_exists(connection, organization=FIRST_ORGANIZATION, name=FIRST_PRINCIPAL):
        create_principal(
            connection,
            organization=FIRST_ORGANIZATION,
            name=FIRST_PRINCIPAL,
            kind=ActorKind.SERVICE,
            now=now,
        )
