"""What the golden messages in schemas/golden/ hold: every field of every schema set at least once.

`python -m tests.schemas.golden_content` writes the pairs that are missing. A pair that is there is
never written again: it is what an older version of ours left on somebody's log. A new version of a
schema keeps the old pair, changes `CONTENT` and gets a pair of its own.
"""

import json
from pathlib import Path
from typing import Any, Final, TypeAlias

from schemas.codec import Codec

JsonObject: TypeAlias = dict[str, Any]

SCHEMAS_FOLDER: Final = Path(__file__).resolve().parents[2] / "schemas"
AVRO_FOLDER: Final = SCHEMAS_FOLDER / "avro"
GOLDEN_FOLDER: Final = SCHEMAS_FOLDER / "golden"

_RUN_ID: Final = "4bb2ab1c-9f05-4f4e-8a0c-0f3d54d1e5aa"
_FIRST_RUN_ID: Final = "0d4e2c8f-52f3-4b57-9f4f-5d6b1f0c7e11"
_SESSION_ID: Final = "c5f4411d-641a-4b0a-8ee6-291d1c725c20"
_SYNC_ID: Final = "9e107d9d-372b-4b6f-9a1d-0c5d1f8e2a33"
_START_US: Final = 1_774_347_123_000_000  # 2026-03-24T10:12:03Z
_END_US: Final = _START_US + 942_123_456
_RECEIVED_US: Final = _END_US + 1_000_001
_COMMIT: Final = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
_BEFORE: Final = "0f1e2d3"


def _id(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


_COMMON: Final = {
    "user": "alice",
    "os_user": "root",
    "hostname": "runner-7",
    "cli_instance_id": "cli-8f3891b2",
    "cli_version": "0.9.10",
    "reason": "Zertifikat erneuert — 証明書",
    "ticket": "CHG-17",
    "client_seq": 2**63 - 1,
    "fields_dropped": True,
}
_RUN: Final = {
    "id": _id(_RUN_ID),
    "block": "nginx",
    "block_from": "cargo.ayedo.cloud/ayedo/infra/nginx:0.3.1",
    "block_version": "0.3.0",
    "action": "deploy",
    "started_at": _START_US,
    "finished_at": _END_US,
    "duration_ms": 942_123,
    "exit_code": 2**32 - 1,
    "status": "failed",
    "commit_sha": _COMMIT,
    "retriggered_from": _id(_FIRST_RUN_ID),
    **_COMMON,
}
_SESSION: Final = {
    "id": _id(_SESSION_ID),
    "host": {
        "inventory_name": "server01.acme-corp.com",
        "ansible_host": "10.0.12.34",
        "hostname_reported": "srv-web-01",
    },
    "started_at": _START_US,
    "ended_at": _END_US,
    "duration_seconds": 942.25,
    "exit_code": -(2**31),
    **_COMMON,
}
_SYNC: Final = {
    "id": _id(_SYNC_ID),
    "timestamp": _START_US,
    "result": "success",
    "git": {"branch": "main", "before_sha": _BEFORE, "after_sha": _COMMIT},
    "encryption": {"enabled": True, "key_id": "age-1", "status": "ok"},
    **_COMMON,
}
_INSTANCE: Final = {
    "id": "cli-8f3891b2",
    "os": "linux",
    "arch": "arm64",
    "first_seen": _START_US,
    "last_seen": _END_US,
    **_COMMON,
}
# The least that each kind must state: everything else is its default.
_LEAST_EVENTS: Final = [
    (
        "action_run",
        {"id": _id(_FIRST_RUN_ID), "block": "db", "action": "patch", "started_at": 0},
    ),
    (
        "ssh_session",
        {"id": _id(_SESSION_ID), "host": {"inventory_name": "db-3"}, "started_at": _START_US},
    ),
    ("workspace_sync", {"id": _id(_SYNC_ID), "timestamp": _START_US, "result": "conflict"}),
]
_SENDER: Final = {
    "organization": "acme",
    "workspace": "acme-corp-automation",
    "actor": "alice",
    "actor_kind": "person",
    "key_id": "key-1",
    "received_at": _RECEIVED_US,
}
_RECORD_EVENTS: Final = [
    ("action_run", _RUN),
    ("ssh_session", _SESSION),
    ("workspace_sync", _SYNC),
]
_ENTRY: Final = {
    "kind": "action_run",
    "id": _RUN_ID,
    "occurred_at": _START_US,
    "ended_at": _END_US,
    "duration_ms": 942_123,
    "is_open": True,
    "status": "failed",
    "actor": "alice",
    "actor_kind": "person",
    "key_id": "key-1",
    "user": "alice",
    "os_user": "root",
    "hostname": "runner-7",
    "cli_instance_id": "cli-8f3891b2",
    "cli_version": "0.9.10",
    "reason": "Zertifikat erneuert — 証明書",
    "ticket": "CHG-17",
    "block": "nginx",
    "block_from": "cargo.ayedo.cloud/ayedo/infra/nginx:0.3.1",
    "block_name": "cargo.ayedo.cloud/ayedo/infra/nginx",
    "block_version": "0.3.1",
    "action": "deploy",
    "exit_code": 2**32 - 1,
    "commit_sha": _COMMIT,
    "retriggered_from": _FIRST_RUN_ID,
    "host_inventory_name": "server01.acme-corp.com",
    "host_ansible_host": "10.0.12.34",
    "host_hostname_reported": "srv-web-01",
    "result": "success",
    "git_branch": "main",
    "git_before_sha": _BEFORE,
    "git_after_sha": _COMMIT,
    "encryption_enabled": True,
    "encryption_key_id": "age-1",
    "encryption_status": "ok",
    "configured_by": {
        "sync_id": _SYNC_ID,
        "commit": _COMMIT,
        "branch": "main",
        "confidence": "exact",
        "behind": True,
        "explanation": "last successful sync from cli-8f3891b2 before the start",
    },
    "link_rule": ["after", "during"],
    "link_target_kind": ["ssh_session", "ssh_session"],
    "link_target_id": [_SESSION_ID, _SESSION_ID],
    "link_confidence": ["likely", "exact"],
    "link_gap_ms": [95_000, -1],
    "link_origin": ["", "cli_instance"],
    "links_omitted": True,
    "unexplained": True,
    "flags": ["actor_mismatch", "late"],
    "received_at": _RECEIVED_US,
    "revision": 2**48 + 4_711,
}
_LEAST_ENTRY: Final = {
    "kind": "workspace_sync",
    "id": _SYNC_ID,
    "occurred_at": _START_US,
    "status": "successful",
    "actor": "deployer",
    "actor_kind": "service",
    "key_id": "key-2",
    "received_at": _RECEIVED_US,
    "revision": 0,
}
_OBSERVATION: Final = {
    "cli_instance_id": "cli-8f3891b2",
    "observed_at": _END_US,
    "is_sighting": True,
    "hostname": "runner-7",
    "os": "linux",
    "arch": "arm64",
    "cli_version": "0.9.10",
    "actor": "alice",
}
_LEAST_OBSERVATION: Final = {
    "cli_instance_id": "cli-8f3891b2",
    "observed_at": _START_US,
    "is_sighting": False,
    "actor": "alice",
}
_SNAPSHOT: Final = {
    "index": 3,
    "kind": "action_run",
    "id": _RUN_ID,
    "occurred_at": _END_US,
    "cli_instance_id": "cli-8f3891b2",
    "client_seq": 2**63 - 1,
    "dead_reason": "conflicting_snapshot",
    "event": '{"type":"action_run","reason":"Zertifikat erneuert — 証明書"}',
}
_LEAST_SNAPSHOT: Final = {
    "index": 0,
    "kind": "workspace_sync",
    "id": _SYNC_ID,
    "occurred_at": _START_US,
    "event": "{}",
}

# By message, the content of its newest version: what is handed to the encoder.
CONTENT: Final[dict[str, JsonObject]] = {
    "envelope": {
        **_SENDER,
        "events": [
            *_RECORD_EVENTS,
            ("cli_instance", _INSTANCE),
            *_LEAST_EVENTS,
            ("cli_instance", {"id": "cli-00000000", "os": "darwin", "arch": "amd64"}),
        ],
    },
    "applied_envelope": {
        **_SENDER,
        "partition": 23,
        "offset": 2**40 + 7,
        "events": [*_RECORD_EVENTS, *_LEAST_EVENTS],
        "emitted": [
            {"kind": "action_run", "id": _id(_RUN_ID)},
            {"kind": "ssh_session", "id": _id(_SESSION_ID)},
        ],
        "dead": [{"index": 3, "reason": "conflicting_snapshot"}],
        "flagged": [
            {"kind": "action_run", "id": _id(_FIRST_RUN_ID), "flag": "conflicting_snapshot"}
        ],
        "past": [{"kind": "ssh_session", "id": _id(_SESSION_ID)}],
    },
    "evicted": {
        "partition": 23,
        "organization": "acme",
        "workspace": "acme-corp-automation",
        "first": _START_US,
        "last": _END_US,
        "offset": 2**40 + 7,
        "ids": [{"kind": "workspace_sync", "id": _id(_SYNC_ID)}],
        "syncs_until": {"commit": _START_US},
    },
    "timeline_batch": {
        "organization": "acme",
        "workspace": "acme-corp-automation",
        "partition": 23,
        "offset": 2**40 + 7,
        "received_at": _RECEIVED_US,
        "is_last": True,
        "entries": [_ENTRY, _LEAST_ENTRY],
        "observations": [_OBSERVATION, _LEAST_OBSERVATION],
        "actor": "alice",
        "actor_kind": "person",
        "key_id": "key-1",
        "snapshots": [_SNAPSHOT, _LEAST_SNAPSHOT],
    },
    "dead_letter": {
        "organization": "acme",
        "workspace": "acme-corp-automation",
        "topic": "audit.events",
        "partition": 23,
        "offset": 2**40 + 7,
        "index": 3,
        "reason": "conflicting_snapshot",
        "detail": "contradicts an earlier closed snapshot of the record",
        "kind": "action_run",
        "id": _RUN_ID,
        "received_at": _RECEIVED_US,
        "content": bytes(range(256)),
    },
    "access_event": {
        "id": _id(_SESSION_ID),
        "revision": 1,
        "at": _RECEIVED_US,
        "organization": "acme",
        "actor": "alice",
        "actor_kind": "person",
        "key_id": "key-1",
        "action": "export",
        "operation": "GET /v1/records/{kind}/{id}/history",
        "target": '{"path":{"kind":"ssh_session"},"query":[["format","csv"]]}',
        "status": 200,
        "rows": 2**40,
        "request_id": "1f2e3d4c5b6a7988",
        "client": "2001:db8::7",
        "count": 2**33,
    },
}


def newest_version(message: str) -> int:
    """By the schema files there are."""
    found = AVRO_FOLDER.glob(f"{message}-*.avsc")
    return max(int(path.stem.rpartition("-")[2]) for path in found)


def newest_codec(message: str) -> Codec:
    return Codec(message)


def as_json(value: object) -> Any:
    """What was decoded, as JSON can hold it: bytes in hex, `(name, fields)` as a list of two."""
    match value:
        case bytes():
            return {"hex": value.hex()}
        case dict():
            return {name: as_json(inner) for name, inner in value.items()}
        case list() | tuple():
            return [as_json(inner) for inner in value]
        case _:
            return value


def field_names(schema_name: str) -> dict[str, set[str]]:
    """The fields of each record in `schemas/avro/{schema_name}.avsc`, by the record's name."""
    found: dict[str, set[str]] = {}
    pending: list[Any] = [json.loads((AVRO_FOLDER / f"{schema_name}.avsc").read_text())]
    while pending:
        match pending.pop():
            case {"type": "record", "name": name, "fields": fields}:
                found[name] = {field["name"] for field in fields}
                pending += [field["type"] for field in fields]
            case {"type": "array", "items": items}:
                pending.append(items)
            case list() as branches:
                pending += branches
    return found


def write_missing() -> None:
    """Write the pairs that are not there yet."""
    GOLDEN_FOLDER.mkdir(exist_ok=True)
    for message, content in CONTENT.items():
        codec = newest_codec(message)
        path = GOLDEN_FOLDER / f"{message}-{newest_version(message)}.avro"
        if path.exists():
            continue
        path.write_bytes(codec.encode(content))
        decoded = as_json(codec.decode(path.read_bytes()))
        text = json.dumps(decoded, indent=2, ensure_ascii=False)
        path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_missing()
