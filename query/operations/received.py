"""The history of a record and the dead letters: what was received, as received."""

from typing import Any, Final

from control.roles import Role
from query.dead_letter_resend import would_be_set_aside_again
from query.dead_letters import REMEDIES, RESEND_PARAMETERS
from query.operations.answers import (
    BAD_PARAMETER,
    BOOLEAN,
    COUNT,
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
)
from query.operations.parameters import (
    EXPORT_FORMAT,
    WORKSPACE,
    parameters,
    path_parameter,
    period,
)
from query.operations.timeline import NO_SUCH_RECORD, RECORD_ADDRESS, SEVERAL_WORKSPACES
from runtime.operation import (
    JsonSchema,
    Operation,
    Parameter,
    array_of,
    enum_of,
    object_of,
    or_null,
    ref,
)
from runtime.problem_answer import problem_answer, unavailable_answer
from schemas import topics
from schemas.kinds import DEAD_EVENT_DETAILS, ActorKind, DeadLetterReason, Kind
from timeline.dead_letter_query import DEAD_LETTER_FILTERS
from timeline.parameters import VALUES_MAX
from timeline.received_json import PLACE_PATTERN
from timeline.snapshot_query import HISTORY_PARAMETERS

_REASON: Final = enum_of([str(reason) for reason in DEAD_EVENT_DETAILS])
_SENDER: Final[dict[str, JsonSchema]] = {
    "actor": STRING,
    "actor_kind": enum_of(list(ActorKind)),
    "key_id": STRING,
}
_EVENT: Final = ref("ReceivedEvent")
_EXAMPLE: Final[dict[str, Any]] = {
    "type": "ssh_session",
    "id": "c5f4411d-641a-4b0a-8ee6-291d1c725c20",
    "workspace": "acme-corp-automation",
    "host": {"inventory_name": "server01.acme-corp.com"},
    "started_at": "2026-03-24T10:12:03.000000Z",
    "ended_at": "2026-03-24T10:27:45.000000Z",
}
_SENDER_EXAMPLE: Final = {"actor": "alice", "actor_kind": "person", "key_id": "k3Zq8w1x"}

_DEAD_LETTER: Final[dict[str, JsonSchema]] = {
    "id": {"type": "string", "pattern": PLACE_PATTERN},
    "received_at": UTC_TIME,
    "workspace": STRING,
    "kind": enum_of(list(Kind)),
    "record_id": STRING,
    "reason": _REASON,
    "detail": STRING_OR_NULL,
    **_SENDER,
    "resent_at": {
        **or_null(UTC_TIME),
        "description": "When it was last put on the log again; null: it was not.",
    },
    "resent_position": {
        **STRING_OR_NULL,
        "description": "Where to; null with a `resent_at`: whether the log took it is not known.",
    },
    "event": _EVENT,
}
_DEAD_LETTER_EXAMPLE: Final[dict[str, Any]] = {
    "id": "0-4711-0",
    "received_at": "2026-03-24T11:02:10.000000Z",
    "workspace": "acme-corp-automation",
    "kind": "ssh_session",
    "record_id": _EXAMPLE["id"],
    "reason": "foreign_snapshot",
    "detail": "the record belongs to another actor, who sent its first snapshot",
    "actor": "bob",
    "actor_kind": "person",
    "key_id": "Yt5mBq0c",
    "resent_at": "2026-03-25T08:15:00.000000Z",
    "resent_position": "wHq0bM7Y3ZqkQm1oT4m0yZGSAM0BSg",
    "event": _EXAMPLE,
}
# Whatever it is: what is none is not there.
_PLACE: Final = path_parameter("place", STRING, "Its `id` in the list.", "0-4711-0")

RECEIVED_SCHEMAS: Final = {
    "Snapshot": object_of(
        {
            "received_at": UTC_TIME,
            **_SENDER,
            "dead_reason": {
                **or_null(_REASON),
                "description": "Why it was set aside; null: it became part of the record.",
            },
            "detail": STRING_OR_NULL,
            "event": _EVENT,
        }
    ),
    "SnapshotPage": page_schema(ref("Snapshot")),
    "DeadLetter": object_of(
        _DEAD_LETTER,
        description="A snapshot that could not become part of its record.",
    ),
    "ShownDeadLetter": object_of(
        {
            **_DEAD_LETTER,
            "source": object_of(
                {
                    "topic": enum_of([topics.EVENTS]),
                    "partition": COUNT,
                    "offset": COUNT,
                    "index": {**COUNT, "description": "In its envelope, from 0."},
                },
                description="Where it stands on the log; the embedded log has partition 0 only.",
            ),
            "remedy": {**STRING, "description": "What can be done, in sentences."},
            "resend_takes_force": BOOLEAN,
        },
        description="A dead letter, and what can be done about it.",
    ),
    "DeadLetterPage": page_schema(ref("DeadLetter")),
}

RECEIVED_OPERATIONS: Final = (
    Operation(
        id="getHistory",
        method="GET",
        path="/v1/records/{kind}/{id}/history",
        tag="Timeline",
        summary="What was received about a record",
        description="Its snapshots in the order they arrived, those that were set aside too.",
        role=Role.READ,
        parameters=(
            *RECORD_ADDRESS,
            *parameters(HISTORY_PARAMETERS, [WORKSPACE]),
            EXPORT_FORMAT,
        ),
        answers=reading(
            exportable(
                ok(
                    "A page of snapshots, the first to arrive first.",
                    ref("SnapshotPage"),
                    session=page_example(
                        {
                            "received_at": "2026-03-24T10:27:46.120000Z",
                            **_SENDER_EXAMPLE,
                            "dead_reason": None,
                            "detail": None,
                            "event": _EXAMPLE,
                        }
                    ),
                )
            ),
            status_404=NO_SUCH_RECORD,
            status_406=NOT_ACCEPTABLE,
            status_409=SEVERAL_WORKSPACES,
        ),
    ),
    Operation(
        id="listDeadLetters",
        method="GET",
        path="/v1/dead-letters",
        tag="Administration",
        summary="List snapshots that were set aside",
        description="The newest first. Of the organization's administrators.",
        role=Role.ADMIN,
        parameters=(
            *parameters(
                DEAD_LETTER_FILTERS,
                [
                    *period("Received"),
                    Parameter(
                        name="id",
                        schema=array_of(ref("Uuid"), maxItems=VALUES_MAX),
                        description="Of this record. Repeatable: any of them.",
                        is_repeatable=True,
                    ),
                ],
            ),
            EXPORT_FORMAT,
        ),
        answers=reading(
            exportable(
                ok(
                    "A page of dead letters.",
                    ref("DeadLetterPage"),
                    foreign=page_example(_DEAD_LETTER_EXAMPLE),
                )
            ),
            status_406=NOT_ACCEPTABLE,
        ),
    ),
    Operation(
        id="getDeadLetter",
        method="GET",
        path="/v1/dead-letters/{place}",
        tag="Administration",
        summary="One snapshot that was set aside",
        description="With where it stands on the log, and what can be done about it.",
        role=Role.ADMIN,
        parameters=(_PLACE,),
        answers=reading(
            ok(
                "The dead letter.",
                ref("ShownDeadLetter"),
                foreign={
                    **_DEAD_LETTER_EXAMPLE,
                    "source": {
                        "topic": topics.EVENTS,
                        "partition": 0,
                        "offset": 4711,
                        "index": 0,
                    },
                    "remedy": REMEDIES[DeadLetterReason.FOREIGN_SNAPSHOT],
                    "resend_takes_force": True,
                },
            ),
            status_404=missing("dead letter"),
        ),
    ),
    Operation(
        id="resendDeadLetter",
        method="POST",
        path="/v1/dead-letters/{place}/resend",
        tag="Administration",
        summary="Put a snapshot that was set aside on the log again",
        description="The event as it was kept, from the sender who sent it, received now. Each time"
        " puts it there once more; repeats of what became part of a record change nothing.",
        role=Role.ADMIN,
        parameters=(
            _PLACE,
            *parameters(
                RESEND_PARAMETERS,
                [
                    Parameter(
                        name="force",
                        schema={**BOOLEAN, "default": False},
                        description="Also when it would be set aside again for the same reason.",
                    )
                ],
            ),
        ),
        answers={
            202: ok(
                "It is durable on the log.",
                ref("Accepted"),
                resent={
                    "accepted": 1,
                    "rejected": [],
                    "position": "wHq0bM7Y3ZqkQm1oT4m0yZGSAM0BSg",
                },
            ),
            400: BAD_PARAMETER,
            403: problem_answer(
                "The key lacks the role this takes, or is narrowed to workspaces (`forbidden`)."
            ),
            404: missing("dead letter"),
            409: problem_answer(
                "It would be set aside again (`would_be_set_aside_again`), or a newer version kept"
                " it (`unreadable_dead_letter`).",
                example=would_be_set_aside_again(),
            ),
            503: unavailable_answer(
                "The log (`log_unavailable`: whether it took the event is unknown), the timeline"
                " (`timeline_unavailable`), the access log (`access_log_unavailable`) or another"
                " dependency (`unavailable`) does not answer."
            ),
        },
    ),
)
