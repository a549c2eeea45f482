"""The summary, the deployments and SQL."""

from typing import Any, Final

from control.roles import Role
from query.operations.answers import (
    COUNT,
    NOT_ACCEPTABLE,
    STRING,
    STRING_OR_NULL,
    UTC_TIME,
    WATERMARK_EXAMPLE,
    exportable,
    ok,
    page_example,
    page_schema,
    reading,
    with_body,
)
from query.operations.parameters import EXPORT_FORMAT, parameters, period
from query.sql import PARAMETERS_MAX
from runtime.operation import (
    Body,
    JsonSchema,
    Operation,
    array_of,
    json_content,
    object_of,
    or_null,
    ref,
)
from timeline.deployment_filters import DEPLOYMENT_PARAMETERS
from timeline.sql_views import VIEWS
from timeline.summary_query import GROUP_KEYS, GROUPS_MAX, SUMMARY_PARAMETERS

_TAG: Final = "Analysis"
_MS: Final[JsonSchema] = {"type": ["number", "null"], "minimum": 0}
_COUNTS: Final = ("runs", "successful", "failed", "aborted", "running", "lost")
_SINGLE: Final = ["string", "number", "boolean", "null"]

_DEPLOYMENT: Final[dict[str, Any]] = {
    "run_id": "1d3d0e6b-52b5-4a8e-8f0b-6c2a7f1b0a02",
    "environment": "production",
    "workspace": "acme-prod",
    "block": "nginx",
    "block_name": "cargo.ayedo.cloud/ayedo/infra/nginx",
    "block_version": "0.3.1",
    "action": "deploy",
    "started_at": "2026-03-19T14:06:00.000000Z",
    "deployed_at": "2026-03-19T14:08:12.000000Z",
    "duration_ms": 132_000,
    "actor": "gitlab-runner",
    "hostname": "gitlab-runner-42",
    "commit": "5e1b90c",
}

ANALYSIS_SCHEMAS: Final = {
    "Summary": object_of(
        {
            "groups": array_of(
                object_of(
                    {
                        **dict.fromkeys(GROUP_KEYS, STRING_OR_NULL),
                        **dict.fromkeys(_COUNTS, COUNT),
                        "failure_share": {
                            "type": ["number", "null"],
                            "minimum": 0,
                            "maximum": 1,
                            "description": "Of the runs that ended; null: none did.",
                        },
                        "duration_ms": object_of({"mean": _MS, "p50": _MS, "p95": _MS}),
                    },
                    optional=GROUP_KEYS,
                    description="Holds the keys that were asked for.",
                ),
                maxItems=GROUPS_MAX,
            ),
            "watermark": ref("Watermark"),
        }
    ),
    "Deployment": object_of(
        {
            "run_id": STRING,
            "environment": STRING_OR_NULL,
            "workspace": STRING,
            "block": STRING_OR_NULL,
            "block_name": STRING_OR_NULL,
            "block_version": STRING_OR_NULL,
            "action": STRING,
            "started_at": UTC_TIME,
            "deployed_at": UTC_TIME,
            "duration_ms": or_null(COUNT),
            "actor": STRING,
            "hostname": STRING_OR_NULL,
            "commit": STRING_OR_NULL,
        },
        description="A successful run of a deploy action.",
    ),
    "DeploymentPage": page_schema(ref("Deployment")),
    "SqlRequest": object_of(
        {
            "query": {"type": "string", "minLength": 1, "description": "One SELECT."},
            "parameters": {
                "type": "object",
                "description": "Values of the query's placeholders, `{name:Type}`, by name.",
                "propertyNames": {"pattern": "^[a-z_][a-z0-9_]{0,63}$"},
                "additionalProperties": {"anyOf": [{"type": _SINGLE}, array_of({"type": _SINGLE})]},
                "maxProperties": PARAMETERS_MAX,
            },
        },
        optional=["parameters"],
    ),
    "SqlResult": object_of(
        {
            "columns": array_of(object_of({"name": STRING, "type": STRING})),
            "rows": array_of({"type": "array", "items": {}}),
            "truncated": {"type": "boolean", "description": "There were more rows."},
            "elapsed_ms": COUNT,
        }
    ),
    "SqlSchema": object_of(
        {
            "views": array_of(
                object_of(
                    {
                        "name": STRING,
                        "comment": STRING,
                        "columns": array_of(
                            object_of({"name": STRING, "type": STRING, "comment": STRING})
                        ),
                    }
                )
            )
        }
    ),
}

ANALYSIS_OPERATIONS: Final = (
    Operation(
        id="summarizeActionRuns",
        method="GET",
        path="/v1/action-runs/summary",
        tag=_TAG,
        summary="How runs went, by group",
        description="Counts by status, share of failures and durations. Times are grouped in UTC.",
        role=Role.READ,
        parameters=parameters(SUMMARY_PARAMETERS),
        answers=reading(
            ok(
                "The groups by their keys, ascending, what is not known last.",
                ref("Summary"),
                workspaces={
                    "groups": [
                        {
                            "workspace": "acme-prod",
                            "runs": 3,
                            "successful": 2,
                            "failed": 1,
                            "aborted": 0,
                            "running": 0,
                            "lost": 0,
                            "failure_share": 0.3333333333333333,
                            "duration_ms": {"mean": 102_000.0, "p50": 90_000, "p95": 132_000},
                        }
                    ],
                    "watermark": WATERMARK_EXAMPLE,
                },
            )
        ),
    ),
    Operation(
        id="listDeployments",
        method="GET",
        path="/v1/deployments",
        tag=_TAG,
        summary="Which version reached which environment when",
        description="Successful runs of deploy actions, by whom and how long they took.",
        role=Role.READ,
        parameters=(*parameters(DEPLOYMENT_PARAMETERS, period("Deployed")), EXPORT_FORMAT),
        answers=reading(
            exportable(
                ok(
                    "A page of deployments.",
                    ref("DeploymentPage"),
                    nginx=page_example(_DEPLOYMENT),
                )
            ),
            status_406=NOT_ACCEPTABLE,
        ),
    ),
    Operation(
        id="runSql",
        method="POST",
        path="/v1/sql",
        tag=_TAG,
        summary="Run a query",
        description="Read-only SQL over the views"
        f" {', '.join(f'`{view.name}`' for view in VIEWS)}, within limits on time, rows and"
        " memory.",
        role=Role.ANALYST,
        parameters=(EXPORT_FORMAT,),
        body=Body(
            description="The query, in the SQL of ClickHouse.",
            content=json_content(
                ref("SqlRequest"),
                count={
                    "query": "SELECT count() AS runs FROM action_runs"
                    " WHERE workspace = {workspace:String}",
                    "parameters": {"workspace": "acme-prod"},
                },
            ),
        ),
        answers=with_body(
            reading(
                exportable(
                    ok(
                        "The rows.",
                        ref("SqlResult"),
                        count={
                            "columns": [{"name": "runs", "type": "UInt64"}],
                            "rows": [[3]],
                            "truncated": False,
                            "elapsed_ms": 4,
                        },
                    )
                ),
                status_406=NOT_ACCEPTABLE,
            ),
            "The query is refused (`sql_refused`), the body is not JSON (`not_json`,"
            " `not_an_object`) or not of that shape (`bad_body`), or a parameter of the address is"
            " at fault (`unknown_parameter`, `bad_value`).",
        ),
    ),
    Operation(
        id="getSqlSchema",
        method="GET",
        path="/v1/sql/schema",
        tag=_TAG,
        summary="What SQL can be asked about",
        description="The views and their columns.",
        role=Role.READ,
        answers=reading(
            ok(
                "The views.",
                ref("SqlSchema"),
                links={
                    "views": [
                        {
                            "name": "links",
                            "comment": "Facts about two records",
                            "columns": [
                                {"name": "rule", "type": "String", "comment": "Which fact it is"}
                            ],
                        }
                    ]
                },
            )
        ),
    ),
)
