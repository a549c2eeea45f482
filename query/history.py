"""GET /v1/records/{kind}/{id}/history: what was received about one record, as received."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.export_format import FORMAT
from query.item_columns import HISTORY
from query.item_export import ItemList, Pairs
from query.record_address import read_addressed, record_address
from query.services import QueryServices
from timeline.scope import Scope
from timeline.snapshot_query import (
    HISTORY_PARAMETERS,
    HistoryPage,
    parse_history_part,
    read_history,
)


def history_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/records/{kind}/{id}/history", services, _history)]


async def _history(services: QueryServices, request: Request, scope: Scope) -> Any:
    address = record_address(request, (*HISTORY_PARAMETERS, FORMAT))
    # The record says which workspace is meant, and whether there is anything to tell.
    entry = await read_addressed(services, scope, address)

    async def read(parameters: Pairs, limit: int | None) -> HistoryPage:
        part = parse_history_part(parameters)
        part = replace(part, limit=limit or part.limit)
        return await read_history(
            services.store, scope, address.kind, address.id, entry["workspace"], part
        )

    return await ItemList("history", HISTORY, read).answer(services, request)
