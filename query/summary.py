"""GET /v1/action-runs/summary: how runs went, by group."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.services import QueryServices
from timeline.scope import Scope
from timeline.summary_query import parse_summary, read_summary


def summary_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/action-runs/summary", services, _summary)]


async def _summary(services: QueryServices, request: Request, scope: Scope) -> Any:
    question = parse_summary(request.query_params.multi_items())
    # Before the runs: what it promises is then counted.
    watermark = await services.watermarks.json(services.partitions)
    groups = await read_summary(services.store, scope, question, services.moment())
    return {"groups": groups, "watermark": watermark}
