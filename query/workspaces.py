"""GET /v1/workspaces, GET and PUT /v1/workspaces/{name}: what is said about workspaces.

A workspace outside the key's is answered as one that does not exist, in reading and in writing.
"""

from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.routing import Route

from control.roles import Role
from control.workspace_patterns import allows
from query.access import reading_route
from query.item_columns import WORKSPACES
from query.item_export import ItemList, Pairs
from query.json_body import read_json_object
from query.missing import not_found
from query.services import QueryServices
from query.workspace_label import parse_label
from runtime.errors import TimelineUnavailableError
from runtime.http import RETRY_AFTER_S, Problem
from schemas.secrets import looks_like_secret
from schemas.times import to_datetime
from timeline.parameters import NAME, Parameters
from timeline.scope import Scope
from timeline.workspace_query import (
    WorkspacePage,
    parse_workspace_filters,
    read_workspace,
    read_workspaces,
)

_PATH = "/v1/workspaces/{name}"


def workspace_routes(services: QueryServices) -> list[Route]:
    return [
        reading_route("/v1/workspaces", services, _list),
        reading_route(_PATH, services, _one),
        reading_route(_PATH, services, _put, role=Role.ADMIN, method="PUT"),
    ]


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    async def read(parameters: Pairs, limit: int | None) -> WorkspacePage:
        filters = parse_workspace_filters(parameters)
        filters = replace(filters, limit=limit or filters.limit)
        return await read_workspaces(services.store, scope, filters)

    return await ItemList("workspaces", WORKSPACES, read).answer(services, request)


async def _one(services: QueryServices, request: Request, scope: Scope) -> Any:
    name = _name(request, scope)
    workspace = await read_workspace(services.store, scope, name)
    if workspace is None:
        raise _missing()
    return workspace


async def _put(services: QueryServices, request: Request, scope: Scope) -> Any:
    name = _name(request, scope)
    label = parse_label(await read_json_object(request))
    now = to_datetime(services.wall_clock())
    try:
        await services.label_mirror.say(label, organization=scope.organization, name=name, now=now)
        workspace = await read_workspace(services.store, scope, name)
    except TimelineUnavailableError as error:
        raise _kept() from error
    assert workspace is not None, "copied above"
    return workspace


def _name(request: Request, scope: Scope) -> str:
    """Raises the 404 problem: no name of a workspace, or of one outside the key's."""
    Parameters(request.query_params.multi_items(), ())
    try:
        name = NAME.validate_python(request.path_params["name"])
    except ValidationError as error:
        raise _missing() from error
    if looks_like_secret(name) or not allows(scope.workspace_patterns, name):
        raise _missing()
    return name


def _missing() -> Problem:
    return not_found("there is no such workspace")


def _kept() -> Problem:
    return Problem(
        "timeline_unavailable",
        status=503,
        title="The timeline does not answer",
        detail="The label is kept and will show once the timeline is back. Sending it again is"
        " safe.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
