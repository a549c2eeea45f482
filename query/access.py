"""Who reads, and what they may see."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control.authenticator import Principal
from control.errors import NotAuthenticatedError
from control.roles import Role
from query.services import QueryServices
from runtime.http import bearer_token, forbidden, unauthenticated
from timeline.scope import Scope

Reading: TypeAlias = Callable[[QueryServices, Request, Scope], Awaitable[Any]]

JSON_MEDIA_TYPE: Final = "application/json"


def reading_route(
    path: str,
    services: QueryServices,
    answer: Reading,
    *,
    role: Role = Role.READ,
    method: str = "GET",
) -> Route:
    """An address for keys with this role; `answer` returns the JSON body, or a whole response.

    Who asks is `principal_of(request)`.
    """

    async def endpoint(request: Request) -> Response:
        principal = await _principal(services, request)
        require_role(principal, role)
        request.state.principal = principal
        scope = Scope(principal.organization, principal.workspace_patterns)
        result = await answer(services, request, scope)
        return result if isinstance(result, Response) else json_response(result)

    return Route(path, endpoint, methods=[method], name=f"{method} {path}")


def principal_of(request: Request) -> Principal:
    """Who asks, inside an `answer`."""
    principal: Principal = request.state.principal
    return principal


def require_role(principal: Principal, role: Role) -> None:
    """Raises the 403 problem that names the role."""
    if role not in principal.roles:
        raise forbidden(f"The key lacks the role `{role}`.")


def json_response(body: Any) -> Response:
    return Response(msgspec.json.encode(body), media_type=JSON_MEDIA_TYPE)


async def _principal(services: QueryServices, request: Request) -> Principal:
    """Raises the 401 problem, and ControlUnavailableError."""
    token = bearer_token(request)
    try:
        return await services.authenticator.authenticate(token)
    except NotAuthenticatedError as error:
        raise unauthenticated() from error
