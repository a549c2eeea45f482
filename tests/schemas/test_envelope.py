"""What is put into an envelope comes out of it again."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import UndecodableError
from schemas.envelope import (
    ENVELOPE_CODEC,
    Envelope,
    Event,
    Sender,
    decode_envelope,
    encode_envelope,
    envelope_key,
    id_bytes,
    id_text,
    sender_datum,
)
from schemas.validation import ValidEvent, validate
from tests.schemas.events import (
    INSTANCE_ID,
    ORGANIZATION,
    OTHER_RUN_ID,
    RUN_ID,
    JsonObject,
    instance,
    run,
    session,
    sync,
    uuids,
    valid_events,
)


def event_of(sent: JsonObject) -> Event:
    verdict = validate(sent, organization=ORGANIZATION)
    assert isinstance(verdict, ValidEvent), verdict
    return Event(verdict.type, verdict.fields)


def envelope(events: Sequence[Event], *, workspace: str | None = "prod", **sender: str) -> Envelope:
    stated = {
        "organization": ORGANIZATION,
        "actor": "alice",
        "actor_kind": "person",
        "key_id": "key-1",
        **sender,
    }
    return Envelope(
        sender=Sender(**stated),
        workspace=workspace,
        received_at=1_774_347_123_456_789,
        events=events,
    )


@given(sent=st.lists(valid_events(), min_size=1, max_size=4), received_at=st.integers(0, 2**62))
def test_any_valid_events_come_out_as_they_went_in(
    sent: list[JsonObject], received_at: int
) -> None:
    before = Envelope(
        sender=envelope([]).sender,
        workspace="prod",
        received_at=received_at,
        events=[event_of(event) for event in sent],
    )

    assert decode_envelope(encode_envelope(before)) == before


@given(sent=st.lists(valid_events(), min_size=1, max_size=3))
def test_the_same_envelope_is_always_the_same_bytes(sent: list[JsonObject]) -> None:
    events = [event_of(event) for event in sent]
    turned_round = [Event(kind, dict(reversed(fields.items()))) for kind, fields in events]

    assert encode_envelope(envelope(events)) == encode_envelope(envelope(turned_round))


@pytest.mark.parametrize(
    "sent",
    [
        run(exit_code=0, client_seq=0, duration_ms=0),
        run(started_at="1970-01-01T00:00:00Z", finished_at="1970-01-01T00:00:00Z"),
        session(exit_code=0, duration_seconds=0),
        sync(encryption={"enabled": False}),
        sync(git={}, encryption=None),
        instance(first_seen="1970-01-01T00:00:00Z"),
    ],
)
def test_zero_and_false_and_an_empty_object_are_stated_and_not_left_out(sent: JsonObject) -> None:
    before = event_of(sent)

    assert decode_envelope(encode_envelope(envelope([before]))).events == [before]


@pytest.mark.parametrize("duration_ms", [2**63 - 1, 2**63, 2**64 - 1, 10**30, 10**4000])
def test_a_stated_duration_of_any_length_fits_into_an_envelope(duration_ms: int) -> None:
    before = event_of(run(duration_ms=duration_ms))

    assert decode_envelope(encode_envelope(envelope([before]))).events == [before]


@pytest.mark.parametrize("sent", [run(), session(), sync(), instance()])
def test_that_fields_were_dropped_travels_with_the_event(sent: JsonObject) -> None:
    kind, fields = event_of(sent)
    before = Event(kind, {**fields, "fields_dropped": True})

    assert decode_envelope(encode_envelope(envelope([before]))).events == [before]


def test_an_id_in_upper_case_comes_out_in_lower_case() -> None:
    before = event_of(run(id=RUN_ID.upper(), retriggered_from=OTHER_RUN_ID.upper()))

    (after,) = decode_envelope(encode_envelope(envelope([before]))).events

    assert (after.fields["id"], after.fields["retriggered_from"]) == (RUN_ID, OTHER_RUN_ID)


def test_events_without_a_workspace_come_back_without_one() -> None:
    before = envelope([event_of(instance())], workspace=None)

    assert decode_envelope(encode_envelope(before)).workspace is None


def test_an_envelope_without_events_is_undecodable() -> None:
    message = ENVELOPE_CODEC.encode({**sender_datum(envelope([])), "events": []})

    with pytest.raises(UndecodableError, match="holds no event"):
        decode_envelope(message)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": RUN_ID},
        {**event_of(run()).fields, "started_at": "2026-03-24T10:12:03Z"},
        {**event_of(run()).fields, "id": RUN_ID[:-2]},
        {**event_of(run()).fields, "client_seq": 2**63},
    ],
)
def test_an_event_that_was_never_validated_is_our_own_mistake(fields: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode_envelope(envelope([Event("action_run", fields)]))


def test_everything_of_a_workspace_has_one_key() -> None:
    events = [event_of(sent) for sent in (run(), session(), sync())]

    assert {envelope([event]).key for event in events} == {"acme/prod"}
    assert envelope(events).key == "acme/prod"
    assert envelope(events, organization="globex").key == "globex/prod"


def test_a_cli_instance_is_its_own_key_whatever_workspace_it_names() -> None:
    event = event_of(instance())

    assert envelope_key(ORGANIZATION, None, event) == f"acme/{INSTANCE_ID}"
    assert envelope_key(ORGANIZATION, "prod", event) == f"acme/{INSTANCE_ID}"


@given(one=uuids(), other=uuids())
def test_an_id_survives_its_16_bytes_and_sorts_as_they_do(one: str, other: str) -> None:
    assert id_text(id_bytes(one)) == one
    assert len(id_bytes(one)) == 16
    assert (one < other) == (id_bytes(one) < id_bytes(other))
