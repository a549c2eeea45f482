"""The events of an envelope as rows: what was received, as received. Pure.

A row depends on nothing but its envelope and the verdict on its event, so that a replay writes the
very same ones.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NotRequired, get_args, get_origin

from typing_extensions import is_typeddict

from schemas.entry import SnapshotRow
from schemas.envelope import Envelope, Event
from schemas.event_json import event_json
from schemas.events import EVENT_TYPES
from schemas.kinds import CLI_INSTANCE, Kind
from schemas.records import RECORD_KINDS

# Together they stay far below a message's limit, with the entries of a batch and its observations.
ROWS_PER_BATCH_MAX: Final = 2_000
EVENT_BYTES_PER_BATCH_MAX: Final = 1024 * 1024


def _required(shape: Any) -> tuple[str, ...]:
    # The envelope says these.
    return tuple(sorted(shape.__required_keys__ - {"type", "workspace"}))


def _required_inside(shape: Any) -> Mapping[str, tuple[str, ...]]:
    """By the name of an object in it."""
    stated = {
        name: get_args(annotation)[0] if get_origin(annotation) is NotRequired else annotation
        for name, annotation in shape.__annotations__.items()
    }
    return {name: _required(inner) for name, inner in stated.items() if is_typeddict(inner)}


_REQUIRED: Final = {name: _required(shape) for name, shape in EVENT_TYPES.items()}
_REQUIRED_INSIDE: Final = {name: _required_inside(shape) for name, shape in EVENT_TYPES.items()}


def snapshot_rows(envelope: Envelope) -> list[SnapshotRow]:
    """A row an event, in order; none says yet whether its event was used.

    Raises KeyError, ValueError, TypeError or OverflowError for what ingest would never have sent.
    """
    return [
        {
            "index": index,
            "kind": event.type,
            "id": _required_id(event),
            "occurred_at": _occurred_at(event, envelope.received_at),
            "cli_instance_id": _instance_id(event),
            "client_seq": event.fields.get("client_seq"),
            "dead_reason": "",
            "event": event_json(event, envelope.workspace),
        }
        for index, event in enumerate(envelope.events)
    ]


def cut(rows: Iterable[SnapshotRow]) -> list[list[SnapshotRow]]:
    """The rows in order, in parts that each fit into a batch."""
    parts: list[list[SnapshotRow]] = []
    part: list[SnapshotRow] = []
    event_bytes = 0
    for row in rows:
        row_bytes = len(row["event"].encode())
        is_full = event_bytes + row_bytes > EVENT_BYTES_PER_BATCH_MAX
        if part and (is_full or len(part) >= ROWS_PER_BATCH_MAX):
            parts.append(part)
            part, event_bytes = [], 0
        part.append(row)
        event_bytes += row_bytes
    if part:
        parts.append(part)
    return parts


def _required_id(event: Event) -> str:
    """Its id. Raises KeyError when it lacks anything required: an empty text is not stated."""
    fields = event.fields
    for name in _REQUIRED[event.type]:
        fields[name]
    for name, names in _REQUIRED_INSIDE[event.type].items():
        if (inside := fields.get(name)) is not None:
            for each in names:
                inside[each]
    id_: str = fields["id"]
    return id_


def _occurred_at(event: Event, received_at: int) -> int:
    """The latest own time; of a CLI instance that states none, when it arrived."""
    fields = event.fields
    if event.type == CLI_INSTANCE:
        last_seen: int = fields.get("last_seen", received_at)
        return last_seen
    spec = RECORD_KINDS[Kind(event.type)]
    start: int = fields[spec.start_field]
    return start if spec.end_field is None else fields.get(spec.end_field, start)


def _instance_id(event: Event) -> str:
    """Who counts in `client_seq`: a snapshot of an instance need not name itself a second time."""
    stated: str | None = event.fields.get("cli_instance_id")
    if stated is None and event.type == CLI_INSTANCE:
        return str(event.fields["id"])
    return stated or ""
