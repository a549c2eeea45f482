"""The register of CLI instances and the gaps in what they sent, the workspaces, and positions."""

from typing import Any, Final

from control.roles import Role
from control.workspaces import DEPLOY_ACTIONS_MAX, LABELS_MAX
from query.operations.answers import (
    BOOLEAN,
    NOT_ACCEPTABLE,
    STRING,
    STRING_OR_NULL,
    UTC_TIME,
    exportable,
    missing,
    ok,
    page_example,
    page_schema,
    reading,
    with_body,
)
from query.operations.parameters import EXPORT_FORMAT, parameters, path_parameter, period
from query.positions import WAIT_S_MAX
from runtime.operation import (
    Body,
    JsonSchema,
    Operation,
    Parameter,
    array_of,
    json_content,
    object_of,
    or_null,
    ref,
)
from schemas.limits import STRING_CHARACTERS_MAX
from timeline.gap_list_query import GAP_FILTERS
from timeline.instance_query import INSTANCE_FILTERS
from timeline.workspace_query import WORKSPACE_FILTERS

_INSTANCE: Final[dict[str, Any]] = {
    "id": "cli-8f3891b2",
    "cli_version": "0.8.4",
    "os": "linux",
    "arch": "amd64",
    "hostname": "alice-laptop",
    "first_seen": "2026-03-22T09:00:00.000000Z",
    "last_seen": "2026-03-24T10:27:45.000000Z",
    "actors": ["alice"],
    "versions": [
        {
            "version": "0.8.4",
            "first_seen": "2026-03-24T09:58:20.000000Z",
            "last_seen": "2026-03-24T10:27:45.000000Z",
        }
    ],
}
_GAP: Final[dict[str, Any]] = {
    "cli_instance_id": _INSTANCE["id"],
    "first_missing": 41,
    "last_missing": 43,
    "missing": 3,
    "from": "2026-03-24T10:07:42.000000Z",
    "to": "2026-03-24T10:27:45.000000Z",
}
_LABEL: Final[dict[str, Any]] = {
    "environment": "production",
    "labels": {"team": "platform"},
    "deploy_actions": ["deploy"],
}
_WORKSPACE: Final[dict[str, Any]] = {
    "name": "acme-prod",
    **_LABEL,
    "registered_at": "2026-03-19T13:58:41.000000Z",
    "updated_at": "2026-03-19T15:00:00.000000Z",
}
# As `control/names.py` has it: one line for people, with no white space at either end.
LINE: Final[JsonSchema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": STRING_CHARACTERS_MAX,
    "pattern": r"^[^\s\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]"
    r"([^\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]*"
    r"[^\s\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069])?$",
}

REGISTER_SCHEMAS: Final = {
    "CliInstance": object_of(
        {
            "id": STRING,
            "cli_version": STRING_OR_NULL,
            "os": STRING_OR_NULL,
            "arch": STRING_OR_NULL,
            "hostname": STRING_OR_NULL,
            "first_seen": UTC_TIME,
            "last_seen": UTC_TIME,
            "actors": array_of(STRING, uniqueItems=True),
            "versions": array_of(
                object_of({"version": STRING, "first_seen": UTC_TIME, "last_seen": UTC_TIME})
            ),
        },
        description="An installed command line, as it was last seen.",
    ),
    "CliInstancePage": page_schema(ref("CliInstance")),
    "GapPage": page_schema(ref("Gap")),
    "Workspace": object_of(
        {
            "name": STRING,
            "environment": STRING_OR_NULL,
            "labels": {"type": "object", "additionalProperties": STRING},
            "deploy_actions": or_null(array_of(STRING)),
            "registered_at": or_null(UTC_TIME),
            "updated_at": or_null(UTC_TIME),
        },
        description="`registered_at`: of its first event; `updated_at`: of what was said about it.",
    ),
    "WorkspacePage": page_schema(ref("Workspace")),
    "WorkspaceLabel": object_of(
        {
            "environment": or_null(LINE),
            "labels": or_null(
                {
                    "type": "object",
                    "additionalProperties": LINE,
                    "propertyNames": LINE,
                    "maxProperties": LABELS_MAX,
                }
            ),
            "deploy_actions": {
                **or_null(array_of(LINE, maxItems=DEPLOY_ACTIONS_MAX)),
                "description": "Which actions count as deployments here; null: those of the"
                " installation, empty: none.",
            },
        },
        optional=["environment", "labels", "deploy_actions"],
        description="Replaces all that was said before. What is absent or null is not said.",
    ),
    "Position": object_of({"visible": BOOLEAN}),
}

_NAME: Final = path_parameter("name", ref("Name"), "The workspace's name.", "acme-prod")
_NO_WORKSPACE: Final = missing("workspace")

REGISTER_OPERATIONS: Final = (
    Operation(
        id="listCliInstances",
        method="GET",
        path="/v1/cli-instances",
        tag="Command lines",
        summary="List installed command lines",
        description="Sorted by id.",
        role=Role.READ,
        parameters=(*parameters(INSTANCE_FILTERS), EXPORT_FORMAT),
        answers=reading(
            exportable(
                ok(
                    "A page of the register.",
                    ref("CliInstancePage"),
                    laptop=page_example(_INSTANCE),
                )
            ),
            status_406=NOT_ACCEPTABLE,
        ),
    ),
    Operation(
        id="getCliInstance",
        method="GET",
        path="/v1/cli-instances/{id}",
        tag="Command lines",
        summary="One installed command line",
        description="With its versions over time.",
        role=Role.READ,
        parameters=(path_parameter("id", ref("CliInstanceId"), "Its id.", _INSTANCE["id"]),),
        answers=reading(
            ok("The CLI instance.", ref("CliInstance"), laptop=_INSTANCE),
            status_404=missing("CLI instance"),
        ),
    ),
    Operation(
        id="listGaps",
        method="GET",
        path="/v1/gaps",
        tag="Command lines",
        summary="List gaps in what command lines sent",
        description="Sorted by CLI instance and count. A gap stands between two events that"
        " arrived; `from` and `to` are their times. What arrives late closes it.",
        role=Role.READ,
        parameters=(
            *parameters(GAP_FILTERS, period("May have happened")),
            EXPORT_FORMAT,
        ),
        answers=reading(
            exportable(ok("A page of gaps.", ref("GapPage"), laptop=page_example(_GAP))),
            status_406=NOT_ACCEPTABLE,
        ),
    ),
    Operation(
        id="listWorkspaces",
        method="GET",
        path="/v1/workspaces",
        tag="Workspaces",
        summary="List workspaces",
        description="Sorted by name: those that have a record, and those that were labelled.",
        role=Role.READ,
        parameters=(*parameters(WORKSPACE_FILTERS), EXPORT_FORMAT),
        answers=reading(
            exportable(
                ok(
                    "A page of workspaces.",
                    ref("WorkspacePage"),
                    production=page_example(_WORKSPACE),
                )
            ),
            status_406=NOT_ACCEPTABLE,
        ),
    ),
    Operation(
        id="getWorkspace",
        method="GET",
        path="/v1/workspaces/{name}",
        tag="Workspaces",
        summary="One workspace",
        description="What is said about it.",
        role=Role.READ,
        parameters=(_NAME,),
        answers=reading(
            ok("The workspace.", ref("Workspace"), production=_WORKSPACE),
            status_404=_NO_WORKSPACE,
        ),
    ),
    Operation(
        id="putWorkspace",
        method="PUT",
        path="/v1/workspaces/{name}",
        tag="Workspaces",
        summary="Say what a workspace is",
        description="Its environment, labels and deploy actions; replaces what was said before.",
        role=Role.ADMIN,
        parameters=(_NAME,),
        body=Body(
            description="What is said.",
            content=json_content(ref("WorkspaceLabel"), production=_LABEL),
        ),
        answers=with_body(
            reading(
                ok("The workspace as it now is.", ref("Workspace"), production=_WORKSPACE),
                status_404=_NO_WORKSPACE,
            ),
            "The body is not JSON (`not_json`), no object (`not_an_object`), has a field there is"
            " not (`unknown_field`), or a field holds what it may not (`wrong_type`, `bad_value`,"
            " `looks_like_secret`).",
        ),
    ),
    Operation(
        id="getPosition",
        method="GET",
        path="/v1/positions/{position}",
        tag="Sending",
        summary="Is it on the timeline?",
        description="Whether the timeline and the register hold everything that a request changed.",
        role=Role.READ,
        parameters=(
            path_parameter(
                "position",
                {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
                "What POST /v1/events answered.",
                "wHq0bM7Y3ZqkQm1oT4m0yZGSAM0BSg",
            ),
            Parameter(
                name="wait_s",
                schema={"type": "number", "minimum": 0, "maximum": WAIT_S_MAX, "default": 0},
                description="How long to wait for it, in seconds; no exponent.",
                example=10,
            ),
        ),
        answers=reading(
            ok("Whether it is.", ref("Position"), visible={"visible": True}),
            status_404=missing("position"),
        ),
    ),
)
