"""Puts a dead letter on the log again.

Must stay true:
- The event is the one that was kept, and its sender the one who sent it: who resends speaks for
  nobody, and stands in the access log.
- `received_at` is the time of resending. Watermarks say that what was accepted before them is
  shown, and this was accepted now; one that is set aside again is on top of the list; and a record
  that it opens says `late`, which it is. When it first arrived is in the record's history.
- It lands where all of its workspace does. Nothing that is on the log or kept of it changes.
- It is noted before the log is asked: what may be there again is never shown as not resent.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog

from control.database import Control
from control.errors import ControlUnavailableError
from control.resends import Resend, begin_resend, read_resends, settle_resend
from query.services import QueryServices
from runtime.http import Problem
from schemas.envelope import Envelope, Sender, encode_envelope
from schemas.event_json import event_of_json
from schemas.kinds import DEAD_EVENT_DETAILS
from schemas.position import write_position
from schemas.times import to_datetime
from timeline.received_json import Received

_log: Final = structlog.get_logger(__name__)
_FINAL_REASONS: Final = frozenset(reason.value for reason in DEAD_EVENT_DETAILS)


def is_final(reason: str) -> bool:
    """Whether the log's order decided: what came later then is later still when sent again."""
    return reason in _FINAL_REASONS


async def resend(
    services: QueryServices, organization: str, letter: Received, *, is_forced: bool
) -> str:
    """The position where it is now.

    Raises a 409 Problem; ControlUnavailableError: nothing was done; LogUnavailableError.
    """
    if is_final(letter.dead_reason) and not is_forced:
        raise would_be_set_aside_again()
    received_at = services.wall_clock()
    envelope = _envelope(organization, letter, received_at)
    place, now = letter.place.text, to_datetime(received_at)
    await asyncio.to_thread(_begin, services.control, organization, place, now)
    (landed,) = await services.log.append([envelope], timeout_s=services.append_timeout_s)
    position = write_position(
        services.position_secret, organization, {landed.partition: landed.offset}
    )
    try:
        await asyncio.to_thread(_settle, services.control, organization, place, position, now)
    except ControlUnavailableError as error:
        # It is on the log, and shown as resent; only not where to.
        _log.warning("resend_not_settled", reason=str(error))
    return position


async def resends_of(
    services: QueryServices, organization: str, places: Sequence[str]
) -> Mapping[str, Resend]:
    """By place; those that were not resent are missing. Raises ControlUnavailableError."""
    return await asyncio.to_thread(_read, services.control, organization, places)


def would_be_set_aside_again() -> Problem:
    """409."""
    return Problem(
        "would_be_set_aside_again",
        status=409,
        title="It would be set aside again",
        detail="What came first on the log stays, and this came later: resent, it becomes another"
        " dead letter for the same reason. After a mistake of the server was mended, resend it all"
        " the same with ?force=true.",
    )


def unreadable() -> Problem:
    """409."""
    return Problem(
        "unreadable_dead_letter",
        status=409,
        title="This version cannot read what was kept",
        detail="The event was kept by a newer version of the server. Upgrade this one first.",
    )


def _begin(control: Control, organization: str, place: str, now: datetime) -> None:
    with control.writing() as connection:
        begin_resend(connection, organization=organization, place=place, now=now)


def _settle(control: Control, organization: str, place: str, position: str, now: datetime) -> None:
    with control.writing() as connection:
        settle_resend(
            connection, organization=organization, place=place, position=position, now=now
        )


def _read(control: Control, organization: str, places: Sequence[str]) -> Mapping[str, Resend]:
    with control.reading() as connection:
        return read_resends(connection, organization, places)


def _envelope(organization: str, letter: Received, received_at: int) -> Envelope:
    """Of this event alone. Raises a 409 Problem."""
    try:
        event, workspace = event_of_json(letter.event)
        envelope = Envelope(
            sender=Sender(
                organization=organization,
                actor=letter.actor,
                actor_kind=letter.actor_kind,
                key_id=letter.key_id,
            ),
            workspace=workspace,
            received_at=received_at,
            events=[event],
        )
        # The log would do the same, and take its failure for our own mistake.
        encode_envelope(envelope)
    except (KeyError, ValueError, TypeError) as error:
        raise unreadable() from error
    return envelope
