"""What was received can be told again from the rows that were kept of it."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from processors.correlator import snapshots_of
from processors.received_envelope import envelope_of_rows
from processors.snapshot_row import snapshot_rows
from processors.stage import Stage
from schemas.codec import UndecodableError
from schemas.envelope import Envelope, decode_envelope, encode_envelope
from schemas.kinds import CLI_INSTANCE, Kind
from tests.processors.builders import INSTANCE, run, session, sync
from tests.schemas.golden_content import GOLDEN_FOLDER
from tests.simulation.core import LOST_AFTER_US, envelopes_of, requests_of
from tests.simulation.histories import histories, mixed_history
from tests.simulation.oracle import Delivery
from timeline.stored_snapshot import StoredSnapshot

PARTITION, OFFSET = 3, 17


def stored(envelope: Envelope) -> list[StoredSnapshot]:
    """The rows that the sink keeps of an envelope."""
    sender = envelope.sender
    return [
        StoredSnapshot(
            organization=sender.organization,
            workspace=envelope.workspace or "",
            partition=PARTITION,
            offset=OFFSET,
            event_index=row["index"],
            received_at=envelope.received_at,
            actor=sender.actor,
            actor_kind=sender.actor_kind,
            key_id=sender.key_id,
            event=row["event"],
            dead_reason="",
        )
        for row in snapshot_rows(envelope)
    ]


def no_row(key: bytes) -> None:
    """A table that holds nothing."""


def assert_comes_back(envelope: Envelope) -> None:
    """`envelope` as read from the log; what comes back from its rows is the same in all."""
    back = envelope_of_rows(stored(envelope))

    assert snapshots_of(back) == snapshots_of(envelope)
    assert back == envelope
    # Not only equal: 5.0 and 5 differ on the log.
    assert encode_envelope(back) == encode_envelope(envelope)


def logged(deliveries: list[Delivery]) -> list[Envelope]:
    """As the correlation reads it: from the log."""
    return [
        decode_envelope(encode_envelope(envelope))
        for request in requests_of(deliveries, 20)
        for envelope in envelopes_of(request)
    ]


def test_every_field_there_is_comes_back() -> None:
    envelope = decode_envelope((GOLDEN_FOLDER / "envelope-1.avro").read_bytes())
    records = [event for event in envelope.events if event.type != CLI_INSTANCE]
    # One of the golden ones states less than ingest would take.
    instances = [event for event in envelope.events if "cli_version" in event.fields]
    instances = [event for event in instances if event.type == CLI_INSTANCE]

    assert {event.type for event in records} == set(Kind)
    assert any(event.fields.get("fields_dropped") for event in records)
    assert_comes_back(replace(envelope, events=records))
    assert any(event.fields.get("fields_dropped") for event in instances)
    assert_comes_back(replace(envelope, workspace=None, events=instances))


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(histories())
def test_any_history_comes_back(deliveries: list[Delivery]) -> None:
    for envelope in logged(deliveries):
        assert_comes_back(envelope)


def test_a_month_comes_back_and_gives_the_very_same_batches() -> None:
    first, second = Stage(lost_after_us=LOST_AFTER_US), Stage(lost_after_us=LOST_AFTER_US)

    for offset, envelope in enumerate(logged(mixed_history(5, 400))):
        told = envelope_of_rows(stored(envelope))
        outcomes = [
            stage.handle(encode_envelope(each), partition=0, offset=offset, load_row=no_row)
            for stage, each in ((first, envelope), (second, told))
        ]
        assert outcomes[0] == outcomes[1]


def test_large_numbers_fractions_and_dropped_fields_come_back() -> None:
    (envelope,) = logged(
        [
            run(
                end="10:00:00.000001",
                exit_code=2**32 - 1,
                client_seq=2**63 - 1,
                duration_ms=2**63 - 1,
                fields_dropped=True,
                reason="Zertifikat „erneuert“ \\ \u2028 证明",
            )
        ]
    )
    assert_comes_back(envelope)
    (envelope,) = logged([session(duration_seconds=0.1 + 0.2, exit_code=-(2**31))])
    assert_comes_back(envelope)
    (envelope,) = logged([session(duration_seconds=5)])
    assert_comes_back(envelope)
    (envelope,) = logged([sync(sha=None, git={"branch": "main"}, cli_instance_id=INSTANCE)])
    assert_comes_back(envelope)


def test_rows_count_in_any_order_and_number() -> None:
    (envelope,) = envelopes_of([run(1), session(2), sync(3)])
    rows = stored(envelope) * 2
    Random(7).shuffle(rows)

    assert envelope_of_rows(rows) == envelope


def test_rows_that_are_missing_are_not_passed_over() -> None:
    (envelope,) = envelopes_of([run(1), session(2), sync(3)])
    rows = stored(envelope)

    for rest in (rows[1:], [rows[0], rows[2]], []):
        with pytest.raises(UndecodableError):
            envelope_of_rows(rest)


def test_rows_of_two_envelopes_make_none() -> None:
    (envelope,) = envelopes_of([run(1), session(2)])
    first, second = stored(envelope)

    with pytest.raises(UndecodableError):
        envelope_of_rows([first, second._replace(received_at=second.received_at + 1)])
    with pytest.raises(UndecodableError):
        envelope_of_rows([first, second._replace(event="{}")])
