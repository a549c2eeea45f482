"""What is kept of an envelope, on its way into the table and back."""

import pytest

from processors.applied_envelope import (
    AppliedEnvelope,
    decode_row,
    encode_row,
    partition_of_row,
    row_key,
)
from processors.record import RecordId
from schemas.codec import UndecodableError
from schemas.envelope import Envelope
from schemas.kinds import DeadLetterReason, Kind
from tests.processors.builders import id_of, run, session, sync
from tests.simulation.core import envelopes_of

RUN = RecordId(Kind.ACTION_RUN, id_of(1))
SESSION = RecordId(Kind.SSH_SESSION, id_of(0xABCDEF))


def applied(
    *,
    emitted: tuple[RecordId, ...] = (),
    dead: tuple[tuple[int, DeadLetterReason], ...] = (),
    flagged: tuple[tuple[RecordId, DeadLetterReason], ...] = (),
    has_changes: bool = True,
) -> AppliedEnvelope:
    (envelope,) = envelopes_of([run(1, end=None), session(2, ticket="CHG-17"), sync(3)])
    changes = Envelope(
        sender=envelope.sender,
        workspace=envelope.workspace,
        received_at=envelope.received_at,
        events=envelope.events if has_changes else [],
    )
    return AppliedEnvelope(
        partition=5, offset=2**40, changes=changes, emitted=emitted, dead=dead, flagged=flagged
    )


def test_a_row_comes_back_as_it_was() -> None:
    row = applied(
        emitted=(RUN, SESSION),
        dead=(
            (0, DeadLetterReason.CONFLICTING_SNAPSHOT),
            (9_999, DeadLetterReason.FOREIGN_SNAPSHOT),
        ),
        flagged=(
            (RUN, DeadLetterReason.CONFLICTING_SNAPSHOT),
            (SESSION, DeadLetterReason.FOREIGN_SNAPSHOT),
        ),
    )

    assert decode_row(encode_row(row)) == row


def test_a_row_without_changed_events_comes_back_as_it_was() -> None:
    row = applied(has_changes=False, dead=((0, DeadLetterReason.FOREIGN_SNAPSHOT),))

    assert decode_row(encode_row(row)) == row


def test_a_row_is_empty_when_nothing_changed_went_out_or_died() -> None:
    assert applied(has_changes=False).is_empty
    assert not applied().is_empty
    assert not applied(has_changes=False, emitted=(RUN,)).is_empty
    assert not applied(has_changes=False, dead=((0, DeadLetterReason.FOREIGN_SNAPSHOT),)).is_empty


@pytest.mark.parametrize("row", [b"", b"damaged", encode_row(applied())[:-1]])
def test_a_damaged_row_is_undecodable(row: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode_row(row)


@pytest.mark.parametrize("partition", [0, 1, 255, 256, 2**31 - 1])
def test_a_key_says_whose_row_it_is(partition: int) -> None:
    assert partition_of_row(row_key(partition, "default/db", 2**63 - 1)) == partition


def test_keys_differ_by_partition_workspace_and_offset() -> None:
    keys = [
        row_key(partition, workspace, offset)
        for partition in (0, 1, 256)
        for workspace in ("default/db", "default/d", "default/db0", "other/db")
        for offset in (0, 1, 256, 2**40)
    ]

    assert len(set(keys)) == len(keys)


def test_keys_of_a_workspace_sort_as_their_offsets() -> None:
    offsets = [0, 1, 255, 256, 65_535, 2**40]

    assert sorted(row_key(1, "default/db", each) for each in offsets) == [
        row_key(1, "default/db", each) for each in offsets
    ]
