"""GET /v1/dead-letters and /v1/dead-letters/{place}, POST /v1/dead-letters/{place}/resend.

Snapshots that could not be used, for an organization's administrators, and which of them were put
on the log again. What could not be read at all names no organization and is none of these: only who
runs the installation sees it, by `opstrail dead-letters list --undecodable`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from control.resends import Resend
from control.roles import Role
from query.access import principal_of, reading_route
from query.dead_letter_resend import is_final, resend, resends_of
from query.item_columns import DEAD_LETTERS
from query.item_export import ItemList, Pairs
from query.missing import not_found
from query.services import QueryServices
from runtime.http import forbidden, json_response
from schemas import topics
from schemas.kinds import DeadLetterReason
from schemas.times import format_us, to_us
from timeline.dead_letter_query import (
    DeadLetterPage,
    parse_dead_letter_filters,
    read_dead_letter,
    read_dead_letters,
)
from timeline.parameters import Parameters
from timeline.received_json import Received, ReceivedJson, dead_letter_json, read_place
from timeline.scope import Scope

RESEND_PARAMETERS: Final = ("force",)

_PATH: Final = "/v1/dead-letters"
_ONE_PATH: Final = f"{_PATH}/{{place}}"

# What whoever looks at one can do about it.
REMEDIES: Final[Mapping[str, str]] = {
    DeadLetterReason.CONFLICTING_SNAPSHOT: "The record's history says what stands. If this snapshot"
    " is of other work, have it sent under an id of its own; if what stands is wrong, that stays on"
    " record too.",
    DeadLetterReason.FOREIGN_SNAPSHOT: "The record's history says whose it is. If this snapshot is"
    " of other work, have it sent under an id of its own; if two keys report the same work, let one"
    " of them do it.",
}
_FINAL_REMEDY: Final = (
    " What came first on the log stays, so resending this one sets it aside again: that takes"
    " force=true and is of use only after a mistake of the server was mended."
)
_REMEDY_UNKNOWN: Final = "This version does not know the reason; after an upgrade, resend it."


def dead_letter_routes(services: QueryServices) -> list[Route]:
    return [
        reading_route(_PATH, services, _list, role=Role.ADMIN),
        reading_route(_ONE_PATH, services, _one, role=Role.ADMIN),
        reading_route(f"{_ONE_PATH}/resend", services, _resend, role=Role.ADMIN, method="POST"),
    ]


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    async def read(parameters: Pairs, limit: int | None) -> DeadLetterPage:
        filters = parse_dead_letter_filters(parameters)
        filters = replace(filters, limit=limit or filters.limit)
        page = await read_dead_letters(services.store, scope, filters)
        return page._replace(items=await _with_resends(services, scope, page.items))

    return await ItemList("dead-letters", DEAD_LETTERS, read).answer(services, request)


async def _one(services: QueryServices, request: Request, scope: Scope) -> Any:
    Parameters(request.query_params.multi_items(), ())
    letter = await _read(services, request, scope)
    (shown,) = await _with_resends(services, scope, [_one_json(letter)])
    return shown


async def _resend(services: QueryServices, request: Request, scope: Scope) -> Any:
    if principal_of(request).workspace_patterns is not None:
        raise forbidden("A key narrowed to workspaces cannot resend dead letters.")
    given = Parameters(request.query_params.multi_items(), RESEND_PARAMETERS)
    is_forced = given.boolean("force") is True
    letter = await _read(services, request, scope)
    position = await resend(services, scope.organization, letter, is_forced=is_forced)
    # As for what is sent.
    return json_response({"accepted": 1, "rejected": [], "position": position}, status=202)


async def _read(services: QueryServices, request: Request, scope: Scope) -> Received:
    """Raises the 404 problem, also for what is no place at all."""
    place = read_place(request.path_params["place"])
    letter = None if place is None else await read_dead_letter(services.store, scope, place)
    if letter is None:
        raise not_found("there is no such dead letter")
    return letter


async def _with_resends(
    services: QueryServices, scope: Scope, items: Sequence[ReceivedJson]
) -> list[ReceivedJson]:
    """The same, with when and where each was resent; read after them, so it is never behind."""
    places = [item["id"] for item in items]
    resends = await resends_of(services, scope.organization, places) if places else {}
    return [_with_resend(item, resends.get(item["id"])) for item in items]


def _with_resend(item: ReceivedJson, resend: Resend | None) -> ReceivedJson:
    rest = dict(item)
    event = rest.pop("event")
    return {
        **rest,
        "resent_at": None if resend is None else format_us(to_us(resend.resent_at)),
        "resent_position": None if resend is None else resend.position,
        "event": event,
    }


def _one_json(letter: Received) -> ReceivedJson:
    """As in the list, and where it stands and what can be done."""
    shown = dead_letter_json(letter)
    event = shown.pop("event")
    remedy = REMEDIES.get(letter.dead_reason, _REMEDY_UNKNOWN)
    return {
        **shown,
        "source": {
            "topic": topics.EVENTS,
            "partition": letter.partition,
            "offset": letter.offset,
            "index": letter.event_index,
        },
        "remedy": remedy + _FINAL_REMEDY if is_final(letter.dead_reason) else remedy,
        "resend_takes_force": is_final(letter.dead_reason),
        "event": event,
    }
