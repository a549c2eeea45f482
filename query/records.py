"""GET /v1/records/{kind}/{id}: one entry."""

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.lists import entries_json
from query.missing import not_found
from query.services import QueryServices
from runtime.http import Problem
from schemas.kinds import Kind
from timeline.entry_query import read_entries
from timeline.parameters import NAME, UUID, Parameters
from timeline.scope import Scope


def record_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/records/{kind}/{id}", services, _record)]


async def _record(services: QueryServices, request: Request, scope: Scope) -> Any:
    given = Parameters(request.query_params.multi_items(), ("workspace",))
    given.one("workspace")
    workspace = next(iter(given.texts("workspace", NAME)), None)
    kind = request.path_params["kind"]
    try:
        id_ = UUID.validate_python(request.path_params["id"])
    except ValidationError as error:
        raise _not_found() from error
    if kind not in Kind._value2member_map_:
        raise _not_found()
    rows = await read_entries(services.store, scope, kind, id_, workspace)
    if not rows:
        raise _not_found()
    if len(rows) > 1:
        raise Problem(
            "conflict",
            status=409,
            title="The id is not unique",
            detail="this id lives in several workspaces; say which: `?workspace=`",
            members={"workspaces": [row["workspace"] for row in rows]},
        )
    return (await entries_json(services, scope, rows, services.moment()))[0]


def _not_found() -> Problem:
    return not_found("there is no such record")
