"""GET /v1/timeline and the same for each kind."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from query.access import Reading, reading_route
from query.services import QueryServices
from schemas.kinds import Kind
from timeline.entry_json import entry_json
from timeline.entry_row import EntryColumns
from timeline.environment_query import read_environments
from timeline.filters import Filters, parse_filters
from timeline.scope import Scope
from timeline.timeline_query import Moment, read_page


def list_routes(services: QueryServices) -> list[Route]:
    return [
        reading_route("/v1/timeline", services, _list),
        *(reading_route(_path(kind), services, _list_of(kind)) for kind in Kind),
    ]


def _path(kind: Kind) -> str:
    return f"/v1/{kind.value.replace('_', '-')}s"


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    return await _page(services, scope, parse_filters(request.query_params.multi_items()))


def _list_of(kind: Kind) -> Reading:
    async def answer(services: QueryServices, request: Request, scope: Scope) -> Any:
        filters = parse_filters(request.query_params.multi_items())
        if filters.kinds and kind.value not in filters.kinds:
            # This list and another kind: nothing is both.
            watermark = await services.watermarks.json(services.partitions)
            return {"items": [], "next_cursor": None, "watermark": watermark}
        return await _page(services, scope, replace(filters, kinds=(kind.value,)))

    return answer


async def _page(services: QueryServices, scope: Scope, filters: Filters) -> Any:
    # Before the rows: what it promises is then among them.
    watermark = await services.watermarks.json(services.partitions)
    moment = services.moment()
    page = await read_page(services.store, scope, filters, moment)
    return {
        "items": await entries_json(services, scope, page.rows, moment),
        "next_cursor": page.next_cursor,
        "watermark": watermark,
    }


async def entries_json(
    services: QueryServices, scope: Scope, rows: list[EntryColumns], moment: Moment
) -> list[dict[str, Any]]:
    """Entries as the API shows them, with the environments of their workspaces."""
    environments = await read_environments(
        services.store, scope.organization, (row["workspace"] for row in rows)
    )
    return [
        entry_json(
            row,
            environment=environments.get(row["workspace"]),
            now_us=moment.now_us,
            lost_after_us=moment.lost_after_us,
        )
        for row in rows
    ]
