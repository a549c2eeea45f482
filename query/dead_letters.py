"""GET /v1/dead-letters: snapshots that could not be used, for an organization's administrators."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from control.roles import Role
from query.access import reading_route
from query.services import QueryServices
from timeline.dead_letter_query import parse_dead_letter_filters, read_dead_letters
from timeline.scope import Scope


def dead_letter_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/dead-letters", services, _list, role=Role.ADMIN)]


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    filters = parse_dead_letter_filters(request.query_params.multi_items())
    # Before the rows: what it promises is then among them.
    watermark = await services.watermarks.json(services.partitions)
    page = await read_dead_letters(services.store, scope, filters)
    return {"items": page.items, "next_cursor": page.next_cursor, "watermark": watermark}
