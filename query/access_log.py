"""GET /v1/access-log: who used the audit trail, for those who answer for it.

Must stay true:
- An organization's administrators see their organization's alone; what is of no organization is
  for those who operate the installation.
- An access belongs to no workspace and may name any: a key that is narrowed sees none.
- Reading it is an access like any other: one event a request, and no more.
"""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from control.roles import Role
from query.access import principal_of, reading_route, require_role
from query.export_format import other_parameters
from query.item_columns import ACCESS_LOG
from query.item_export import ItemList, Pairs
from query.services import QueryServices
from runtime.http import forbidden
from timeline.access_query import AccessPage, parse_access_filters, read_access_log
from timeline.scope import Scope


def access_log_routes(services: QueryServices) -> list[Route]:
    path = "/v1/access-log"
    return [reading_route(path, services, _list, role=Role.ADMIN, or_role=Role.OPERATOR)]


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    principal = principal_of(request)
    is_installation = parse_access_filters(other_parameters(request)).is_installation
    require_role(principal, Role.OPERATOR if is_installation else Role.ADMIN)
    if scope.workspace_patterns is not None:
        raise forbidden("A key narrowed to workspaces cannot read the access log.")

    async def read(parameters: Pairs, limit: int | None) -> AccessPage:
        filters = parse_access_filters(parameters)
        filters = replace(filters, limit=limit or filters.limit)
        return await read_access_log(services.store, scope.organization, filters)

    return await ItemList("access-log", ACCESS_LOG, read, has_watermark=False).answer(
        services, request
    )
