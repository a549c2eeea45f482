"""Runs histories through ingest's validation and the correlation core, without any service."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from processors.stage import Outcome, Stage
from schemas.entry import NO_GAP, link_id
from schemas.envelope import Envelope, Event, Sender, encode_envelope, envelope_key
from schemas.kinds import Kind
from schemas.records import RECORD_KINDS
from schemas.times import format_us, to_us
from schemas.validation import ValidEvent, validate
from tests.simulation.oracle import Delivery

LOST_AFTER_US = 24 * 3_600_000_000

EntryKey = tuple[str, str, str]  # workspace, kind, id


class Core:
    """A stage with a table beside it; what it emitted is kept as a reader would see it."""

    def __init__(self) -> None:
        self.stage = Stage(lost_after_us=LOST_AFTER_US)
        self.table: dict[bytes, bytes] = {}
        self.messages: list[bytes] = []
        self.entries: dict[EntryKey, dict[str, Any]] = {}
        self.observations: list[tuple[str, Any]] = []
        self.snapshots: dict[tuple[int, int], Any] = {}  # by offset and index
        self.dead: list[tuple[str, int]] = []
        self.emissions = 0

    def send(self, deliveries: Sequence[Delivery]) -> None:
        """One request of one sender: an envelope a workspace, as ingest cuts it."""
        for envelope in envelopes_of(deliveries):
            self.messages.append(encode_envelope(envelope))
            self.handle(len(self.messages) - 1)

    def handle(self, offset: int) -> None:
        """Handle the message at `offset`, for the first time or again."""
        outcome = self.outcome(offset)
        if outcome.row is not None:
            self.table[outcome.row[0]] = outcome.row[1]
        for letter in outcome.dead_letters:
            self.dead.append((letter["reason"], letter["index"]))
        for batch in outcome.batches:
            for snapshot in batch.get("snapshots", []):
                place = (batch["offset"], snapshot["index"])
                assert self.snapshots.setdefault(place, snapshot) == snapshot, place
            self.observations += [(batch["organization"], each) for each in batch["observations"]]
            for row in batch["entries"]:
                self.emissions += 1
                key = (batch["workspace"], row["kind"], row["id"])
                known = self.entries.get(key)
                if known is None or known["revision"] <= row["revision"]:
                    self.entries[key] = {
                        **row,
                        "organization": batch["organization"],
                        "workspace": batch["workspace"],
                    }

    def outcome(self, offset: int) -> Outcome:
        return self.stage.handle(
            self.messages[offset], partition=0, offset=offset, load_row=self.table.get
        )

    def crash(self) -> None:
        """Lose the memory; the table stays."""
        self.stage = Stage(lost_after_us=LOST_AFTER_US)
        self.stage.restore(self.table)

    def timeline(self) -> dict[EntryKey, dict[str, Any]]:
        """The entries in the oracle's form."""
        return {key: entry_json(row) for key, row in self.entries.items()}


def envelopes_of(deliveries: Sequence[Delivery]) -> list[Envelope]:
    """The envelopes of one request: events grouped by what decides their partition."""
    first = deliveries[0]
    sender = Sender(
        organization=first.organization,
        actor=first.actor,
        actor_kind=first.actor_kind,
        key_id=first.key_id,
    )
    grouped: dict[tuple[str, str | None], list[Event]] = {}
    for delivery in deliveries:
        verdict = validate(delivery.event, organization=delivery.organization)
        assert isinstance(verdict, ValidEvent), verdict
        event = Event(verdict.type, verdict.fields)
        if delivery.fields_dropped:
            event.fields["fields_dropped"] = True
        workspace = None if event.type == "cli_instance" else verdict.workspace
        key = envelope_key(delivery.organization, workspace, event)
        grouped.setdefault((key, workspace), []).append(event)
    return [
        Envelope(
            sender=sender,
            workspace=workspace,
            received_at=to_us(first.received_at),
            events=events,
        )
        for (_, workspace), events in grouped.items()
    ]


def requests_of(deliveries: Sequence[Delivery], size: int) -> list[list[Delivery]]:
    """Cut a history into requests: one sender and one time of receipt each, `size` at most."""
    requests: list[list[Delivery]] = []
    for _, same in groupby(
        deliveries, key=lambda each: (each.organization, each.actor, each.key_id, each.received_at)
    ):
        events = list(same)
        requests += [events[start : start + size] for start in range(0, len(events), size)]
    return requests


def entry_json(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the oracle writes entries, links' ids included."""
    organization, workspace = row["organization"], row["workspace"]
    source = (row["kind"], row["id"])
    entry: dict[str, Any] = {
        name: row.get(name)
        for name in (
            *("kind", "id", "organization", "workspace", "duration_ms", "status", "actor"),
            *("actor_kind", "key_id", "user", "os_user", "hostname", "cli_instance_id"),
            *("cli_version", "reason", "ticket", "links_omitted", "unexplained", "flags"),
        )
    }
    for name in ("occurred_at", "ended_at", "received_at"):
        entry[name] = None if row[name] is None else format_us(row[name])
    for own in RECORD_KINDS[Kind(row["kind"])].own_fields:
        value = row.get(own.column)
        value = None if value == "" else value
        holder, _, inner = own.path.partition(".")
        if inner:
            entry.setdefault(holder, {})[inner] = value
        else:
            entry[holder] = value
    for holder in ("host", "git", "encryption"):
        if holder in entry and not any(value is not None for value in entry[holder].values()):
            entry[holder] = None
    found = row["configured_by"]
    entry["configured_by"] = found and {
        "id": link_id(
            organization, workspace, "configured_by", source, ("workspace_sync", found["sync_id"])
        ),
        **{name: found[name] for name in ("sync_id", "commit", "confidence", "behind")},
        "branch": found["branch"] or None,
    }
    columns = (row[f"link_{name}"] for name in ("rule", "target_kind", "target_id"))
    rest = (row["link_confidence"], row["link_gap_ms"])
    entry["links"] = [
        {
            "id": link_id(organization, workspace, rule, source, (kind, id_)),
            "rule": rule,
            "target": {"kind": kind, "id": id_},
            "confidence": confidence,
            **({} if gap_ms == NO_GAP else {"gap_ms": gap_ms}),
        }
        for rule, kind, id_, confidence, gap_ms in zip(*columns, *rest, strict=True)
    ]
    return entry
