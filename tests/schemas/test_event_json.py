"""The text that is kept of an event is what was sent, and nothing of it is lost."""

import json
from typing import Any

import pytest
from hypothesis import given

from schemas.envelope import Envelope, Event, Sender, decode_envelope, encode_envelope
from schemas.event_json import TIME_FIELDS, event_json, event_of_json
from schemas.events import EVENT_TYPES
from schemas.kinds import CLI_INSTANCE, Kind
from schemas.records import RECORD_KINDS
from schemas.validation import ValidEvent, validate
from tests.schemas.events import BUILDERS, ORGANIZATION, instance, run, session, valid_events

SENDER = Sender(organization=ORGANIZATION, actor="alice", actor_kind="person", key_id="key-1")


def travelled(sent: dict[str, Any], **more: Any) -> tuple[Event, str | None]:
    """The event as it comes off the log, and its envelope's workspace."""
    verdict = validate(sent, organization=ORGANIZATION)
    assert isinstance(verdict, ValidEvent), verdict
    workspace = None if verdict.type == CLI_INSTANCE else verdict.workspace
    envelope = Envelope(
        sender=SENDER,
        workspace=workspace,
        received_at=1,
        events=[Event(verdict.type, {**verdict.fields, **more})],
    )
    (event,) = decode_envelope(encode_envelope(envelope)).events
    return event, workspace


@given(sent=valid_events())
def test_an_event_of_any_kind_comes_back_as_it_was(sent: dict[str, Any]) -> None:
    event, workspace = travelled(sent)

    again, again_in = event_of_json(event_json(event, workspace))

    assert (again, again_in) == (event, workspace)
    types = {name: type(value) for name, value in event.fields.items()}
    assert {name: type(value) for name, value in again.fields.items()} == types


@given(sent=valid_events())
def test_the_text_is_an_event_that_may_be_sent_and_means_the_same(sent: dict[str, Any]) -> None:
    event, workspace = travelled(sent)

    assert travelled(json.loads(event_json(event, workspace))) == (event, workspace)


def test_the_text_names_everything_as_the_contract_does() -> None:
    event, workspace = travelled(
        session(duration_seconds=942, exit_code=255, client_seq=2**63 - 1, reason="größer")
    )

    assert json.loads(event_json(event, workspace)) == {
        **session(duration_seconds=942, exit_code=255, client_seq=2**63 - 1, reason="größer"),
        "started_at": "2026-03-24T10:12:03.000000Z",
        "ended_at": "2026-03-24T10:27:45.000000Z",
    }


def test_a_cli_instance_has_no_workspace() -> None:
    event, workspace = travelled(instance(last_seen="2026-03-24T10:12:03.5+01:00"))

    text = event_json(event, workspace)

    assert json.loads(text) == {**instance(), "last_seen": "2026-03-24T09:12:03.500000Z"}


def test_what_was_left_out_of_an_event_is_not_forgotten() -> None:
    event, workspace = travelled(run(), fields_dropped=True)

    assert json.loads(event_json(event, workspace))["fields_dropped"] is True
    assert event_of_json(event_json(event, workspace)) == (event, workspace)


def test_the_times_are_those_of_the_table_of_kinds() -> None:
    assert TIME_FIELDS.keys() == EVENT_TYPES.keys() == BUILDERS.keys()
    for kind in Kind:
        spec = RECORD_KINDS[kind]
        assert set(TIME_FIELDS[kind]) == {spec.start_field, spec.end_field} - {None}
    assert set(TIME_FIELDS[CLI_INSTANCE]) == {"first_seen", "last_seen"}


@pytest.mark.parametrize("time_us", [2**62, -(2**62), "10:12", None])
def test_a_time_that_validation_would_have_refused_has_no_text(time_us: object) -> None:
    event, workspace = travelled(run())
    event.fields["started_at"] = time_us

    with pytest.raises((ValueError, OverflowError, TypeError)):
        event_json(event, workspace)
