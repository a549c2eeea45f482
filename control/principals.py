"""Principals: the people and service accounts that keys belong to.

A principal's name is the `actor` of what its keys send: unique in its organization, never changed.
All functions run in the transaction of `connection` and raise ControlUnavailableError through it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from control.dialects import insert_into
from control.errors import AlreadyExistsError
from control.names import check_text
from control.organizations import organization_id
from control.pages import FIRST_PAGE, Page
from control.tables import ORGANIZATIONS, PRINCIPALS
from schemas.kinds import ActorKind
from schemas.limits import NAME_CHARACTERS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredPrincipal:
    """A principal as the database knows it; `Principal` is the one a request came from."""

    organization: str
    name: str
    kind: ActorKind
    created_at: datetime  # aware UTC


def create_principal(
    connection: Connection, *, organization: str, name: str, kind: ActorKind, now: datetime
) -> RegisteredPrincipal:
    """`name` is free text of one line, such as an e-mail address.

    Raises InvalidValueError, NotFoundError (the organization), AlreadyExistsError.
    """
    check_text(name, field="name", characters_max=NAME_CHARACTERS_MAX)
    made = connection.execute(
        insert_into(connection, PRINCIPALS)
        .values(
            organization_id=organization_id(connection, organization),
            name=name,
            kind=kind.value,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(PRINCIPALS.c.id)
    ).one_or_none()
    if made is None:
        raise AlreadyExistsError("principal")
    return RegisteredPrincipal(organization=organization, name=name, kind=kind, created_at=now)


def ensure_principal(
    connection: Connection, *, organization: str, name: str, kind: ActorKind, now: datetime
) -> bool:
    """Make it unless it is there, of whichever kind; whether it was made.

    Raises InvalidValueError, NotFoundError (the organization).
    """
    try:
        create_principal(connection, organization=organization, name=name, kind=kind, now=now)
    except AlreadyExistsError:
        return False
    return True


def principal_exists(connection: Connection, *, organization: str, name: str) -> bool:
    query = (
        select(PRINCIPALS.c.id)
        .join(ORGANIZATIONS)
        .where(ORGANIZATIONS.c.name == organization, PRINCIPALS.c.name == name)
    )
    return connection.execute(query).one_or_none() is not None


def list_principals(
    connection: Connection, organization: str, page: Page = FIRST_PAGE
) -> list[RegisteredPrincipal]:
    """Sorted by name; of an unknown organization there are none."""
    query = (
        select(PRINCIPALS.c.name, PRINCIPALS.c.kind, PRINCIPALS.c.created_at)
        .join(ORGANIZATIONS)
        .where(ORGANIZATIONS.c.name == organization, PRINCIPALS.c.name > page.after)
        .order_by(PRINCIPALS.c.name)
        .limit(page.limit)
    )
    return [
        RegisteredPrincipal(
            organization=organization,
            name=row.name,
            kind=ActorKind(row.kind),
            created_at=row.created_at,
        )
        for row in connection.execute(query)
    ]
