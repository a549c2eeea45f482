"""Organizations: the tenants of an installation.

All functions run in the transaction of `connection` and raise ControlUnavailableError through it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from control.dialects import insert_into
from control.errors import AlreadyExistsError, NotFoundError
from control.names import check_name
from control.pages import FIRST_PAGE, Page
from control.tables import ORGANIZATIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    name: str
    created_at: datetime  # aware UTC


def create_organization(connection: Connection, name: str, *, now: datetime) -> Organization:
    """Raises InvalidValueError, AlreadyExistsError."""
    check_name(name, field="name")
    made = connection.execute(
        insert_into(connection, ORGANIZATIONS)
        .values(name=name, created_at=now)
        .on_conflict_do_nothing()
        .returning(ORGANIZATIONS.c.id)
    ).one_or_none()
    if made is None:
        raise AlreadyExistsError("organization")
    return Organization(name=name, created_at=now)


def organization_exists(connection: Connection, name: str) -> bool:
    query = select(ORGANIZATIONS.c.id).where(ORGANIZATIONS.c.name == name)
    return connection.execute(query).one_or_none() is not None


def list_organizations(connection: Connection, page: Page = FIRST_PAGE) -> list[Organization]:
    """Sorted by name."""
    query = (
        select(ORGANIZATIONS.c.name, ORGANIZATIONS.c.created_at)
        .where(ORGANIZATIONS.c.name > page.after)
        .order_by(ORGANIZATIONS.c.name)
        .limit(page.limit)
    )
    return [
        Organization(name=row.name, created_at=row.created_at) for row in connection.execute(query)
    ]


def organization_id(connection: Connection, name: str) -> int:
    """The row's number, for the other tables of control/. Raises NotFoundError."""
    query = select(ORGANIZATIONS.c.id).where(ORGANIZATIONS.c.name == name)
    found: int | None = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise NotFoundError("organization")
    return found
