"""Who reads, and what they may see."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control.authenticator import Principal
from control.errors import NotAuthenticatedError
from control.roles import Role
from query.access_record import Recorded, access_of
from query.one_generation import OneGeneration
from query.services import QueryServices
from runtime.client_address import client_address
from runtime.http import Problem, bearer_token, forbidden, unauthenticated
from schemas.access_event import AccessAction
from timeline.scope import Scope

Reading: TypeAlias = Callable[[QueryServices, Request, Scope], Awaitable[Any]]

JSON_MEDIA_TYPE: Final = "application/json"
_ONE_GENERATION: Final = Middleware(OneGeneration)


class KeyRoute(Route):
    """An address that takes a key with `role`, or with `or_role`; docs/access.md says the same."""

    role: Role
    or_role: Role | None


def reading_route(
    path: str,
    services: QueryServices,
    answer: Reading,
    *,
    role: Role = Role.READ,
    or_role: Role | None = None,
    method: str = "GET",
    action: AccessAction | None = None,
    is_audit_content: bool = True,
) -> KeyRoute:
    """An address for keys with this role; `answer` returns the JSON body, or a whole response.

    Who asks is `principal_of(request)`. Keys with `or_role` are let in as well; `answer` tells them
    apart. Each request is put on record (query/access_record.py): as `action`, or as the method
    says; of what is no audit content only refusals.
    """

    async def endpoint(request: Request) -> Response:
        access = access_of(request)
        principal = await _principal(services, request)
        access.by(principal)
        if or_role is None or or_role not in principal.roles:
            require_role(principal, role)
        request.state.principal = principal
        scope = Scope(principal.organization, principal.workspace_patterns)
        await access.changing()
        result = await answer(services, request, scope)
        access.answered(result)
        return result if isinstance(result, Response) else json_response(result)

    recorded = Middleware(
        Recorded,
        recorder=services.access,
        path=path,
        action=action,
        is_audit_content=is_audit_content,
    )
    route = KeyRoute(
        path,
        endpoint,
        methods=[method],
        name=f"{method} {path}",
        middleware=[recorded, _ONE_GENERATION],
    )
    route.role = role
    route.or_role = or_role
    return route


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
    """Raises the 401 or the 429 problem, and ControlUnavailableError."""
    try:
        token = bearer_token(request)
    except Problem:
        services.failed_authentications.count(None, client_address(request.scope))
        raise
    try:
        principal = await services.authenticator.authenticate(token)
    except NotAuthenticatedError as error:
        services.failed_authentications.count(error, client_address(request.scope))
        raise unauthenticated() from error
    services.rates.spend_request(principal.key_id)
    return principal
