"""The way back from `snapshot_row.py`: the rows of one offset as the envelope they came by. Pure.

Must stay true: what the fold and the register see of the envelope is what they saw the first time;
its sender, times and events are those on the log, to the microsecond and in the same order.
"""

from collections.abc import Sequence

from schemas.codec import UndecodableError
from schemas.envelope import Envelope, Event, Sender
from schemas.event_json import event_of_json
from timeline.stored_snapshot import StoredSnapshot


def envelope_of_rows(rows: Sequence[StoredSnapshot]) -> Envelope:
    """The envelope of rows of one place on the log, in whatever order; repeated ones count once.

    Raises UndecodableError when they are not all of an envelope's rows, or not of one.
    """
    by_index = {row.event_index: row for row in rows}
    if not by_index or set(by_index) != set(range(len(by_index))):
        raise UndecodableError("snapshots: an envelope's rows are not complete")
    first = by_index[0]
    if any(_of_envelope(row) != _of_envelope(first) for row in rows):
        raise UndecodableError("snapshots: rows of several envelopes in one place")
    return Envelope(
        sender=Sender(
            organization=first.organization,
            actor=first.actor,
            actor_kind=first.actor_kind,
            key_id=first.key_id,
        ),
        workspace=first.workspace or None,
        received_at=first.received_at,
        events=[_event(by_index[index]) for index in range(len(by_index))],
    )


def _of_envelope(row: StoredSnapshot) -> tuple[object, ...]:
    """What is the same in every row of an envelope."""
    return (
        *(row.organization, row.workspace, row.partition, row.offset, row.received_at),
        *(row.actor, row.actor_kind, row.key_id),
    )


def _event(row: StoredSnapshot) -> Event:
    try:
        event, _ = event_of_json(row.event)
    except (ValueError, KeyError) as error:
        raise UndecodableError(f"snapshots: {type(error).__name__} in an event") from error
    return event
