"""The first start of an installation: tables, secrets, one organization and the key to it."""

import secrets
from datetime import UTC, datetime
from typing import Final

from control.database import Control
from control.dialects import take_turn
from control.founding import create_first_key
from control.keys import any_key_exists
from control.organizations import create_organization, organization_exists
from control.roles import Role

FIRST_ORGANIZATION: Final = "default"


def bootstrap(control: Control) -> str | None:
    """The first key when the installation has none at all, to be shown once; else None.

    It administers its organization and operates the installation: with it alone further
    organizations can be made. Safe to repeat, and from several processes at once: one of them gets
    the key. Raises ControlUnavailableError: nothing is lost, call again; SettingsError: a newer
    version's database.
    """
    control.migrate()
    pepper = control.installation().pepper
    now = datetime.now(UTC)
    with control.writing() as connection:
        take_turn(connection)
        # A revoked key counts: whoever revoked the last one did not ask for a new one.
        if any_key_exists(connection):
            return None
        if not organization_exists(connection, FIRST_ORGANIZATION):
            create_organization(connection, FIRST_ORGANIZATION, now=now)
        created = create_first_key(
            connection,
            FIRST_ORGANIZATION,
            {Role.ADMIN, Role.OPERATOR},
            pepper=pepper,
            random_bytes=secrets.token_bytes,
            now=now,
        )
    return created.text
