"""What `POST /v1/events` takes and answers, for the API's document."""

from collections.abc import Mapping
from typing import Any, Final

from control.roles import Role
from ingest.app import EVENTS_PATH
from ingest.media_type import MediaType
from ingest.preferences import APPLIED_LENIENT
from ingest.problems import all_events_refused
from runtime.operation import (
    Answer,
    Body,
    Content,
    Header,
    JsonSchema,
    Operation,
    Parameter,
    array_of,
    enum_of,
    json_content,
    object_of,
    ref,
)
from runtime.problem_answer import problem_answer, problem_schema, unavailable_answer
from schemas.limits import BODY_BYTES_MAX, EVENT_BYTES_MAX, EVENTS_PER_REQUEST_MAX, KIB, MIB
from schemas.rejections import RejectionCode

_INDEX: Final[JsonSchema] = {
    "type": "integer",
    "minimum": 0,
    "maximum": EVENTS_PER_REQUEST_MAX - 1,
    "description": "Which event of the request, from 0; of NDJSON, which line that is not blank.",
}
_REJECTED: Final = array_of(ref("Rejection"), maxItems=EVENTS_PER_REQUEST_MAX)

INGEST_SCHEMAS: Final[Mapping[str, JsonSchema]] = {
    "Rejection": object_of(
        {
            "index": _INDEX,
            "id": {
                "type": "string",
                "description": "The event's, when it is well-formed.",
                "pattern": "^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
                "|cli-[0-9a-f]{8,32})$",
            },
            "code": enum_of(list(RejectionCode)),
            "field": {"type": "string", "description": "The field at fault, when it is safe."},
            "detail": {"type": "string"},
        },
        optional=["id", "field"],
        description="Why one event was refused. Holds no value of it but a well-formed id.",
    ),
    "DroppedFields": object_of(
        {"index": _INDEX, "fields": array_of({"type": "string"})},
        description="What lenient handling left unread in one event.",
    ),
    "Accepted": object_of(
        {
            "accepted": {"type": "integer", "minimum": 1, "maximum": EVENTS_PER_REQUEST_MAX},
            "rejected": _REJECTED,
            "position": {
                "type": "string",
                "pattern": "^[A-Za-z0-9_-]+$",
                "description": "For GET /v1/positions/{position}: when is it on the timeline?",
            },
            "dropped": array_of(ref("DroppedFields"), minItems=1),
        },
        optional=["dropped"],
        description="What became of the request. Repeated events count as accepted.",
    ),
    "CloudEvent": {
        "type": "object",
        "description": "A CloudEvent 1.0 in structured mode; `data` is the event, and its `type`"
        " decides. Further attributes are passed over.",
        "properties": {
            "specversion": {"type": "string", "enum": ["1.0"]},
            "id": {"type": "string", "minLength": 1},
            "source": {"type": "string", "minLength": 1},
            "type": {"type": "string", "minLength": 1},
            "data": ref("Event"),
        },
        "required": ["specversion", "id", "source", "type", "data"],
        "additionalProperties": True,
    },
    "AllEventsRefused": problem_schema(
        "No event of the request could be kept.",
        {"rejected": array_of(ref("Rejection"), minItems=1, maxItems=EVENTS_PER_REQUEST_MAX)},
    ),
}

_PREFERENCE_APPLIED: Final = Header(
    description="Present when lenient handling was asked for.",
    schema={"type": "string", "enum": [APPLIED_LENIENT]},
    is_required=False,
)
_SESSION: Final[dict[str, Any]] = {
    "type": "ssh_session",
    "id": "c5f4411d-641a-4b0a-8ee6-291d1c725c20",
    "workspace": "acme-corp-automation",
    "user": "alice",
    "cli_instance_id": "cli-8f3891b2",
    "host": {"inventory_name": "server01.acme-corp.com", "ansible_host": "10.0.12.34"},
    "started_at": "2026-03-24T10:12:03Z",
    "ended_at": "2026-03-24T10:27:45Z",
    "duration_seconds": 942,
    "exit_code": 0,
}
_SYNC: Final[dict[str, Any]] = {
    "type": "workspace_sync",
    "id": "0c19e60f-9d4f-4f3b-b9fb-909cb7ab2f37",
    "workspace": "acme-corp-automation",
    "user": "bob",
    "git": {"branch": "main", "before_sha": "dc3a1f7", "after_sha": "a42b9e1"},
    "encryption": {"enabled": True, "key_id": "age1qg4...", "status": "ok"},
    "result": "success",
    "timestamp": "2026-03-24T08:02:11Z",
}
_CLOUDEVENT: Final[dict[str, Any]] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/ci/runner-42",
    "type": "io.opstrail.event",
    "data": _SYNC,
}
_REFUSED: Final = all_events_refused(
    [
        {
            "index": 0,
            "id": "c5f4411d-641a-4b0a-8ee6-291d1c725c20",
            "code": RejectionCode.UNKNOWN_FIELD,
            "field": "stdout",
            "detail": "no such field in this type of event",
        }
    ]
)

_BODY: Final = Body(
    description=f"At most {EVENTS_PER_REQUEST_MAX:,} events and {BODY_BYTES_MAX // MIB} MiB, each"
    f" event at most {EVENT_BYTES_MAX // KIB} KiB. UTF-8; sent as it is, or compressed with gzip or"
    " zstd (`Content-Encoding`).",
    content={
        MediaType.JSON: Content(
            schema={
                "anyOf": [
                    ref("Event"),
                    array_of(ref("Event"), minItems=1, maxItems=EVENTS_PER_REQUEST_MAX),
                ]
            },
            examples={"one": _SESSION, "several": [_SYNC, _SESSION]},
        ),
        MediaType.NDJSON: Content(
            schema={"type": "string", "description": "One Event a line; blank lines are skipped."}
        ),
        MediaType.CLOUDEVENT: Content(schema=ref("CloudEvent"), examples={"one": _CLOUDEVENT}),
        MediaType.CLOUDEVENT_BATCH: Content(
            schema=array_of(ref("CloudEvent"), minItems=1, maxItems=EVENTS_PER_REQUEST_MAX),
            examples={"batch": [_CLOUDEVENT]},
        ),
    },
)

INGEST_OPERATIONS: Final = (
    Operation(
        id="sendEvents",
        method="POST",
        path=EVENTS_PATH,
        tag="Sending",
        summary="Send events",
        description="Stores the events durably before it answers. Sending the same again changes"
        " nothing, so after 503, 408 or a broken connection send again.",
        role=Role.SUBMIT,
        parameters=(
            Parameter(
                name="Prefer",
                place="header",
                schema={"type": "string"},
                description=f"`{APPLIED_LENIENT}` (RFC 7240): drop unknown fields instead of"
                " refusing their event.",
                example=APPLIED_LENIENT,
            ),
        ),
        body=_BODY,
        answers={
            202: Answer(
                description="At least one event is durable; `rejected` says which are not.",
                content=json_content(
                    ref("Accepted"),
                    accepted={
                        "accepted": 1,
                        "rejected": [],
                        "position": "wHq0bM7Y3ZqkQm1oT4m0yZGSAM0BSg",
                    },
                ),
                headers={"Preference-Applied": _PREFERENCE_APPLIED},
            ),
            400: problem_answer(
                "The body is no UTF-8 or no JSON (`not_json`), no CloudEvent (`not_a_cloudevent`),"
                " holds no event (`no_event`), or is not what `Content-Encoding` says"
                " (`bad_compression`)."
            ),
            403: problem_answer("The key lacks the role `submit` (`forbidden`)."),
            408: problem_answer("The body did not arrive in time (`body_too_slow`)."),
            413: problem_answer("Too many bytes (`body_too_large`) or events (`too_many_events`)."),
            415: problem_answer(
                "Missing or unknown media type or charset (`unsupported_media_type`), or another"
                " encoding (`unsupported_encoding`).",
                headers={
                    name: Header(description=what, schema={"type": "string"}, is_required=False)
                    for name, what in (
                        ("Accept-Post", "The media types there are."),
                        ("Accept-Encoding", "The encodings there are."),
                    )
                },
            ),
            422: problem_answer(
                "Every event was refused (`all_events_refused`).",
                schema=ref("AllEventsRefused"),
                headers={"Preference-Applied": _PREFERENCE_APPLIED},
                example=_REFUSED,
            ),
            503: unavailable_answer(
                "The log does not answer (`log_unavailable`) or too much is under way"
                " (`unavailable`). The outcome is unknown; send again."
            ),
        },
    ),
)
