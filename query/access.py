"""Who reads, and what they may see."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control.errors import NotAuthenticatedError
from control.roles import Role
from query.services import QueryServices
from runtime.http import bearer_token, forbidden, unauthenticated
from timeline.scope import Scope

Reading: TypeAlias = Callable[[QueryServices, Request, Scope], Awaitable[Any]]

JSON_MEDIA_TYPE: Final = "application/json"


def reading_route(path: str, services: QueryServices, answer: Reading) -> Route:
    """A GET for whoever may read; `answer` returns what becomes the JSON body."""

    async def endpoint(request: Request) -> Response:
        scope = await _scope_of(services, request)
        return json_response(await answer(services, request, scope))

    return Route(path, endpoint, methods=["GET"], name=path)


def json_response(body: Any) -> Response:
    return Response(msgspec.json.encode(body), media_type=JSON_MEDIA_TYPE)


async def _scope_of(services: QueryServices, request: Request) -> Scope:
    """Raises the 401 and the 403 problem, and ControlUnavailableError."""
    token = bearer_token(request)
    try:
        principal = await services.authenticator.authenticate(token)
    except NotAuthenticatedError as error:
        raise unauthenticated() from error
    if Role.READ not in principal.roles:
        raise forbidden("The key lacks the role `read`.")
    return Scope(principal.organization, principal.workspace_patterns)
