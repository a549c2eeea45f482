"""Deliveries and records in one line each, with short times: `10:00`, `10:00:00.000001`, `2T10:00`.

A number is a record's id; a day before the `T` counts from the first of the month.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from typing import Any

from processors.correlator import snapshots_of
from processors.record import Record
from processors.snapshot import Snapshot
from schemas.kinds import Kind
from tests.simulation.core import LOST_AFTER_US, Core, envelopes_of
from tests.simulation.oracle import Delivery

WORKSPACE = "db"
INSTANCE = "cli-8f3891b2"
OTHER_INSTANCE = "cli-00000002"
SHA = "a" * 40
OTHER_SHA = "b" * 40


def moment(text: str) -> datetime:
    """`10:00` on the tenth of November 2026, `11T10:00` on the eleventh."""
    day, separator, clock = text.rpartition("T")
    on_day = datetime(2026, 11, int(day) if separator else 10, tzinfo=UTC)
    return datetime.combine(on_day, time.fromisoformat(clock), tzinfo=UTC)


def id_of(number: int) -> str:
    """A UUID that sorts as the number does."""
    return f"00000000-0000-4000-8000-{number:012x}"


def run(
    number: int = 1,
    start: str = "10:00",
    end: str | None = "10:05",
    *,
    actor: str = "anna",
    received: str | None = None,
    **fields: Any,
) -> Delivery:
    """An action run; received at its last own time unless said otherwise."""
    event = {
        "type": "action_run",
        "block": "db",
        "action": "patch",
        "started_at": moment(start).isoformat(),
        "finished_at": None if end is None else moment(end).isoformat(),
    }
    return _delivery(number, event, actor, received or end or start, fields)


def session(
    number: int = 1,
    start: str = "10:00",
    end: str | None = "10:05",
    *,
    actor: str = "anna",
    received: str | None = None,
    **fields: Any,
) -> Delivery:
    """An SSH session; received at its last own time unless said otherwise."""
    event = {
        "type": "ssh_session",
        "host": {"inventory_name": "db-3"},
        "started_at": moment(start).isoformat(),
        "ended_at": None if end is None else moment(end).isoformat(),
    }
    return _delivery(number, event, actor, received or end or start, fields)


def sync(
    number: int = 1,
    at: str = "09:00",
    *,
    sha: str | None = SHA,
    actor: str = "anna",
    received: str | None = None,
    **fields: Any,
) -> Delivery:
    """A workspace sync, successful unless `result` says otherwise."""
    event: dict[str, Any] = {
        "type": "workspace_sync",
        "timestamp": moment(at).isoformat(),
        "result": "success",
        "git": None if sha is None else {"branch": "main", "after_sha": sha},
    }
    return _delivery(number, event, actor, received or at, fields)


def _delivery(
    number: int, event: dict[str, Any], actor: str, received: str, fields: dict[str, Any]
) -> Delivery:
    sender = {name: fields.pop(name) for name in ("actor_kind", "key_id") if name in fields}
    fields_dropped = fields.pop("fields_dropped", False)
    return Delivery(
        event={"id": id_of(number), "workspace": WORKSPACE, **event, **fields},
        actor=actor,
        received_at=moment(received),
        fields_dropped=fields_dropped,
        **sender,
    )


def sent(deliveries: Iterable[Delivery]) -> Core:
    """The core after a request a delivery."""
    core = Core()
    for delivery in deliveries:
        core.send([delivery])
    return core


def entry_of(core: Core, kind: Kind, number: int = 1) -> dict[str, Any]:
    """An entry as a reader sees it."""
    return core.timeline()[WORKSPACE, kind.value, id_of(number)]


def snapshots(deliveries: Sequence[Delivery]) -> list[Snapshot]:
    """What the fold sees of deliveries."""
    return [
        snapshot
        for delivery in deliveries
        for envelope in envelopes_of([delivery])
        for snapshot in snapshots_of(envelope)
    ]


def record(*deliveries: Delivery) -> Record:
    """The record that deliveries of one identity fold into."""
    first, *others = snapshots(deliveries)
    folded = Record(first, LOST_AFTER_US)
    for other in others:
        folded.fold(other)
    return folded
