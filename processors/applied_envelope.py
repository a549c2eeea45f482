"""What one envelope changed: one row of the table that state is rebuilt from.

A row is written once and costs by the size of the change. It holds the events that changed a
record, the records whose entries went out, and what became a dead letter, so that state can be
rebuilt from rows in the order of their offsets, and what was emitted can be emitted again.
"""

from dataclasses import dataclass
from typing import Any, Final

from processors.record import RecordId
from schemas.codec import Codec
from schemas.envelope import (
    Envelope,
    envelope_of,
    event_datum,
    id_bytes,
    id_text,
    sender_datum,
)
from schemas.kinds import DeadLetterReason, Kind

_CODEC: Final = Codec("applied_envelope")
_KEY_PARTITION_BYTES: Final = 4
_KEY_OFFSET_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedEnvelope:
    """`changes` is an envelope that holds only the events that changed something, maybe none."""

    partition: int
    offset: int
    changes: Envelope
    emitted: tuple[RecordId, ...]
    dead: tuple[tuple[int, DeadLetterReason], ...]  # (index of the event in its envelope, reason)
    flagged: tuple[tuple[RecordId, DeadLetterReason], ...]
    # The changed records of which the rows do not hold all: what was before is in the store only.
    past: tuple[RecordId, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to keep: all of it was known."""
        return not (self.changes.events or self.emitted or self.dead)


def row_key(partition: int, envelope_key: str, offset: int) -> bytes:
    """Partition, `organization/workspace`, offset: unique, and says whose row it is."""
    head = partition.to_bytes(_KEY_PARTITION_BYTES, "big")
    return head + envelope_key.encode() + b"\0" + offset.to_bytes(_KEY_OFFSET_BYTES, "big")


def evicted_key(partition: int, envelope_key: str) -> bytes:
    """Of the row that says what of a workspace was let go of; no offset comes so far."""
    return row_key(partition, envelope_key, (1 << 8 * _KEY_OFFSET_BYTES) - 1)


def partition_of_row(key: bytes) -> int:
    """The partition a row belongs to."""
    return int.from_bytes(key[:_KEY_PARTITION_BYTES], "big")


def place_of_row(key: bytes) -> tuple[bytes, bytes]:
    """Partition and offset of a row, for sorting."""
    return key[:_KEY_PARTITION_BYTES], key[-_KEY_OFFSET_BYTES:]


def encode_row(applied: AppliedEnvelope) -> bytes:
    datum: dict[str, Any] = {
        **sender_datum(applied.changes),
        "partition": applied.partition,
        "offset": applied.offset,
        "events": [event_datum(event) for event in applied.changes.events],
        "emitted": [{"kind": key.kind, "id": id_bytes(key.id)} for key in applied.emitted],
        "dead": [{"index": index, "reason": reason} for index, reason in applied.dead],
        "flagged": [
            {"kind": key.kind, "id": id_bytes(key.id), "flag": reason}
            for key, reason in applied.flagged
        ],
        "past": [{"kind": key.kind, "id": id_bytes(key.id)} for key in applied.past],
    }
    return _CODEC.encode(datum)


def decode_row(row: bytes) -> AppliedEnvelope:
    """Raises UndecodableError: the table was written by a newer version, or is damaged."""
    datum = _CODEC.decode(row)
    return AppliedEnvelope(
        partition=datum["partition"],
        offset=datum["offset"],
        changes=envelope_of(datum),
        emitted=tuple(_record_id(named) for named in datum["emitted"]),
        dead=tuple((dead["index"], DeadLetterReason(dead["reason"])) for dead in datum["dead"]),
        flagged=tuple(
            (_record_id(named), DeadLetterReason(named["flag"])) for named in datum["flagged"]
        ),
        # Version 1 had none.
        past=tuple(_record_id(named) for named in datum.get("past", ())),
    )


def _record_id(datum: dict[str, Any]) -> RecordId:
    return RecordId(Kind(datum["kind"]), id_text(datum["id"]))
