"""A record: the snapshots of one run, session or sync, folded.

Must stay true:
- Snapshots that do not contradict each other yield the same record in any order and number.
- Of two that do, the first in log order stays; a closed record never opens again.
- A record holds what its snapshots add up to, never the snapshots: its size is bounded.
- Nothing here waits, reads a clock, logs, or imports a client library.

Source: the contract, section 2, "Identity and folding".
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from processors.snapshot import Snapshot
from schemas.kinds import ActorKind, DeadLetterReason, Flag, Kind, Status
from schemas.limits import CLOCK_AHEAD_US, DURATION_TOLERANCE_US, LATE_US, US_PER_MS
from schemas.records import RecordKind


class RecordId(NamedTuple):
    """Identifies a record inside its workspace."""

    kind: Kind
    id: str


class Fold(Enum):
    """What a snapshot did to its record."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Record:
    """Mutable; only `fold` changes what it states, only the workspace changes the rest."""

    __slots__ = (
        "_closed_fields",
        "_is_late",
        "_open_fields",
        "actor",
        "actor_kind",
        "emitted",
        "end",
        "fields",
        "flags",
        "id",
        "is_past",
        "key",
        "key_id",
        "kind",
        "received_at",
        "revision",
        "rows",
        "span_end",
        "spec",
        "start",
    )

    def __init__(self, first: Snapshot, lost_after_us: int) -> None:
        self.spec: Final[RecordKind] = first.spec
        self.kind: Final = first.spec.kind
        self.id: Final = first.id
        # What it is found by; kept, because every index of the workspace holds it.
        self.key: Final = RecordId(first.spec.kind, first.id)
        self.start: Final = first.start
        self.actor: Final = first.sender.actor
        self.actor_kind: Final = first.sender.actor_kind
        self.received_at: Final = first.received_at
        self.key_id = first.sender.key_id
        self.end: int | None = None
        # Where it counts as ending for links: an open record is over some time after its start.
        self.span_end = first.start + lost_after_us
        self.fields: Mapping[str, Any] = {}  # folded
        self.flags: set[Flag] = set()  # those that stay once raised
        # Offset of the envelope that last changed the entry; -1 before the first.
        self.revision = -1
        # What the last entry said, for comparison; None when that is not known.
        self.emitted: object = None
        # Offsets of the rows that hold its snapshots; all of them, unless it came from the store.
        self.rows: tuple[int, ...] = ()
        self.is_past = False
        self._open_fields: dict[str, Any] = {}
        self._closed_fields: dict[str, Any] | None = None
        self._is_late = False
        self._take(first)
        if first.end is None:
            self._is_late = _is_late(first)

    @property
    def is_open(self) -> bool:
        return self.end is None

    @property
    def duration_ms(self) -> int | None:
        """End - start in whole milliseconds, rounded down; None while open and for moments."""
        if self.end is None or self.spec.end_field is None:
            return None
        return (self.end - self.start) // US_PER_MS

    @property
    def status(self) -> Status:
        return self.spec.status(self.fields, self.is_open)

    def all_flags(self) -> list[Flag]:
        """Every flag but those that depend on other records, in text order."""
        flags = set(self.flags).union(self.spec.derive(self.fields).flags)
        if self._is_late:
            flags.add(Flag.LATE)
        if (
            self.actor_kind == ActorKind.PERSON
            and self.fields.get("user", self.actor) != self.actor
        ):
            flags.add(Flag.ACTOR_MISMATCH)
        return sorted(flags)

    def fold(self, snapshot: Snapshot) -> Fold | DeadLetterReason:
        """Fold in a further snapshot, or say why it is a dead letter; then only a flag is left."""
        if snapshot.sender.actor != self.actor:
            return DeadLetterReason.FOREIGN_SNAPSHOT
        if snapshot.end is not None and (
            self._ends_before_start(snapshot) or self._contradicts_closed(snapshot)
        ):
            return DeadLetterReason.CONFLICTING_SNAPSHOT
        return Fold.CHANGED if self._take(snapshot) else Fold.UNCHANGED

    def flag_dead(self, reason: DeadLetterReason) -> bool:
        """Raise the flag a dead snapshot leaves; whether it is new."""
        flag = Flag(reason.value)
        is_new = flag not in self.flags
        self.flags.add(flag)
        return is_new

    def _ends_before_start(self, snapshot: Snapshot) -> bool:
        # A moment has no end of its own: another time is only a changed start.
        if self.spec.end_field is None or snapshot.end is None:
            return False
        return snapshot.end < self.start

    def _contradicts_closed(self, snapshot: Snapshot) -> bool:
        closed = self._closed_fields
        if closed is None:
            return False
        if snapshot.end != self.end and self.spec.end_field is not None:
            return True
        return any(closed.get(name, value) != value for name, value in snapshot.fields.items())

    def _take(self, snapshot: Snapshot) -> bool:
        """Add what an accepted snapshot states; whether anything is different afterwards."""
        before = len(self.flags)
        is_changed = False
        if snapshot.end is None:
            for name, value in snapshot.fields.items():
                if name not in self._open_fields:
                    self._open_fields[name] = value
                    is_changed = True
        elif self._closed_fields is None:
            self._closed_fields = dict(snapshot.fields)
            self.end = self.span_end = self.start if self.spec.end_field is None else snapshot.end
            self.key_id = snapshot.sender.key_id
            self._is_late = _is_late(snapshot)
            is_changed = True
        else:
            for name, value in snapshot.fields.items():
                if name not in self._closed_fields:
                    self._closed_fields[name] = value
                    is_changed = True
        if is_changed:
            self.fields = {**self._open_fields, **(self._closed_fields or {})}
        self._raise_flags(snapshot)
        return is_changed or len(self.flags) != before

    def _raise_flags(self, snapshot: Snapshot) -> None:
        if snapshot.start != self.start:
            self.flags.add(Flag.START_CHANGED)
        if snapshot.are_fields_dropped:
            self.flags.add(Flag.FIELDS_DROPPED)
        if max(snapshot.latest_time, snapshot.start) > snapshot.received_at + CLOCK_AHEAD_US:
            self.flags.add(Flag.CLOCK_AHEAD)
        if (
            snapshot.end is not None
            and snapshot.stated_duration_us is not None
            and (duration_ms := self.duration_ms) is not None
            and abs(snapshot.stated_duration_us - duration_ms * US_PER_MS) > DURATION_TOLERANCE_US
        ):
            self.flags.add(Flag.DURATION_MISMATCH)


def _is_late(snapshot: Snapshot) -> bool:
    return snapshot.received_at - snapshot.latest_time > LATE_US
