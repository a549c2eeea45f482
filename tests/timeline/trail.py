"""Builders of rows, and one organization's part of a store, without words the case is not about."""

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from schemas.entry import LINK_COLUMNS, NO_GAP, ObservationRow, SnapshotRow, TimelineBatch
from schemas.envelope import Event
from schemas.event_json import event_json
from schemas.times import parse_us
from timeline.entry_row import EntryColumns
from timeline.filters import parse_filters
from timeline.moment import Moment
from timeline.scope import Scope
from timeline.store import Store
from timeline.timeline_query import Page, read_page
from timeline.writer import EntryWriter, InsertCounts

T = TypeVar("T")

DAY = "2026-03-24"
LOST_AFTER_US = 24 * 3_600 * 1_000_000
# Long after the day the tests play on.
NOW_US = parse_us("2026-03-30T00:00:00Z")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def at_us(clock: str) -> int:
    """µs of a time of the day the tests play on: `10:12` or `10:12:03`; or of a whole time."""
    if "T" in clock:
        return parse_us(clock)
    return parse_us(f"{DAY}T{clock if clock.count(':') == 2 else clock + ':00'}Z")


def id_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def run_entry(number: int, start: str = "10:00", end: str | None = "10:05", **more: Any) -> Any:
    return _entry("action_run", number, start, end, {"block": "web", "action": "deploy"}, more)


def session_entry(number: int, start: str = "10:00", end: str | None = "10:05", **more: Any) -> Any:
    return _entry("ssh_session", number, start, end, {"host_inventory_name": "server01"}, more)


def sync_entry(number: int, start: str = "10:00", **more: Any) -> Any:
    row = _entry("workspace_sync", number, start, start, {"result": "success"}, more)
    return {**row, "ended_at": None, "duration_ms": None}


def _entry(
    kind: str, number: int, start: str, end: str | None, own: dict[str, Any], more: dict[str, Any]
) -> dict[str, Any]:
    start_us, end_us = at_us(start), None if end is None else at_us(end)
    closed = "ended" if kind == "ssh_session" else "successful"
    return {
        "kind": kind,
        "id": id_of(number),
        "occurred_at": start_us,
        "ended_at": end_us,
        "duration_ms": None if end_us is None else (end_us - start_us) // 1_000,
        "is_open": end is None,
        "status": "running" if end is None else closed,
        "actor": "alice",
        "actor_kind": "person",
        "key_id": "key-1",
        "received_at": start_us,
        "revision": 1,
        **own,
        **_link_columns(more.pop("links", [])),
        **more,
    }


def _link_columns(links: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`link_row`s as an entry holds them: with sentences if they have one, as older versions."""
    names = [*LINK_COLUMNS, *({"link_explanation"} if links and "explanation" in links[0] else ())]
    columns = {name: [link[name.removeprefix("link_")] for link in links] for name in names}
    gaps = columns["link_gap_ms"]
    return {**columns, "link_gap_ms": [NO_GAP if gap is None else gap for gap in gaps]}


def snapshot_row(entry: Any, index: int = 0, **more: Any) -> SnapshotRow:
    """What was received of the record of an entry built above."""
    fields = {"id": entry["id"], "reason": f"snapshot {index}"}
    row: Any = {
        "index": index,
        "kind": entry["kind"],
        "id": entry["id"],
        "occurred_at": entry["occurred_at"],
        "event": event_json(Event(entry["kind"], fields), "acme"),
        **more,
    }
    return cast("SnapshotRow", row)


def link_row(rule: str = "during", target: int = 7, **more: Any) -> dict[str, Any]:
    return {
        "rule": rule,
        "target_kind": "ssh_session",
        "target_id": id_of(target),
        "confidence": "exact",
        "gap_ms": None,
        "origin": "actor",
        **more,
    }


@dataclass
class Trail:
    store: Store
    organization: str = field(default_factory=lambda: f"org-{uuid.uuid4().hex}")

    def batch(
        self, *entries: Any, workspace: str = "acme", observations: Sequence[ObservationRow] = ()
    ) -> TimelineBatch:
        # Not the last of its envelope: the watermark belongs to the whole store.
        return {
            "organization": self.organization,
            "workspace": workspace,
            "partition": 0,
            "offset": 1,
            "received_at": 1,
            "is_last": False,
            "entries": list(entries),
            "observations": list(observations),
        }

    def put(self, *entries: Any, workspace: str = "acme", token: str = "") -> InsertCounts:
        return self.insert(self.batch(*entries, workspace=workspace), token=token)

    def envelope(
        self,
        *snapshots: SnapshotRow,
        workspace: str = "acme",
        offset: int = 1,
        partition: int = 0,
        received_at: str = "11:00",
        actor: str = "alice",
    ) -> TimelineBatch:
        """The events of one envelope, and nothing that they changed."""
        return {
            **self.batch(workspace=workspace),
            "partition": partition,
            "offset": offset,
            "received_at": at_us(received_at),
            "actor": actor,
            "actor_kind": "person",
            "key_id": f"key of {actor}",
            "snapshots": list(snapshots),
        }

    def receive(self, *snapshots: SnapshotRow, token: str = "", **envelope: Any) -> InsertCounts:
        return self.insert(self.envelope(*snapshots, **envelope), token=token)

    def observe(self, *observations: ObservationRow) -> None:
        self.insert(self.batch(observations=observations))

    def insert(self, *batches: TimelineBatch, token: str = "") -> InsertCounts:
        writer = EntryWriter(self.store)
        return run(writer.insert(batches, token=token or uuid.uuid4().hex))

    def page(
        self, *pairs: tuple[str, str], now_us: int = NOW_US, scope: Scope | None = None
    ) -> Page:
        moment = Moment(now_us=now_us, lost_after_us=LOST_AFTER_US)
        chosen = scope or Scope(self.organization)
        return run(read_page(self.store, chosen, parse_filters(pairs), moment))

    def found(self, *pairs: tuple[str, str], now_us: int = NOW_US) -> list[int]:
        """Numbers of the entries found, in order."""
        return [number_of(row) for row in self.page(*pairs, now_us=now_us).rows]


def number_of(row: EntryColumns) -> int:
    return int(row["id"][-12:], 16)
