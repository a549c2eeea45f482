"""The JSON Schema of entries and of what stands in them, from the tables they are made of.

Source: the contract, sections 4 and 5; `timeline/entry_json.py`.
"""

from collections.abc import Mapping
from typing import Any, Final

from query.operations.answers import BOOLEAN, COUNT, STRING, STRING_OR_NULL, UTC_TIME
from runtime.operation import JsonSchema, array_of, enum_of, object_of, or_null, ref
from schemas.kinds import ActorKind, Confidence, Flag, Kind, Rule, Status
from schemas.limits import LINKS_PER_RULE_MAX
from schemas.records import COMMON_FIELDS, RECORD_KINDS, ColumnType, OwnField

_TYPES: Final[Mapping[ColumnType, JsonSchema]] = {
    "string": STRING,
    "integer": {"type": "integer"},
    "boolean": BOOLEAN,
}
_STATUSES: Final[Mapping[Kind, tuple[Status, ...]]] = {
    Kind.ACTION_RUN: (
        *(Status.RUNNING, Status.SUCCESSFUL, Status.FAILED, Status.ABORTED, Status.LOST),
    ),
    Kind.SSH_SESSION: (Status.RUNNING, Status.ENDED, Status.FAILED, Status.LOST),
    Kind.WORKSPACE_SYNC: (Status.SUCCESSFUL, Status.FAILED),
}
_LINK_ID: Final[JsonSchema] = {"type": "string", "format": "uuid", "description": "A UUIDv5."}
_CONFIDENCE: Final = enum_of(list(Confidence))
_EXPLANATION: Final[JsonSchema] = {"type": "string", "description": "Why, for people."}
_GAP: Final[JsonSchema] = {
    "type": "integer",
    "minimum": 0,
    "description": "Milliseconds between the two; of `after` and `before` only.",
}
_CONFIGURED_BY: Final[Mapping[str, JsonSchema]] = {
    "id": _LINK_ID,
    "sync_id": {"type": "string", "format": "uuid"},
    "commit": STRING,
    "branch": STRING_OR_NULL,
    "confidence": _CONFIDENCE,
    "behind": {
        "type": "boolean",
        "description": "The newest sync before the start had brought another commit.",
    },
    "explanation": _EXPLANATION,
}
CONFIGURED_BY_MEMBERS: Final = {
    name: schema for name, schema in _CONFIGURED_BY.items() if name != "id"
}


def _link(*, with_target: bool) -> JsonSchema:
    members: dict[str, JsonSchema] = {"id": _LINK_ID, "rule": enum_of(list(Rule))}
    if with_target:
        members["target"] = object_of({"kind": enum_of(list(Kind)), "id": STRING})
    members |= {"confidence": _CONFIDENCE, "gap_ms": _GAP, "explanation": _EXPLANATION}
    return object_of(members, optional=["gap_ms"])


def _own(fields: tuple[OwnField, ...]) -> dict[str, JsonSchema]:
    own: dict[str, JsonSchema] = {}
    inside: dict[str, dict[str, JsonSchema]] = {}
    for field in fields:
        schema = {**or_null(_TYPES[field.type]), "description": field.comment}
        holder, _, inner = field.path.partition(".")
        if not inner:
            own[holder] = schema
        else:
            inside.setdefault(holder, {})[inner] = schema
            own[holder] = {}  # keeps its place
    for holder, members in inside.items():
        own[holder] = or_null(object_of(members))
    return own


def _entry(kind: Kind, more: Mapping[str, JsonSchema]) -> JsonSchema:
    noun = RECORD_KINDS[kind].noun
    is_session = kind is Kind.SSH_SESSION
    return object_of(
        {
            "kind": enum_of([kind]),
            "id": {"type": "string", "format": "uuid"},
            "organization": STRING,
            "workspace": STRING,
            "environment": {
                **STRING_OR_NULL,
                "description": "What the workspace is labelled with; null: nothing.",
            },
            "occurred_at": UTC_TIME,
            "ended_at": or_null(UTC_TIME),
            "duration_ms": or_null(COUNT),
            "status": enum_of(_STATUSES.get(kind, tuple(Status))),
            "actor": {**STRING_OR_NULL, "description": "Whose key sent it."},
            "actor_kind": or_null(enum_of(list(ActorKind))),
            "key_id": STRING_OR_NULL,
            **dict.fromkeys(COMMON_FIELDS, STRING_OR_NULL),
            **_own(RECORD_KINDS[kind].own_fields),
            "configured_by": or_null(ref("ConfiguredBy")),
            "links": array_of(ref("Link"), maxItems=LINKS_PER_RULE_MAX * len(Rule)),
            "links_omitted": BOOLEAN,
            "unexplained": {
                **(or_null(BOOLEAN) if is_session else {"type": "null"}),
                "description": "A session to which no run of the same origin stands near; null for"
                " other kinds.",
            },
            "flags": array_of(enum_of(list(Flag)), uniqueItems=True),
            "received_at": UTC_TIME,
            "revision": {"type": "integer", "minimum": 0},
            **more,
        },
        description=f"A {noun} on the timeline, at its newest revision. Null is not known.",
    )


def _word(kind: Kind) -> str:
    return "".join(part.capitalize() for part in kind.value.split("_"))


def entry_name(kind: Kind) -> str:
    """Of the component."""
    return f"{_word(kind)}Entry"


def _any_of(names: Mapping[str, str], description: str) -> JsonSchema:
    """`names` of components, by kind."""
    return {
        "description": description,
        "oneOf": [ref(name) for name in names.values()],
        "discriminator": {
            "propertyName": "kind",
            "mapping": {kind: ref(name)["$ref"] for kind, name in names.items()},
        },
    }


_NEAR: Final[Mapping[str, JsonSchema]] = {"link": or_null(ref("LinkHere"))}
# Syncs have no links and stand near nothing.
_NEAR_KINDS: Final = (Kind.ACTION_RUN, Kind.SSH_SESSION)

ENTRY_SCHEMAS: Final[Mapping[str, JsonSchema]] = {
    "Link": _link(with_target=True),
    "LinkHere": _link(with_target=False),
    "ConfiguredBy": object_of(
        _CONFIGURED_BY, description="The sync whose commit was in force at the start."
    ),
    **{entry_name(kind): _entry(kind, {}) for kind in Kind},
    "Entry": _any_of({kind.value: entry_name(kind) for kind in Kind}, "A row of the timeline."),
    **{f"{_word(kind)}Nearby": _entry(kind, _NEAR) for kind in _NEAR_KINDS},
    "Nearby": _any_of(
        {kind.value: f"{_word(kind)}Nearby" for kind in _NEAR_KINDS},
        "An entry near the case's, with the link between the two; null: there is none.",
    ),
}

SESSION_EXAMPLE: Final[dict[str, Any]] = {
    "kind": "ssh_session",
    "id": "c5f4411d-641a-4b0a-8ee6-291d1c725c20",
    "organization": "default",
    "workspace": "acme-corp-automation",
    "environment": None,
    "occurred_at": "2026-03-24T10:12:03.000000Z",
    "ended_at": "2026-03-24T10:27:45.000000Z",
    "duration_ms": 942_000,
    "status": "ended",
    "actor": "alice",
    "actor_kind": "person",
    "key_id": "k3Zq8w1x",
    "user": "alice",
    "os_user": None,
    "hostname": None,
    "cli_instance_id": "cli-8f3891b2",
    "cli_version": None,
    "reason": None,
    "ticket": None,
    "host": {
        "inventory_name": "server01.acme-corp.com",
        "ansible_host": "10.0.12.34",
        "hostname_reported": "srv-web-01",
    },
    "exit_code": 0,
    "configured_by": {
        "id": "0b8a2c9e-6f0e-5e53-9a3a-0a3c1b6a7d11",
        "sync_id": "0c19e60f-9d4f-4f3b-b9fb-909cb7ab2f37",
        "commit": "a42b9e1",
        "branch": "main",
        "confidence": "likely",
        "behind": False,
        "explanation": "last successful sync in the workspace before the start, 2 h 9 min earlier",
    },
    "links": [
        {
            "id": "7a5d7a3a-0b0c-5f5e-8d1e-3f6f6a9b2c44",
            "rule": "after",
            "target": {"kind": "action_run", "id": "7b0f6a52-3c1e-4f0a-9c55-1f2f0c7f9d10"},
            "confidence": "exact",
            "gap_ms": 261_000,
            "explanation": "starts 4 min after the run ended, both from cli-8f3891b2",
        }
    ],
    "links_omitted": False,
    "unexplained": False,
    "flags": [],
    "received_at": "2026-03-24T10:27:46.120000Z",
    "revision": 18,
}
