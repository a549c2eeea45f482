"""GET and POST /v1/principals: the people and service accounts of the key's own organization."""

from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from control.principals import RegisteredPrincipal, create_principal, list_principals
from control.roles import Role
from query.body_fields import BodyFields
from query.json_body import read_json_object
from query.management import (
    PAGE_PARAMETERS,
    ItemJson,
    NamedList,
    change,
    created,
    managing_route,
    read,
)
from query.services import QueryServices
from schemas.kinds import ActorKind
from schemas.times import format_us, to_datetime, to_us
from timeline.parameters import TEXT, Parameters
from timeline.scope import Scope

PRINCIPAL_FILTERS: Final = PAGE_PARAMETERS
_PATH: Final = "/v1/principals"
_LIST: Final = NamedList("principal", "name", TEXT)


def principal_routes(services: QueryServices) -> list[Route]:
    return [
        managing_route(_PATH, services, _list, role=Role.ADMIN),
        managing_route(_PATH, services, _create, role=Role.ADMIN, method="POST"),
    ]


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    page = _LIST.page(Parameters(request.query_params.multi_items(), PRINCIPAL_FILTERS))
    found = await read(
        services.control,
        lambda connection: list_principals(connection, scope.organization, page),
    )
    return _LIST.json(page, [_principal_json(each) for each in found])


async def _create(services: QueryServices, request: Request, scope: Scope) -> Any:
    Parameters(request.query_params.multi_items(), ())
    fields = BodyFields(await read_json_object(request), ("name", "kind"))
    name, kind = fields.text("name"), ActorKind(fields.choice("kind", ActorKind))
    now = to_datetime(services.wall_clock())
    principal = await change(
        services.control,
        lambda connection: create_principal(
            connection, organization=scope.organization, name=name, kind=kind, now=now
        ),
    )
    return created(_principal_json(principal))


def _principal_json(principal: RegisteredPrincipal) -> ItemJson:
    return {
        "name": principal.name,
        "kind": principal.kind.value,
        "created_at": format_us(to_us(principal.created_at)),
    }
