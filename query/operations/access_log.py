"""The access log: who used the audit trail."""

from typing import Any, Final

from control.roles import Role
from query.operations.answers import (
    COUNT,
    NOT_ACCEPTABLE,
    STRING,
    STRING_OR_NULL,
    UTC_TIME,
    exportable,
    ok,
    reading,
)
from query.operations.parameters import EXPORT_FORMAT, parameters, period
from runtime.operation import Operation, Parameter, array_of, enum_of, object_of, or_null, ref
from schemas.access_event import AccessAction
from timeline.access_query import ACCESS_FILTERS
from timeline.parameters import VALUES_MAX

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "2b7f0c52-6a5e-4c0e-9f0b-0d8f3f0f7a11",
    "at": "2026-03-25T08:01:12.402113Z",
    "organization": "default",
    "actor": "alice",
    "actor_kind": "person",
    "key_id": "key-1f2e3d4c5b6a",
    "action": "read",
    "operation": "GET /v1/timeline",
    "target": {"query": {"host": ["server01"], "limit": ["50"]}},
    "status": 200,
    "rows": 12,
    "request_id": "9f86d081884c7d65",
    "client": "192.0.2.17",
    "count": 1,
}


def _repeatable(name: str, description: str) -> Parameter:
    return Parameter(
        name=name,
        schema=array_of(ref("Text"), maxItems=VALUES_MAX),
        description=f"{description} Repeatable: any of them.",
        is_repeatable=True,
    )


ACCESS_LOG_SCHEMAS: Final = {
    "Access": object_of(
        {
            "id": ref("Uuid"),
            "at": {**UTC_TIME, "description": "When the request arrived."},
            "organization": {**STRING_OR_NULL, "description": "Null: of the installation."},
            "actor": STRING_OR_NULL,
            "actor_kind": STRING_OR_NULL,
            "key_id": STRING_OR_NULL,
            "action": {
                **STRING,
                "description": f"One of {', '.join(AccessAction)}; a newer version may have more.",
            },
            "operation": {
                **STRING_OR_NULL,
                "description": "Method and template of the path, such as `GET /v1/timeline`.",
            },
            "target": {
                "type": "object",
                "description": "What was asked for: `path` and `query` parameters, `sql` with its"
                " `parameters`, what a change `changed`, the `reason` of a failure. What looks like"
                " a secret is left out; `cut` when it was too long to keep.",
            },
            "status": {
                **or_null({"type": "integer", "minimum": 100, "maximum": 599}),
                "description": "Of the HTTP answer; null: a change whose end is not on record.",
            },
            "rows": {
                **or_null(COUNT),
                "description": "Items or rows given out; null: none to count, or not known.",
            },
            "request_id": STRING_OR_NULL,
            "client": {**STRING_OR_NULL, "description": "Address the request came from."},
            "count": {
                **COUNT,
                "description": "1; of failed authentications how many were tried in a minute.",
            },
        },
        description="Somebody used the audit trail, or was refused.",
    ),
    "AccessPage": object_of({"items": array_of(ref("Access")), "next_cursor": ref("NextCursor")}),
}

ACCESS_LOG_OPERATIONS: Final = (
    Operation(
        id="listAccesses",
        method="GET",
        path="/v1/access-log",
        tag="Administration",
        summary="List who used the audit trail",
        description="The newest first; what was asked a second ago may be missing yet. Of the"
        " organization's administrators, with a key that is not narrowed to workspaces."
        " `installation=true` lists what belongs to no organization instead, failed authentications"
        " above all, and takes the role `operator`.",
        role=Role.ADMIN,
        parameters=(
            *parameters(
                ACCESS_FILTERS,
                [
                    *period("Happened"),
                    _repeatable("key_id", "With this key."),
                    Parameter(
                        name="action",
                        schema=array_of(enum_of(list(AccessAction)), maxItems=VALUES_MAX),
                        description="Of this kind. Repeatable: any of them.",
                        is_repeatable=True,
                    ),
                    _repeatable("operation", "Of this operation, as `operation` names it."),
                    Parameter(
                        name="installation",
                        schema={"type": "boolean"},
                        description="What belongs to no organization.",
                    ),
                ],
            ),
            EXPORT_FORMAT,
        ),
        answers=reading(
            exportable(
                ok(
                    "A page of the access log.",
                    ref("AccessPage"),
                    reading={"items": [_EXAMPLE], "next_cursor": None},
                )
            ),
            status_406=NOT_ACCEPTABLE,
        ),
    ),
)
