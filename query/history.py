"""GET /v1/records/{kind}/{id}/history: what was received about one record, as received."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.record_address import read_addressed, record_address
from query.services import QueryServices
from timeline.scope import Scope
from timeline.snapshot_query import HISTORY_PARAMETERS, parse_history_part, read_history


def history_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/records/{kind}/{id}/history", services, _history)]


async def _history(services: QueryServices, request: Request, scope: Scope) -> Any:
    address = record_address(request, HISTORY_PARAMETERS)
    part = parse_history_part(request.query_params.multi_items())
    watermark = await services.watermarks.json(services.partitions)
    # The record says which workspace is meant, and whether there is anything to tell.
    entry = await read_addressed(services, scope, address)
    page = await read_history(
        services.store, scope, address.kind, address.id, entry["workspace"], part
    )
    return {"items": page.items, "next_cursor": page.next_cursor, "watermark": watermark}
