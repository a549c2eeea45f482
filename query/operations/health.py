"""Health and metrics, which take no key."""

from typing import Final

from query.operations.answers import BOOLEAN, STRING, ok
from runtime.operation import Answer, Content, Operation, object_of, or_null, ref
from runtime.problem_answer import problem_schema, unavailable_answer

_TAG: Final = "Running it"
_DEPENDENCIES: Final = {
    "type": "object",
    "additionalProperties": object_of({"ok": BOOLEAN, "detail": STRING}),
    "description": "What this process needs, by name.",
}
_LAG_SECONDS: Final = {
    "type": "object",
    "additionalProperties": or_null({"type": "number"}),
    "description": "How far each stage is behind: `correlate`, of what waits to be correlated;"
    " `timeline`, of what readers see. null: not known. Says nothing about being ready.",
}

HEALTH_SCHEMAS: Final = {
    "Alive": object_of({"alive": {"type": "boolean", "enum": [True]}}),
    "Ready": object_of(
        {
            "ready": {"type": "boolean", "enum": [True]},
            "dependencies": _DEPENDENCIES,
            "lag_seconds": _LAG_SECONDS,
        }
    ),
    "NotReady": problem_schema(
        "A dependency is away.",
        {
            "ready": {"type": "boolean", "enum": [False]},
            "dependencies": _DEPENDENCIES,
            "lag_seconds": _LAG_SECONDS,
        },
    ),
}

HEALTH_OPERATIONS: Final = (
    Operation(
        id="isAlive",
        method="GET",
        path="/healthz",
        tag=_TAG,
        summary="Does the process answer?",
        description="Looks at nothing else.",
        role=None,
        answers={200: ok("It does.", ref("Alive"), alive={"alive": True})},
    ),
    Operation(
        id="isReady",
        method="GET",
        path="/readyz",
        tag=_TAG,
        summary="Does everything it needs answer?",
        description="Each dependency is named.",
        role=None,
        answers={
            200: ok(
                "All of them do.",
                ref("Ready"),
                ready={
                    "ready": True,
                    "dependencies": {"timeline": {"ok": True, "detail": "answers"}},
                    "lag_seconds": {"correlate": 0, "timeline": 0.9},
                },
            ),
            503: unavailable_answer(
                "Some do not (`unavailable`); `dependencies` says which.", schema=ref("NotReady")
            ),
        },
    ),
    Operation(
        id="getMetrics",
        method="GET",
        path="/metrics",
        tag=_TAG,
        summary="Metrics for Prometheus",
        description="In its text format.",
        role=None,
        answers={
            200: Answer(
                description="The metrics of this process.",
                content={"text/plain": Content(schema=STRING)},
            )
        },
    ),
)
