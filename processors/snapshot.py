"""A snapshot: one event about a record, as the fold looks at it. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from schemas.envelope import Event, Sender
from schemas.kinds import Kind
from schemas.limits import DURATION_US_MAX
from schemas.records import RECORD_KINDS, RecordKind

# Never compared and never folded: they say how an event travelled, not what happened.
_NOT_STATEMENTS: Final = frozenset({"id", "client_seq", "fields_dropped"})


@dataclass(slots=True)
class Snapshot:
    """`start` and `end` in µs; `end` None while open; a moment ends where it starts.

    `fields` are what is compared and folded: no id, start, end, duration or client_seq.
    """

    spec: RecordKind
    id: str
    start: int
    end: int | None
    stated_duration_us: int | None
    fields: dict[str, Any]
    sender: Sender
    received_at: int
    are_fields_dropped: bool

    @property
    def latest_time(self) -> int:
        """Its last own time."""
        return self.start if self.end is None else self.end


def snapshot_of(event: Event, sender: Sender, received_at: int) -> Snapshot:
    """The snapshot an event of a record kind states.

    Raises ValueError, KeyError or TypeError for what validation would have refused.
    """
    spec = RECORD_KINDS[Kind(event.type)]
    stated = event.fields
    start: int = stated[spec.start_field]
    end: int | None = start
    duration: int | None = None
    taken = {spec.start_field}
    if spec.end_field is not None:
        end = stated.get(spec.end_field)
        taken.add(spec.end_field)
    if spec.duration_field is not None:
        taken.add(spec.duration_field)
        if (value := stated.get(spec.duration_field)) is not None:
            duration = int(min(value * spec.duration_unit_us, DURATION_US_MAX))
    fields = {
        name: value
        for name, value in stated.items()
        if name not in taken and name not in _NOT_STATEMENTS
    }
    if end is None:
        for name in spec.closing_fields:
            fields.pop(name, None)
    # Whether the status can be told at all shows here, before anything is folded.
    spec.status(fields, end is None)
    return Snapshot(
        spec,
        stated["id"],
        start,
        end,
        duration,
        fields,
        sender,
        received_at,
        stated.get("fields_dropped", False),
    )
