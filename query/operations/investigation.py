"""Cases and incidents: everything about one record, and about the time before something."""

from collections.abc import Sequence
from typing import Final

from control.roles import Role
from query.incidents import INCIDENT_PARAMETERS, LIMIT_DEFAULT
from query.operations.answers import (
    BOOLEAN,
    COUNT,
    STRING,
    STRING_OR_NULL,
    UTC_TIME,
    WATERMARK_EXAMPLE,
    ok,
    reading,
)
from query.operations.entry_schema import CONFIGURED_BY_MEMBERS, SESSION_EXAMPLE, entry_name
from query.operations.parameters import WORKSPACE, limit, needed_time, parameters
from query.operations.timeline import NO_SUCH_RECORD, RECORD_ADDRESS, SEVERAL_WORKSPACES
from runtime.operation import JsonSchema, Operation, array_of, enum_of, object_of, or_null, ref
from schemas.kinds import ActorKind, Kind

_TAG: Final = "Investigation"
_NEARBY: Final = array_of(ref("Nearby"))
_ENTRIES: Final = array_of(ref("Entry"))
_GAPS: Final = array_of(ref("Gap"))


def _omitted(lists: Sequence[str]) -> JsonSchema:
    return object_of(dict.fromkeys(lists, BOOLEAN), description="Which lists were cut.")


INVESTIGATION_SCHEMAS: Final = {
    "Gap": object_of(
        {
            "cli_instance_id": STRING,
            "first_missing": COUNT,
            "last_missing": COUNT,
            "missing": {"type": "integer", "minimum": 1},
            "from": UTC_TIME,
            "to": UTC_TIME,
        },
        description="Events of a CLI instance that never arrived, by its own count.",
    ),
    "Configuration": object_of(
        {
            **CONFIGURED_BY_MEMBERS,
            "sync": or_null(ref(entry_name(Kind.WORKSPACE_SYNC))),
            "brought_by": STRING_OR_NULL,
            "synced_at": or_null(UTC_TIME),
        },
        description="The configuration in force, and who brought it.",
    ),
    "Tool": object_of(
        {
            "version": STRING_OR_NULL,
            "observed_at": or_null(UTC_TIME),
            "source": or_null(enum_of(["record", "cli_instance"])),
        },
        description="The version of the command line at that time, and where it is known from.",
    ),
    "Machine": object_of(
        {
            "hostname": STRING_OR_NULL,
            "source": or_null(enum_of(["record", "cli_instance"])),
        },
        description="From which machine it was done, and where that is known from.",
    ),
    "Case": object_of(
        {
            "entry": ref("Entry"),
            "configuration": or_null(ref("Configuration")),
            "before": _NEARBY,
            "during": _NEARBY,
            "after": _NEARBY,
            "tool": ref("Tool"),
            "machine": ref("Machine"),
            "actor_work": _ENTRIES,
            "gaps": _GAPS,
            "omitted": _omitted(("before", "during", "after", "actor_work", "gaps")),
            "complete": {
                "type": "boolean",
                "description": "Nothing that belongs here can still come, and nothing is missing.",
            },
            "watermark": ref("Watermark"),
        },
        description="Everything an investigator needs about one record.",
    ),
    "Incident": object_of(
        {
            "at": UTC_TIME,
            "from": UTC_TIME,
            "before": _ENTRIES,
            "during": _ENTRIES,
            "configuration": array_of(
                object_of(
                    {
                        "workspace": STRING,
                        "environment": STRING_OR_NULL,
                        "commit": STRING_OR_NULL,
                        "branch": STRING_OR_NULL,
                        "sync_id": STRING,
                        "synced_at": UTC_TIME,
                        "brought_by": STRING_OR_NULL,
                    }
                )
            ),
            "tools": array_of(
                object_of(
                    {
                        "cli_instance_id": STRING,
                        "version": STRING_OR_NULL,
                        "observed_at": or_null(UTC_TIME),
                        "hostname": STRING_OR_NULL,
                    }
                )
            ),
            "actors": array_of(
                object_of(
                    {
                        "actor": STRING,
                        "actor_kind": enum_of(list(ActorKind)),
                        "runs": COUNT,
                        "sessions": COUNT,
                        "syncs": COUNT,
                    }
                )
            ),
            "gaps": _GAPS,
            "omitted": _omitted(("before", "during", "tools", "actors", "gaps")),
            "complete": BOOLEAN,
            "watermark": ref("Watermark"),
        },
        description="What happened before a moment, and what still ran then.",
    ),
}

INVESTIGATION_OPERATIONS: Final = (
    Operation(
        id="getCase",
        method="GET",
        path="/v1/cases/{kind}/{id}",
        tag=_TAG,
        summary="Everything about one record",
        description="The entry, its configuration, what ran before, during and after it, the"
        " actor's other work, and whether more may still come.",
        role=Role.READ,
        parameters=(*RECORD_ADDRESS, WORKSPACE),
        answers=reading(
            ok(
                "The case.",
                ref("Case"),
                session={
                    "entry": SESSION_EXAMPLE,
                    "configuration": None,
                    "before": [],
                    "during": [],
                    "after": [],
                    "tool": {
                        "version": "0.8.4",
                        "observed_at": "2026-03-24T10:07:42.000000Z",
                        "source": "cli_instance",
                    },
                    "machine": {"hostname": "alice-laptop", "source": "cli_instance"},
                    "actor_work": [],
                    "gaps": [],
                    "omitted": dict.fromkeys(
                        ("before", "during", "after", "actor_work", "gaps"), False
                    ),
                    "complete": False,
                    "watermark": WATERMARK_EXAMPLE,
                },
            ),
            status_404=NO_SUCH_RECORD,
            status_409=SEVERAL_WORKSPACES,
        ),
    ),
    Operation(
        id="getIncident",
        method="GET",
        path="/v1/incidents",
        tag=_TAG,
        summary="What happened before a moment",
        description="Who and what was at work in the time before `at`, and what still ran then.",
        role=Role.READ,
        parameters=parameters(
            INCIDENT_PARAMETERS,
            [
                needed_time("at", "The moment of the incident."),
                limit(LIMIT_DEFAULT, "How many entries each of the two lists holds at most."),
            ],
        ),
        answers=reading(
            ok(
                "What happened.",
                ref("Incident"),
                outage={
                    "at": "2026-03-20T20:30:00.000000Z",
                    "from": "2026-03-20T12:30:00.000000Z",
                    "before": [],
                    "during": [],
                    "configuration": [],
                    "tools": [
                        {
                            "cli_instance_id": "cli-b0b5c1a0",
                            "version": "0.18.3",
                            "observed_at": "2026-03-20T20:18:24.000000Z",
                            "hostname": "laptop-bob",
                        }
                    ],
                    "actors": [
                        {
                            "actor": "bob",
                            "actor_kind": "person",
                            "runs": 1,
                            "sessions": 0,
                            "syncs": 0,
                        }
                    ],
                    "gaps": [],
                    "omitted": dict.fromkeys(
                        ("before", "during", "tools", "actors", "gaps"), False
                    ),
                    "complete": True,
                    "watermark": WATERMARK_EXAMPLE,
                },
            )
        ),
    ),
)
