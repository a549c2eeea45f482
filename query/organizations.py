"""GET and POST /v1/organizations: for those who operate the installation.

Whoever operates it can give a new organization its first key, and no key to one that is there.
"""

import secrets
from typing import Any, Final

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.routing import Route

from control.founding import found_organization
from control.keys import CreatedKey
from control.organizations import Organization, list_organizations
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
from schemas.times import format_us, to_datetime, to_us
from timeline.parameters import NAME, Parameters
from timeline.scope import Scope

ORGANIZATION_FILTERS: Final = PAGE_PARAMETERS
_PATH: Final = "/v1/organizations"
_LIST: Final = NamedList("organization", "name", NAME)


def organization_routes(services: QueryServices) -> list[Route]:
    return [
        managing_route(_PATH, services, _list, role=Role.OPERATOR),
        managing_route(_PATH, services, _create, role=Role.OPERATOR, method="POST"),
    ]


async def _list(services: QueryServices, request: Request, _scope: Scope) -> Any:
    page = _LIST.page(Parameters(request.query_params.multi_items(), ORGANIZATION_FILTERS))
    found = await read(services.control, lambda connection: list_organizations(connection, page))
    return _LIST.json(page, [_organization_json(each) for each in found])


async def _create(services: QueryServices, request: Request, _scope: Scope) -> Any:
    Parameters(request.query_params.multi_items(), ())
    name = BodyFields(await read_json_object(request), ("name",)).text("name")
    now = to_datetime(services.wall_clock())

    def found(connection: Connection) -> CreatedKey:
        return found_organization(
            connection,
            name,
            pepper=services.control.installation().pepper,
            random_bytes=secrets.token_bytes,
            now=now,
        )

    first = await change(services.control, found)
    return created(
        {
            **_organization_json(Organization(name=name, created_at=now)),
            "admin": {
                "principal": first.key.principal,
                "key_id": first.key.key_id,
                "key": first.text,
            },
        }
    )


def _organization_json(organization: Organization) -> ItemJson:
    return {
        "name": organization.name,
        "created_at": format_us(to_us(organization.created_at)),
    }
