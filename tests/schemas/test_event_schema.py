"""The JSON Schema of events and the validation of events are of one mind."""

import json
from typing import Any

import jsonschema
import pytest

from schemas.envelope import Event
from schemas.event_json import event_json
from schemas.event_schema import EVENT_SCHEMAS, RECEIVED_EVENT_SCHEMAS
from schemas.events import EVENT_TYPES
from schemas.validation import Refusal, ValidEvent, validate

RUN: dict[str, Any] = {
    "type": "action_run",
    "id": "8F0E7F3E-0C5F-4B57-9D3A-3C6F3A8C0001",
    "workspace": "acme-infra",
    "block": "nginx",
    "action": "deploy",
    "started_at": "2026-03-24T10:05:00+01:00",
    "finished_at": "2026-03-24T10:06:00+01:00",
    "duration_ms": 60_000,
    "exit_code": 0,
    "status": "success",
    "commit_sha": "a42b9e1",
}
SESSION: dict[str, Any] = {
    "type": "ssh_session",
    "id": "c5f4411d-641a-4b0a-8ee6-291d1c725c20",
    "workspace": "acme-infra",
    "host": {"inventory_name": "server01"},
    "started_at": "2026-03-24T10:12:03Z",
    "duration_seconds": 0.5,
}
SYNC: dict[str, Any] = {
    "type": "workspace_sync",
    "id": "0c19e60f-9d4f-4f3b-b9fb-909cb7ab2f37",
    "workspace": "acme-infra",
    "timestamp": "2026-03-24T08:02:11.123456789z",
    "result": "conflict",
    "git": {"branch": "main"},
    "encryption": {"enabled": True},
}
INSTANCE: dict[str, Any] = {
    "type": "cli_instance",
    "id": "cli-8F3891B2",
    "hostname": "laptop",
    "cli_version": "0.8.4",
    "os": "linux",
    "arch": "amd64",
    "last_seen": "2026-03-24T08:02:11Z",
}
EVENTS = [RUN, SESSION, SYNC, INSTANCE]
CHANGES: list[dict[str, Any]] = [
    {},
    {"stdout": "x"},
    {"id": "00000000-0000-0000-0000-000000000000"},
    {"id": "cli-1234567"},
    {"id": None},
    {"workspace": None},
    {"workspace": "-a"},
    {"workspace": "a" * 128},
    {"workspace": "a" * 129},
    {"type": "run"},
    {"reason": None},
    {"reason": ""},
    {"reason": "ü" * 256},
    {"reason": "ü" * 257},
    {"reason": "a\x85b"},
    {"reason": "a\u2066b"},
    {"reason": "a\u2028b"},
    {"reason": 1},
    {"client_seq": 2**63 - 1},
    {"client_seq": 2**63},
    {"client_seq": True},
    {"cli_instance_id": "cli-8f3891b2"},
    {"cli_instance_id": "8f3891b2"},
    {"started_at": "2026-03-24T10:05:00"},
    {"started_at": "2026-03-24 10:05:00Z"},
    {"started_at": "2026-03-24T10:05:60Z"},
    {"started_at": "2026-13-24T10:05:00Z"},
    {"exit_code": 2**32 - 1},
    {"exit_code": 2**32},
    {"exit_code": -(2**31) - 1},
    {"duration_ms": -1},
    {"duration_seconds": -0.5},
    {"duration_seconds": 12},
    {"status": "canceled"},
    {"status": "lost"},
    {"result": "ok"},
    {"commit_sha": "A42B9E1"},
    {"commit_sha": "a42b9e"},
    {"host": {"inventory_name": "a", "port": 22}},
    {"host": {}},
    {"git": {}},
    {"git": {"after_sha": None}},
    {"encryption": {"enabled": None}},
    {"encryption": {"enabled": "yes"}},
]


def fits(value: Any, schemas: dict[str, Any], name: str) -> bool:
    whole = {**schemas[name], "components": {"schemas": schemas}}
    return bool(jsonschema.Draft202012Validator(whole).is_valid(value))


def test_every_type_of_event_has_a_schema() -> None:
    assert EVENT_SCHEMAS["Event"]["discriminator"]["mapping"].keys() == EVENT_TYPES.keys()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: ascii(change)[:40])
def test_the_schema_takes_what_validation_takes(
    event: dict[str, Any], change: dict[str, Any]
) -> None:
    changed = event | change

    is_valid = not isinstance(validate(changed, organization="acme"), Refusal)

    assert fits(changed, dict(EVENT_SCHEMAS), "Event") == is_valid


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
def test_an_event_as_it_is_kept_has_a_schema_too(event: dict[str, Any]) -> None:
    valid = validate(event, organization="acme")
    assert isinstance(valid, ValidEvent)
    kept = event_json(Event(valid.type, {**valid.fields, "fields_dropped": True}), valid.workspace)

    schemas = {**EVENT_SCHEMAS, **RECEIVED_EVENT_SCHEMAS}
    assert fits(json.loads(kept), schemas, "ReceivedEvent")
