"""GET /v1/records/{kind}/{id}: one entry."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.lists import shown_entries
from query.record_address import read_addressed, record_address
from query.services import QueryServices
from timeline.scope import Scope


def record_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/records/{kind}/{id}", services, _record)]


async def _record(services: QueryServices, request: Request, scope: Scope) -> Any:
    entry = await read_addressed(services, scope, record_address(request))
    return (await shown_entries(services, scope, [entry], services.moment()))[0]
