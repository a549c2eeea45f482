"""The history of a record and the dead letters: what was received, as received."""

from typing import Any, Final

from control.roles import Role
from query.operations.answers import (
    NOT_ACCEPTABLE,
    STRING,
    STRING_OR_NULL,
    UTC_TIME,
    exportable,
    ok,
    page_example,
    page_schema,
    reading,
)
from query.operations.parameters import EXPORT_FORMAT, WORKSPACE, parameters, period
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
from schemas.kinds import DEAD_EVENT_DETAILS, ActorKind, Kind
from timeline.dead_letter_query import DEAD_LETTER_FILTERS
from timeline.parameters import VALUES_MAX
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
        {
            "id": {"type": "string", "pattern": "^[0-9]+-[0-9]+-[0-9]+$"},
            "received_at": UTC_TIME,
            "workspace": STRING,
            "kind": enum_of(list(Kind)),
            "record_id": STRING,
            "reason": _REASON,
            "detail": STRING_OR_NULL,
            **_SENDER,
            "event": _EVENT,
        },
        description="A snapshot that could not become part of its record.",
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
                    foreign=page_example(
                        {
                            "id": "0-4711-0",
                            "received_at": "2026-03-24T11:02:10.000000Z",
                            "workspace": "acme-corp-automation",
                            "kind": "ssh_session",
                            "record_id": _EXAMPLE["id"],
                            "reason": "foreign_snapshot",
                            "detail": "the record belongs to another actor, who sent its first"
                            " snapshot",
                            "actor": "bob",
                            "actor_kind": "person",
                            "key_id": "Yt5mBq0c",
                            "event": _EXAMPLE,
                        }
                    ),
                )
            ),
            status_406=NOT_ACCEPTABLE,
        ),
    ),
)
