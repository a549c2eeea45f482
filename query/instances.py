"""GET /v1/cli-instances and /v1/cli-instances/{id}: the register.

An instance belongs to no workspace: a key that is narrowed sees those that were at work in its own.
"""

from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.item_columns import INSTANCES
from query.item_export import ItemList, Pairs
from query.missing import not_found
from query.services import QueryServices
from timeline.instance_query import (
    InstancePage,
    parse_instance_filters,
    read_instance,
    read_instances,
)
from timeline.parameters import INSTANCE_ID, Parameters
from timeline.scope import Scope


def instance_routes(services: QueryServices) -> list[Route]:
    return [
        reading_route("/v1/cli-instances", services, _list),
        reading_route("/v1/cli-instances/{id}", services, _one),
    ]


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    async def read(parameters: Pairs, limit: int | None) -> InstancePage:
        filters = parse_instance_filters(parameters)
        filters = replace(filters, limit=limit or filters.limit)
        return await read_instances(services.store, scope, filters)

    return await ItemList("cli-instances", INSTANCES, read).answer(services, request)


async def _one(services: QueryServices, request: Request, scope: Scope) -> Any:
    Parameters(request.query_params.multi_items(), ())
    missing = not_found("there is no such CLI instance")
    try:
        id_ = INSTANCE_ID.validate_python(request.path_params["id"])
    except ValidationError as error:
        raise missing from error
    instance = await read_instance(services.store, scope, id_)
    if instance is None:
        raise missing
    return instance
