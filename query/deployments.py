"""GET /v1/deployments: which version reached which environment, when and by whom."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.item_columns import DEPLOYMENTS
from query.item_export import ItemList, Pairs
from query.services import QueryServices
from timeline.deployment_filters import parse_deployment_filters
from timeline.deployment_query import DeploymentPage, read_deployments
from timeline.scope import Scope


def deployment_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/deployments", services, _deployments)]


async def _deployments(services: QueryServices, request: Request, scope: Scope) -> Any:
    async def read(parameters: Pairs, limit: int | None) -> DeploymentPage:
        filters = parse_deployment_filters(parameters)
        filters = replace(filters, limit=limit or filters.limit)
        return await read_deployments(services.store, scope, filters, services.deploy_actions)

    return await ItemList("deployments", DEPLOYMENTS, read).answer(services, request)
