"""GET /v1/gaps: events that CLI instances counted and that never arrived."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.item_columns import GAPS
from query.item_export import ItemList, Pairs
from query.services import QueryServices
from timeline.gap_list_query import GapPage, parse_gap_filters, read_gap_page
from timeline.scope import Scope


def gap_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/gaps", services, _list)]


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    async def read(parameters: Pairs, limit: int | None) -> GapPage:
        filters = parse_gap_filters(parameters)
        filters = replace(filters, limit=limit or filters.limit)
        return await read_gap_page(services.store, scope, filters)

    return await ItemList("gaps", GAPS, read).answer(services, request)
