"""The correlate stage without its I/O: one message of the log in, what to keep and send out.

Faust (`app.py`) and the embedded driver (`embedded.py`) run the same stage; they only differ in
where rows, batches and dead letters go. Pure but for metrics.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from math import ceil
from typing import Any, Final, TypeVar

from processors.applied_envelope import (
    AppliedEnvelope,
    decode_row,
    encode_row,
    place_of_row,
    row_key,
)
from processors.correlator import Applied, Correlator, snapshots_of
from processors.dead_letter import dead_event_letter, undecodable_letter
from processors.eviction import ROWS_PER_PASS_MIN, RowLoader, TableChange
from processors.horizon import Horizon
from processors.past import PastNeeded, PastSnapshot, decode_evicted, is_evicted
from processors.snapshot_row import cut, snapshot_rows
from runtime.metrics import ENTRIES_EMITTED, ENVELOPES_APPLIED, count_dead_letter
from schemas.codec import UndecodableError
from schemas.entry import SnapshotRow, TimelineBatch
from schemas.envelope import Envelope, decode_envelope

T = TypeVar("T")

# An entry with all its links is about 4 kB: a batch stays well below a message's limit.
_ENTRIES_PER_BATCH: Final = 250
# At most two an event, each smaller than its event.
_OBSERVATIONS_PER_BATCH: Final = 2_000
_HANDLED_PER_COUNT: Final = 64


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of one message. `row` is (key, value) to put into the table, or None."""

    row: tuple[bytes, bytes] | None = None
    batches: list[TimelineBatch] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)


class Stage:
    """Holds the state of the partitions it was given messages of."""

    def __init__(self, *, lost_after_us: int) -> None:
        self._lost_after_us: Final = lost_after_us
        self._correlators: dict[int, Correlator] = {}
        # Of the records of all partitions, as of the last count.
        self._surplus_share = 0.0
        self._until_counted = 0

    @property
    def facts(self) -> int:
        """How many records are held in memory."""
        return sum(correlator.facts for correlator in self._correlators.values())

    def restore(self, rows: Mapping[bytes, bytes]) -> None:
        """Forget all state and put back what the table holds. Raises UndecodableError."""
        self._correlators = {}
        keys = []
        for key, row in rows.items():
            if is_evicted(row):
                evicted = decode_evicted(row)
                self._correlator(evicted.partition).restore_evicted(evicted)
            else:
                keys.append(key)
        # One after the other: all of them decoded would be as much again as the state itself.
        keys.sort(key=place_of_row)
        for key in keys:
            applied = decode_row(rows[key])
            self._correlator(applied.partition).restore(applied)
        for correlator in self._correlators.values():
            correlator.end_restore()

    def handle(
        self, message: bytes, *, partition: int, offset: int, load_row: RowLoader
    ) -> Outcome:
        """What one message leads to. The same message again leads to the same, from any state.

        `load_row` reads the table. Never raises for what a message holds; PastMissingError when
        memory has let go of what it needs: then nothing was changed, supply it and try again.
        """
        try:
            envelope = decode_envelope(message)
            snapshots = snapshots_of(envelope)
            received = _received(envelope)
        except UndecodableError as error:
            letter = undecodable_letter(message, error, partition=partition, offset=offset)
            count_dead_letter(letter["reason"])
            return Outcome(batches=[_empty_batch(partition, offset)], dead_letters=[letter])
        self._until_counted -= 1
        key = row_key(partition, envelope.key, offset)
        correlator = self._correlator(partition)
        if correlator.is_applied(envelope, offset):
            applied = correlator.replay(envelope, offset, _decoded(load_row(key)))
        else:
            applied = correlator.apply(envelope, offset, snapshots)
        for dead in applied.dead:
            received[dead.index]["dead_reason"] = dead.reason.value
        ENVELOPES_APPLIED.inc()
        ENTRIES_EMITTED.inc(len(applied.entries))
        letters = [
            dead_event_letter(envelope, dead, partition=partition, offset=offset)
            for dead in applied.dead
        ]
        for letter in letters:
            count_dead_letter(letter["reason"])
        return Outcome(
            row=None if applied.row is None else (key, encode_row(applied.row)),
            batches=_batches(envelope, applied, received, partition, offset),
            dead_letters=letters,
        )

    def supply(self, partition: int, needed: PastNeeded, stored: Iterable[PastSnapshot]) -> None:
        """Take in what a PastMissingError asked for: what the store has, in the log's order."""
        self._correlator(partition).supply(needed, stored)

    def evict(
        self,
        partition: int,
        *,
        horizon: Horizon,
        inserted_offset: int,
        load_row: RowLoader,
        rows_min: int = ROWS_PER_PASS_MIN,
    ) -> list[TableChange]:
        """Let go of what is older than the horizon; what to change in the table, in this order.

        Nothing of an envelope above `inserted_offset`, up to which the store has everything and
        nothing is ever handled again.
        """
        correlator = self._correlator(partition)
        return correlator.evict(
            horizon=horizon,
            surplus=self._surplus_of(correlator, horizon.records_max),
            inserted_offset=inserted_offset,
            load_row=load_row,
            rows_min=rows_min,
        )

    def _surplus_of(self, correlator: Correlator, records_max: int) -> int:
        """How many records too many it holds: its share of those of all."""
        if self._until_counted <= 0:
            # Counting looks at every workspace.
            self._until_counted = _HANDLED_PER_COUNT
            facts = self.facts
            self._surplus_share = max(0.0, 1 - records_max / facts) if facts else 0.0
        return ceil(correlator.facts * self._surplus_share) if self._surplus_share else 0

    def _correlator(self, partition: int) -> Correlator:
        correlator = self._correlators.get(partition)
        if correlator is None:
            correlator = Correlator(partition, lost_after_us=self._lost_after_us)
            self._correlators[partition] = correlator
        return correlator


def _decoded(row: bytes | None) -> AppliedEnvelope | None:
    return None if row is None else decode_row(row)


def _received(envelope: Envelope) -> list[SnapshotRow]:
    """Raises UndecodableError, like `snapshots_of`, before anything was changed."""
    try:
        return snapshot_rows(envelope)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise UndecodableError(f"envelope: {type(error).__name__} in an event") from error


def _batches(
    envelope: Envelope,
    applied: Applied,
    received: Sequence[SnapshotRow],
    partition: int,
    offset: int,
) -> list[TimelineBatch]:
    """At least one batch, because each event is in one: so the watermark passes every envelope."""
    sender = envelope.sender
    parts = zip_longest(
        _parts(applied.entries, _ENTRIES_PER_BATCH),
        _parts(applied.observations, _OBSERVATIONS_PER_BATCH),
        cut(received),
    )
    batches: list[TimelineBatch] = [
        {
            "organization": sender.organization,
            "workspace": envelope.workspace or "",
            "partition": partition,
            "offset": offset,
            "received_at": envelope.received_at,
            "is_last": False,
            "entries": entries or [],
            "observations": observations or [],
            "actor": sender.actor,
            "actor_kind": sender.actor_kind,
            "key_id": sender.key_id,
            "snapshots": snapshots or [],
        }
        for entries, observations, snapshots in parts
    ]
    batches[-1]["is_last"] = True
    return batches


def _parts(rows: list[T], size: int) -> list[list[T]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _empty_batch(partition: int, offset: int) -> TimelineBatch:
    """What moves the watermark past a message of which nothing is known."""
    return {
        "organization": "",
        "workspace": "",
        "partition": partition,
        "offset": offset,
        "received_at": 0,
        "is_last": True,
        "entries": [],
        "observations": [],
    }
