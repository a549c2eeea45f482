"""The first key of an organization, with which its people make all others.

All functions run in the transaction of `connection` and raise ControlUnavailableError through it.
"""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from control.keys import CreatedKey, NewKey, RandomBytes, create_key
from control.organizations import create_organization
from control.principals import ensure_principal
from control.roles import Role
from schemas.kinds import ActorKind

FIRST_PRINCIPAL: Final = "admin"
FIRST_KEY_NAME: Final = "first key"


def found_organization(
    connection: Connection,
    name: str,
    *,
    pepper: bytes,
    random_bytes: RandomBytes,
    now: datetime,
) -> CreatedKey:
    """A new organization; its first admin key. Raises InvalidValueError, AlreadyExistsError."""
    create_organization(connection, name, now=now)
    return create_first_key(
        connection, name, {Role.ADMIN}, pepper=pepper, random_bytes=random_bytes, now=now
    )


def create_first_key(
    connection: Connection,
    organization: str,
    roles: AbstractSet[Role],
    *,
    pepper: bytes,
    random_bytes: RandomBytes,
    now: datetime,
) -> CreatedKey:
    """A key of the service account `admin`, made if need be. Raises NotFoundError."""
    ensure_principal(
        connection,
        organization=organization,
        name=FIRST_PRINCIPAL,
        kind=ActorKind.SERVICE,
        now=now,
    )
    wanted = NewKey(
        organization=organization, principal=FIRST_PRINCIPAL, name=FIRST_KEY_NAME, roles=roles
    )
    return create_key(connection, wanted, pepper=pepper, random_bytes=random_bytes, now=now)
