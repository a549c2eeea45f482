"""The correlate stage without its I/O: one message of the log in, what to keep and send out.

Faust (`app.py`) and the embedded driver (`embedded.py`) run the same stage; they only differ in
where rows, batches and dead letters go. Pure but for metrics.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from processors.applied_envelope import AppliedEnvelope, decode_row, encode_row, row_key
from processors.correlator import Applied, Correlator, snapshots_of
from processors.dead_letter import dead_event_letter, undecodable_letter
from runtime.metrics import DEAD_LETTERS, ENTRIES_EMITTED, ENVELOPES_APPLIED
from schemas.codec import UndecodableError
from schemas.entry import TimelineBatch
from schemas.envelope import Envelope, decode_envelope

# An entry with all its links is about 4 kB: a batch stays well below a message's limit.
_ENTRIES_PER_BATCH: Final = 250

RowLoader: TypeAlias = Callable[[bytes], bytes | None]


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

    @property
    def facts(self) -> int:
        """How many records are held in memory."""
        return sum(correlator.facts for correlator in self._correlators.values())

    def restore(self, rows: Iterable[bytes]) -> None:
        """Forget all state and put back what `rows` hold. Raises UndecodableError."""
        self._correlators = {}
        applied = sorted(map(decode_row, rows), key=lambda row: (row.partition, row.offset))
        for row in applied:
            self._correlator(row.partition).restore(row)

    def handle(
        self, message: bytes, *, partition: int, offset: int, load_row: RowLoader
    ) -> Outcome:
        """What one message leads to. The same message again leads to the same, from any state.

        `load_row` reads the table. Never raises for what a message holds.
        """
        try:
            envelope = decode_envelope(message)
            snapshots = snapshots_of(envelope)
        except UndecodableError as error:
            letter = undecodable_letter(message, error, partition=partition, offset=offset)
            DEAD_LETTERS.labels(letter["reason"]).inc()
            empty = _batch("", "", partition, offset, 0, is_last=True)
            return Outcome(batches=[empty], dead_letters=[letter])
        key = row_key(partition, envelope.key, offset)
        correlator = self._correlator(partition)
        if correlator.is_applied(envelope, offset):
            applied = correlator.replay(envelope, _decoded(load_row(key)))
        else:
            applied = correlator.apply(envelope, offset, snapshots)
        ENVELOPES_APPLIED.inc()
        ENTRIES_EMITTED.inc(len(applied.entries))
        letters = [
            dead_event_letter(envelope, dead, partition=partition, offset=offset)
            for dead in applied.dead
        ]
        for letter in letters:
            DEAD_LETTERS.labels(letter["reason"]).inc()
        return Outcome(
            row=None if applied.row is None else (key, encode_row(applied.row)),
            batches=_batches(envelope, applied, partition, offset),
            dead_letters=letters,
        )

    def _correlator(self, partition: int) -> Correlator:
        correlator = self._correlators.get(partition)
        if correlator is None:
            correlator = Correlator(partition, lost_after_us=self._lost_after_us)
            self._correlators[partition] = correlator
        return correlator


def _decoded(row: bytes | None) -> AppliedEnvelope | None:
    return None if row is None else decode_row(row)


def _batches(
    envelope: Envelope, applied: Applied, partition: int, offset: int
) -> list[TimelineBatch]:
    """At least one batch, so that the watermark passes envelopes that changed nothing."""
    batches: list[TimelineBatch] = []
    starts = range(0, max(len(applied.entries), 1), _ENTRIES_PER_BATCH)
    for start in starts:
        batch = _batch(
            envelope.sender.organization,
            envelope.workspace or "",
            partition,
            offset,
            envelope.received_at,
            is_last=start == starts[-1],
        )
        batch["entries"] = applied.entries[start : start + _ENTRIES_PER_BATCH]
        if start == 0:
            batch["observations"] = applied.observations
        batches.append(batch)
    return batches


def _batch(
    organization: str,
    workspace: str,
    partition: int,
    offset: int,
    received_at: int,
    *,
    is_last: bool,
) -> TimelineBatch:
    return {
        "organization": organization,
        "workspace": workspace,
        "partition": partition,
        "offset": offset,
        "received_at": received_at,
        "is_last": is_last,
        "entries": [],
        "observations": [],
    }
