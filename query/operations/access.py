"""Organizations, principals and keys: who may do what."""

from collections.abc import Mapping
from typing import Any, Final

from control.roles import Role
from control.workspace_patterns import PATTERNS_MAX
from query.keys import KEY_FILTERS, KEY_ID_PATTERN, REVOCATION_PARAMETERS
from query.operations.answers import (
    BAD_PARAMETER,
    BOOLEAN,
    STRING,
    UTC_TIME,
    missing,
    ok,
    with_body,
)
from query.operations.parameters import parameters, path_parameter
from query.operations.register import LINE
from query.organizations import ORGANIZATION_FILTERS
from query.principals import PRINCIPAL_FILTERS
from runtime.operation import (
    Answer,
    Body,
    JsonSchema,
    Operation,
    Parameter,
    array_of,
    enum_of,
    json_content,
    object_of,
    or_null,
    ref,
)
from runtime.problem_answer import problem_answer, unavailable_answer
from schemas.kinds import ActorKind
from schemas.limits import NAME_CHARACTERS_MAX
from timeline.parameters import VALUES_MAX

_CREATED_AT: Final = "2026-03-19T13:58:41.000000Z"
_KEY_ID_EXAMPLE: Final = "key-3f9a1c0e77b2"
_ORGANIZATION: Final[dict[str, Any]] = {"name": "acme", "created_at": _CREATED_AT}
_PRINCIPAL: Final[dict[str, Any]] = {"name": "ci", "kind": "service"}
_NEW_KEY: Final[dict[str, Any]] = {
    "principal": "ci",
    "name": "deploys of team A",
    "roles": ["submit"],
    "workspaces": ["team-a-*"],
    "expires_at": "2027-03-19T00:00:00.000000Z",
}
_KEY: Final[dict[str, Any]] = {
    "key_id": _KEY_ID_EXAMPLE,
    "principal_kind": "service",
    **_NEW_KEY,
    "active": True,
    "created_at": _CREATED_AT,
    "last_used_on": "2026-03-24",
    "revoked_at": None,
}
# Not even shaped like a key: nobody may take it for a leak.
_TEXT_EXAMPLE: Final = "opstrail_..."

_KEY_ID: Final[JsonSchema] = {"type": "string", "pattern": KEY_ID_PATTERN}
_KEY_TEXT: Final[JsonSchema] = {
    "type": "string",
    "description": "The key itself: in this answer and never again.",
}
_PRINCIPAL_NAME: Final[JsonSchema] = {**LINE, "maxLength": NAME_CHARACTERS_MAX}
_ROLES: Final = array_of(enum_of(list(Role)), minItems=1)
_PATTERNS: Final = or_null(
    array_of(
        {
            "type": "string",
            "pattern": rf"^[A-Za-z0-9_][A-Za-z0-9._-]{{0,{NAME_CHARACTERS_MAX - 1}}}\*?$",
        },
        minItems=1,
        maxItems=PATTERNS_MAX,
    )
)
_STORED_KEY: Final[Mapping[str, JsonSchema]] = {
    "key_id": _KEY_ID,
    "principal": STRING,
    "principal_kind": enum_of(list(ActorKind)),
    "name": STRING,
    "roles": array_of(enum_of(list(Role))),
    "workspaces": {
        **_PATTERNS,
        "description": "Exact names, or `prefix*`; null: every workspace.",
    },
    "active": {**BOOLEAN, "description": "Neither revoked nor expired."},
    "created_at": UTC_TIME,
    "last_used_on": {
        "type": ["string", "null"],
        "format": "date",
        "description": "The day, in UTC; null: never.",
    },
    "expires_at": or_null(UTC_TIME),
    "revoked_at": or_null(UTC_TIME),
}


def _page_schema(item: JsonSchema) -> JsonSchema:
    return object_of({"items": array_of(item), "next_cursor": ref("NextCursor")})


def _page_example(item: Any) -> dict[str, Any]:
    return {"items": [item], "next_cursor": None}


ACCESS_SCHEMAS: Final = {
    "Organization": object_of({"name": STRING, "created_at": UTC_TIME}),
    "OrganizationPage": _page_schema(ref("Organization")),
    "NewOrganization": object_of({"name": ref("Name")}),
    "CreatedOrganization": object_of(
        {
            "name": STRING,
            "created_at": UTC_TIME,
            "admin": object_of(
                {"principal": STRING, "key_id": _KEY_ID, "key": _KEY_TEXT},
                description="The organization's first key: with it, its people make all others.",
            ),
        }
    ),
    "Principal": object_of(
        {"name": STRING, "kind": enum_of(list(ActorKind)), "created_at": UTC_TIME},
        description="A person or a service account; its name is the `actor` of what its keys send.",
    ),
    "PrincipalPage": _page_schema(ref("Principal")),
    "NewPrincipal": object_of({"name": _PRINCIPAL_NAME, "kind": enum_of(list(ActorKind))}),
    "Key": object_of(_STORED_KEY, description="All but the key itself."),
    "KeyPage": _page_schema(ref("Key")),
    "NewKey": object_of(
        {
            "principal": _PRINCIPAL_NAME,
            "name": LINE,
            "roles": _ROLES,
            "workspaces": _PATTERNS,
            "expires_at": or_null(ref("Time")),
        },
        optional=["workspaces", "expires_at"],
        description="`workspaces` absent or null: every workspace; `expires_at`: never.",
    ),
    "CreatedKey": object_of({**_STORED_KEY, "key": _KEY_TEXT}),
}

_FORBIDDEN: Final = problem_answer(
    "The key lacks the role this takes, or is narrowed to workspaces (`forbidden`)."
)
_FORBIDDEN_GRANT: Final = problem_answer(
    "The key lacks the role this takes, is narrowed to workspaces, or would grant `operator`"
    " without having it (`forbidden`)."
)
_UNAVAILABLE: Final = unavailable_answer(
    "The control database (`unavailable`) or the access log (`access_log_unavailable`) does not"
    " answer."
)
_UNAVAILABLE_CHANGE: Final = unavailable_answer(
    "The control database (`unavailable`) or the access log (`access_log_unavailable`) does not"
    " answer; whether the change was made shows in the list."
)
_NAME_TAKEN: Final = problem_answer("There is one of this name (`already_exists`).")
_BAD_BODY: Final = (
    "The body is not JSON (`not_json`), no object (`not_an_object`), lacks a field"
    " (`missing_field`), has one there is not (`unknown_field`), or a field holds what it may not"
    " (`wrong_type`, `bad_value`, `looks_like_secret`)."
)


def _reading(answer: Answer) -> dict[int, Answer]:
    return {200: answer, 400: BAD_PARAMETER, 403: _FORBIDDEN, 503: _UNAVAILABLE}


def _creating(answer: Answer) -> dict[int, Answer]:
    answers = {201: answer, 403: _FORBIDDEN, 409: _NAME_TAKEN, 503: _UNAVAILABLE_CHANGE}
    return with_body(answers, _BAD_BODY)


def _body(name: str, **examples: Any) -> Body:
    return Body(description="What to make.", content=json_content(ref(name), **examples))


_KEY_ADDRESS: Final = path_parameter("key_id", STRING, "Its id.", _KEY_ID_EXAMPLE)
_KEY_PARAMETERS: Final = parameters(
    KEY_FILTERS,
    [
        Parameter(
            name="principal",
            schema=array_of(ref("Text"), maxItems=VALUES_MAX),
            description="Of this principal. Repeatable: any of them.",
            is_repeatable=True,
        ),
        Parameter(
            name="active",
            schema=BOOLEAN,
            description="Only those neither revoked nor expired; false: only the others.",
        ),
    ],
)
_FORCE: Final = Parameter(
    name="force",
    schema={**BOOLEAN, "default": False},
    description="Also when nobody could manage keys without it.",
)

ACCESS_OPERATIONS: Final = (
    Operation(
        id="listOrganizations",
        method="GET",
        path="/v1/organizations",
        tag="Access",
        summary="List organizations",
        description="Sorted by name.",
        role=Role.OPERATOR,
        parameters=parameters(ORGANIZATION_FILTERS),
        answers=_reading(ok("A page.", ref("OrganizationPage"), acme=_page_example(_ORGANIZATION))),
    ),
    Operation(
        id="createOrganization",
        method="POST",
        path="/v1/organizations",
        tag="Access",
        summary="Make an organization",
        description="With a service account `admin` and its first key.",
        role=Role.OPERATOR,
        body=_body("NewOrganization", acme={"name": "acme"}),
        answers=_creating(
            ok(
                "The organization, and the key to it.",
                ref("CreatedOrganization"),
                acme={
                    **_ORGANIZATION,
                    "admin": {
                        "principal": "admin",
                        "key_id": _KEY_ID_EXAMPLE,
                        "key": _TEXT_EXAMPLE,
                    },
                },
            )
        ),
    ),
    Operation(
        id="listPrincipals",
        method="GET",
        path="/v1/principals",
        tag="Access",
        summary="List people and service accounts",
        description="Sorted by name.",
        role=Role.ADMIN,
        parameters=parameters(PRINCIPAL_FILTERS),
        answers=_reading(
            ok(
                "A page.",
                ref("PrincipalPage"),
                ci=_page_example({**_PRINCIPAL, "created_at": _CREATED_AT}),
            )
        ),
    ),
    Operation(
        id="createPrincipal",
        method="POST",
        path="/v1/principals",
        tag="Access",
        summary="Make a person or a service account",
        description="It can do nothing until it gets a key.",
        role=Role.ADMIN,
        body=_body("NewPrincipal", ci=_PRINCIPAL),
        answers=_creating(
            ok("It.", ref("Principal"), ci={**_PRINCIPAL, "created_at": _CREATED_AT})
        ),
    ),
    Operation(
        id="listKeys",
        method="GET",
        path="/v1/keys",
        tag="Access",
        summary="List keys",
        description="Sorted by id; revoked and expired ones too.",
        role=Role.ADMIN,
        parameters=_KEY_PARAMETERS,
        answers=_reading(ok("A page.", ref("KeyPage"), ci=_page_example(_KEY))),
    ),
    Operation(
        id="createKey",
        method="POST",
        path="/v1/keys",
        tag="Access",
        summary="Make a key",
        description="Not safe to repeat: each makes another key.",
        role=Role.ADMIN,
        body=_body("NewKey", ci=_NEW_KEY),
        answers=with_body(
            {
                201: ok(
                    "The key, and its text.",
                    ref("CreatedKey"),
                    ci={**_KEY, "last_used_on": None, "key": _TEXT_EXAMPLE},
                ),
                403: _FORBIDDEN_GRANT,
                503: _UNAVAILABLE_CHANGE,
            },
            f"{_BAD_BODY} Or there is no such principal (`unknown_principal`).",
        ),
    ),
    Operation(
        id="getKey",
        method="GET",
        path="/v1/keys/{key_id}",
        tag="Access",
        summary="One key",
        description="All but its text.",
        role=Role.ADMIN,
        parameters=(_KEY_ADDRESS,),
        answers={**_reading(ok("The key.", ref("Key"), ci=_KEY)), 404: missing("key")},
    ),
    Operation(
        id="revokeKey",
        method="DELETE",
        path="/v1/keys/{key_id}",
        tag="Access",
        summary="Revoke a key",
        description="For good: every process refuses it 10 s later at the latest. Again changes"
        " nothing.",
        role=Role.ADMIN,
        parameters=(_KEY_ADDRESS, *parameters(REVOCATION_PARAMETERS, [_FORCE])),
        answers={
            200: ok(
                "The key as it now is.",
                ref("Key"),
                ci={**_KEY, "active": False, "revoked_at": "2026-03-25T09:30:00.000000Z"},
            ),
            400: BAD_PARAMETER,
            403: _FORBIDDEN,
            404: missing("key"),
            409: problem_answer(
                "It is the last good admin key of the organization (`last_admin_key`)."
            ),
            503: _UNAVAILABLE_CHANGE,
        },
    ),
)
