"""Which of an organization's dead letters were resent, by where each stands on the log.

It is here and not on the timeline because it is what people did: the log does not know it, so a
timeline that is made anew would forget it; and it is part of every backup.

Must stay true: one that may be on the log again is never taken for one that was not resent.

All functions run in the transaction of `connection` and raise ControlUnavailableError through it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update

from control.dialects import insert_into
from control.organizations import organization_id
from control.tables import DEAD_LETTER_RESENDS, ORGANIZATIONS

# Of one SELECT.
_PLACES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Resend:
    """The last one that is known to be on the log, else the first that was tried."""

    resent_at: datetime  # aware UTC
    position: str | None  # None: whether the log took it is not known


def begin_resend(connection: Connection, *, organization: str, place: str, now: datetime) -> None:
    """Before the log is asked. Raises NotFoundError (the organization)."""
    connection.execute(
        insert_into(connection, DEAD_LETTER_RESENDS)
        .values(
            organization_id=organization_id(connection, organization), place=place, resent_at=now
        )
        .on_conflict_do_nothing()
    )


def settle_resend(
    connection: Connection, *, organization: str, place: str, position: str, now: datetime
) -> None:
    """After the log took it."""
    connection.execute(
        update(DEAD_LETTER_RESENDS)
        .where(
            DEAD_LETTER_RESENDS.c.organization_id == organization_id(connection, organization),
            DEAD_LETTER_RESENDS.c.place == place,
        )
        .values(resent_at=now, position=position)
    )


def read_resends(
    connection: Connection, organization: str, places: Sequence[str]
) -> dict[str, Resend]:
    """By place; those that were not resent are missing."""
    found: dict[str, Resend] = {}
    for start in range(0, len(places), _PLACES_MAX):
        portion = places[start : start + _PLACES_MAX]
        query = (
            select(DEAD_LETTER_RESENDS)
            .join(ORGANIZATIONS)
            .where(ORGANIZATIONS.c.name == organization, DEAD_LETTER_RESENDS.c.place.in_(portion))
        )
        for row in connection.execute(query):
            found[row.place] = Resend(resent_at=row.resent_at, position=row.position)
    return found
