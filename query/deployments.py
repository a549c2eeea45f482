"""GET /v1/deployments: which version reached which environment, when and by whom."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.services import QueryServices
from timeline.deployment_filters import parse_deployment_filters
from timeline.deployment_query import read_deployments
from timeline.scope import Scope


def deployment_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/deployments", services, _deployments)]


async def _deployments(services: QueryServices, request: Request, scope: Scope) -> Any:
    filters = parse_deployment_filters(request.query_params.multi_items())
    # Before the runs: what it promises is then among them.
    watermark = await services.watermarks.json(services.partitions)
    page = await read_deployments(services.store, scope, filters, services.deploy_actions)
    return {"items": page.items, "next_cursor": page.next_cursor, "watermark": watermark}
