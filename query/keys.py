"""GET and POST /v1/keys, GET and DELETE /v1/keys/{key_id}: the keys of the key's own organization.

Must stay true:
- The text of a key is in the one answer that made it, and nowhere else.
- Nobody grants `operator` who does not have it: it reaches beyond the organization.
"""

import re
import secrets
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import StringConstraints, TypeAdapter
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.routing import Route

from control.authenticator import Principal
from control.errors import LastAdminKeyError, NotFoundError
from control.keys import (
    CreatedKey,
    Key,
    KeyFilter,
    NewKey,
    create_key,
    get_key,
    list_keys,
    revoke_key,
)
from control.roles import Role
from query.access import principal_of
from query.body_fields import BodyFields
from query.json_body import JsonObject, read_json_object
from query.management import (
    PAGE_PARAMETERS,
    ItemJson,
    NamedList,
    change,
    created,
    managing_route,
    read,
)
from query.missing import not_found
from query.services import QueryServices
from runtime.errors import RefusedError
from runtime.http import Problem, forbidden
from schemas.times import format_us, to_datetime, to_us
from timeline.parameters import Parameters
from timeline.scope import Scope

KEY_FILTERS: Final = ("principal", "active", *PAGE_PARAMETERS)
REVOCATION_PARAMETERS: Final = ("force",)
KEY_ID_PATTERN: Final = "^key-[0-9a-f]{12}$"

_PATH: Final = "/v1/keys"
_KEY_PATH: Final = f"{_PATH}/{{key_id}}"
_FIELDS: Final = ("principal", "name", "roles", "workspaces", "expires_at")
_KEY_ID: Final = re.compile(KEY_ID_PATTERN, re.ASCII)
_LIST: Final = NamedList(
    "key",
    "key_id",
    TypeAdapter(Annotated[str, StringConstraints(strict=True, pattern=KEY_ID_PATTERN)]),
)


def key_routes(services: QueryServices) -> list[Route]:
    return [
        managing_route(_PATH, services, _list, role=Role.ADMIN),
        managing_route(_PATH, services, _create, role=Role.ADMIN, method="POST"),
        managing_route(_KEY_PATH, services, _one, role=Role.ADMIN),
        managing_route(_KEY_PATH, services, _revoke, role=Role.ADMIN, method="DELETE"),
    ]


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    now = _now(services)
    parameters = Parameters(request.query_params.multi_items(), KEY_FILTERS)
    page = _LIST.page(parameters)
    is_active = parameters.boolean("active")
    only = KeyFilter(
        principals=parameters.texts("principal"),
        good_at=now if is_active is True else None,
        not_good_at=now if is_active is False else None,
    )
    found = await read(
        services.control,
        lambda connection: list_keys(connection, scope.organization, page, only),
    )
    return _LIST.json(page, [_key_json(key, now) for key in found])


async def _create(services: QueryServices, request: Request, scope: Scope) -> Any:
    Parameters(request.query_params.multi_items(), ())
    wanted = parse_new_key(await read_json_object(request), organization=scope.organization)
    _check_grant(wanted, principal_of(request))
    now = _now(services)

    def make(connection: Connection) -> CreatedKey:
        return create_key(
            connection,
            wanted,
            pepper=services.control.installation().pepper,
            random_bytes=secrets.token_bytes,
            now=now,
        )

    try:
        made = await change(services.control, make)
    except NotFoundError as error:
        raise RefusedError(
            f"{error} Make it first: POST /v1/principals, or `opstrail principals create`.",
            code="unknown_principal",
            field="principal",
        ) from error
    return created({**_key_json(made.key, now), "key": made.text})


async def _one(services: QueryServices, request: Request, scope: Scope) -> Any:
    Parameters(request.query_params.multi_items(), ())
    key_id = _key_id(request)
    try:
        key = await read(
            services.control,
            lambda connection: get_key(connection, organization=scope.organization, key_id=key_id),
        )
    except NotFoundError as error:
        raise _missing() from error
    return _key_json(key, _now(services))


async def _revoke(services: QueryServices, request: Request, scope: Scope) -> Any:
    parameters = Parameters(request.query_params.multi_items(), REVOCATION_PARAMETERS)
    is_forced = parameters.boolean("force") is True
    key_id = _key_id(request)
    now = _now(services)
    try:
        key = await change(
            services.control,
            lambda connection: revoke_key(
                connection,
                organization=scope.organization,
                key_id=key_id,
                now=now,
                spares_last_admin=not is_forced,
            ),
        )
    except NotFoundError as error:
        raise _missing() from error
    except LastAdminKeyError as error:
        raise last_admin_key(error) from error
    return _key_json(key, now)


def parse_new_key(body: JsonObject, *, organization: str) -> NewKey:
    """What its texts may hold is checked where keys are kept. Raises RefusedError."""
    fields = BodyFields(body, _FIELDS)
    return NewKey(
        organization=organization,
        principal=fields.text("principal"),
        name=fields.text("name"),
        roles=frozenset(map(Role, fields.choices("roles", Role))),
        workspace_patterns=fields.optional_texts("workspaces"),
        expires_at=fields.optional_time("expires_at"),
    )


def last_admin_key(error: LastAdminKeyError) -> Problem:
    """409."""
    return Problem(
        error.code,
        status=409,
        title="Without this key nobody could manage keys",
        detail=f"{error} Make another one first, or revoke it all the same with ?force=true; a new"
        " one is then to be had only beside the server: opstrail keys create --offline.",
    )


def _check_grant(wanted: NewKey, principal: Principal) -> None:
    """Raises the 403 problem."""
    if Role.OPERATOR in wanted.roles and Role.OPERATOR not in principal.roles:
        raise forbidden("Only a key with the role `operator` can grant the role `operator`.")


def _key_id(request: Request) -> str:
    """Raises the 404 problem: what is no key's id, such as a key."""
    key_id: str = request.path_params["key_id"]
    if _KEY_ID.fullmatch(key_id) is None:
        raise _missing()
    return key_id


def _missing() -> Problem:
    return not_found("there is no such key")


def _now(services: QueryServices) -> datetime:
    return to_datetime(services.wall_clock())


def _key_json(key: Key, now: datetime) -> ItemJson:
    patterns = key.workspace_patterns
    return {
        "key_id": key.key_id,
        "principal": key.principal,
        "principal_kind": key.principal_kind.value,
        "name": key.name,
        "roles": sorted(role.value for role in key.roles),
        "workspaces": None if patterns is None else list(patterns),
        "active": key.is_good_at(now),
        "created_at": format_us(to_us(key.created_at)),
        "last_used_on": None if key.last_used_on is None else key.last_used_on.isoformat(),
        "expires_at": _time(key.expires_at),
        "revoked_at": _time(key.revoked_at),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_us(to_us(moment))
