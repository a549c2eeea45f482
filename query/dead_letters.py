"""GET /v1/dead-letters: snapshots that could not be used, for an organization's administrators."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from control.roles import Role
from query.access import reading_route
from query.item_columns import DEAD_LETTERS
from query.item_export import ItemList, Pairs
from query.services import QueryServices
from timeline.dead_letter_query import DeadLetterPage, parse_dead_letter_filters, read_dead_letters
from timeline.scope import Scope


def dead_letter_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/dead-letters", services, _list, role=Role.ADMIN)]


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    async def read(parameters: Pairs, limit: int | None) -> DeadLetterPage:
        filters = parse_dead_letter_filters(parameters)
        filters = replace(filters, limit=limit or filters.limit)
        return await read_dead_letters(services.store, scope, filters)

    return await ItemList("dead-letters", DEAD_LETTERS, read).answer(services, request)
