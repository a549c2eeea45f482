"""Judges a log of events slowly and plainly: the independent judge of the correlation core.

Must stay true:
- Written from the contract (sections 1, 2, 4 and the entry of section 5); imports nothing of the
  product, so that the two can only agree by both being right.
- Nothing is kept from one judgement to the next: everything is derived from the whole log.
- Every record is compared with every other of its workspace. Plain is worth more here than fast.

It trusts that the events are valid ones, as ingest accepts them, of one organization.
"""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

LINK_NAMESPACE = uuid.UUID("6f1c1d0e-5b0b-4f6f-9a37-3e0d7f0f5c21")
LINKS_PER_RULE_MAX = 10
AFTER_BEFORE_GAP_MAX = timedelta(minutes=60)
CLOCK_AHEAD_OVER = timedelta(minutes=5)
LATE_OVER = timedelta(hours=1)
DURATION_OFF_OVER_MS = 1000
SSH_ITSELF_FAILED = 255

STATUS_SYNONYMS = {
    "pending": "running",
    "success": "successful",
    "failure": "failed",
    "cancelled": "aborted",
    "canceled": "aborted",
}
START_FIELDS = {
    "action_run": "started_at",
    "ssh_session": "started_at",
    "workspace_sync": "timestamp",
}
END_FIELDS = {"action_run": "finished_at", "ssh_session": "ended_at"}
OBJECT_KEYS = {
    "host": ("inventory_name", "ansible_host", "hostname_reported"),
    "git": ("branch", "before_sha", "after_sha"),
    "encryption": ("enabled", "key_id", "status"),
}
# Two snapshots may differ here without contradicting each other.
NOT_COMPARED = {
    *("type", "id", "workspace", "organization", "client_seq"),
    *("started_at", "timestamp", "duration_ms", "duration_seconds"),
}
# These say how a record ended, so an open snapshot has no say in them.
OF_THE_CLOSED_ONLY = {"status", "exit_code"}
SHARED_FIELDS = (
    *("user", "os_user", "hostname", "cli_instance_id", "cli_version", "reason", "ticket"),
)
OWN_FIELDS = {
    "action_run": (
        *("block", "block_from", "block_name", "block_version", "action"),
        *("exit_code", "commit_sha", "retriggered_from"),
    ),
    "ssh_session": ("host", "exit_code"),
    "workspace_sync": ("result", "git", "encryption"),
}
INSTANCE_FACTS = ("hostname", "os", "arch", "cli_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One valid event as accepted by ingest, in log order.

    `event` is the JSON object as the client sent it: times as text, synonyms and nulls allowed.
    """

    event: dict[str, Any]
    organization: str = "default"
    actor: str = "admin"
    actor_kind: str = "service"  # person | service
    key_id: str = "key-1"
    received_at: datetime  # aware UTC
    fields_dropped: bool = False


@dataclass
class Judged:
    """What the timeline and the register must hold once the whole log was processed.

    entries: (workspace, kind, id) -> entry, without `explanation`, `environment`, `revision`.
    dead: (index in the log, "conflicting_snapshot" | "foreign_snapshot"), by index.
    instances: the CLI instances by id.
    """

    entries: dict[tuple[str, str, str], dict[str, Any]]
    dead: list[tuple[int, str]]
    instances: dict[str, dict[str, Any]]


def timeline(deliveries: Sequence[Delivery], *, lost_after_hours: int = 24) -> Judged:
    """Judge a whole log of one organization; ValueError when it holds several."""
    if len({delivery.organization for delivery in deliveries}) > 1:
        raise ValueError("the oracle judges one organization at a time")

    records, dead = fold_all(deliveries, lost_after=timedelta(hours=lost_after_hours))
    workspaces: dict[str, list[Record]] = {}
    for record in records:
        workspaces.setdefault(record.workspace, []).append(record)

    entries = {
        (record.workspace, record.kind, record.id): entry_of(record, neighbours)
        for neighbours in workspaces.values()
        for record in neighbours
    }
    return Judged(entries=entries, dead=dead, instances=register_of(deliveries, dead))


# --- Reading what a client sent -------------------------------------------------------------------


RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")


def instant_of(text: str) -> datetime:
    """The moment in UTC, digits after the microsecond cut."""
    match = RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time with an offset: {text!r}")
    day, clock, fraction, offset = match.groups()
    microseconds = (fraction or "")[:6].ljust(6, "0")
    numeric_offset = "+00:00" if offset in {"Z", "z"} else offset
    return datetime.fromisoformat(f"{day}T{clock}.{microseconds}{numeric_offset}").astimezone(UTC)


def text_of(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def whole_ms(span: timedelta) -> int:
    """Whole milliseconds, rounded down."""
    return span // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One event of a record, read.

    `stated` holds what counts in a comparison, the end (as an instant) under "end".
    """

    index: int
    delivery: Delivery
    kind: str
    id: str
    start: datetime
    end: datetime | None
    is_closed: bool
    stated: Mapping[str, Any]
    duration_ms: Decimal | None

    @property
    def last_own_time(self) -> datetime:
        return self.start if self.end is None else self.end


def read_snapshot(index: int, delivery: Delivery) -> Snapshot:
    known = {name: value for name, value in delivery.event.items() if value is not None}
    if not any(value is not None for value in known.get("git", {}).values()):
        known.pop("git", None)  # it states nothing, so it is as absent as null
    kind = known["type"]
    stated: dict[str, Any] = {}
    for name, value in known.items():
        if name in NOT_COMPARED:
            continue
        if name == END_FIELDS.get(kind):
            stated["end"] = instant_of(value)
        elif name == "status":
            stated[name] = STATUS_SYNONYMS.get(value, value)
        elif name == "retriggered_from":
            stated[name] = value.lower()
        elif name in OBJECT_KEYS:
            stated[name] = {key: value.get(key) for key in OBJECT_KEYS[name]}
        else:
            stated[name] = value

    duration_ms = None
    if "duration_ms" in known:
        duration_ms = Decimal(str(known["duration_ms"]))
    if "duration_seconds" in known:
        duration_ms = Decimal(str(known["duration_seconds"])) * 1000
    return Snapshot(
        index=index,
        delivery=delivery,
        kind=kind,
        id=known["id"].lower(),
        start=instant_of(known[START_FIELDS[kind]]),
        end=stated.get("end"),
        is_closed=kind == "workspace_sync" or "end" in stated,
        stated=stated,
        duration_ms=duration_ms,
    )


# --- Folding: from snapshots to records -----------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Record:
    """A folded record. `known` holds what its snapshots state, the derived values not yet."""

    kind: str
    id: str
    organization: str
    workspace: str
    actor: str
    actor_kind: str
    key_id: str
    received_at: datetime
    start: datetime
    end: datetime | None  # of a run or session; None while it is open
    counted_end: datetime  # where the link rules see the end
    is_closed: bool
    known: dict[str, Any]
    flags: set[str] = field(default_factory=set)


def fold_all(
    deliveries: Sequence[Delivery], *, lost_after: timedelta
) -> tuple[list[Record], list[tuple[int, str]]]:
    by_identity: dict[tuple[str, str, str], list[Snapshot]] = {}
    for index, delivery in enumerate(deliveries):
        if delivery.event["type"] == "cli_instance":
            continue
        snapshot = read_snapshot(index, delivery)
        identity = (delivery.event["workspace"], snapshot.kind, snapshot.id)
        by_identity.setdefault(identity, []).append(snapshot)

    records: list[Record] = []
    dead: list[tuple[int, str]] = []
    for snapshots in by_identity.values():
        accepted, refused = accept(snapshots)
        record = fold(accepted, lost_after=lost_after)
        record.flags |= {reason for _, reason in refused}
        records.append(record)
        dead += refused
    return records, sorted(dead)


def accept(snapshots: Sequence[Snapshot]) -> tuple[list[Snapshot], list[tuple[int, str]]]:
    """Decide, in log order, which snapshots of one record count and which are dead letters."""
    first = snapshots[0]
    accepted: list[Snapshot] = []
    dead: list[tuple[int, str]] = []
    for snapshot in snapshots:
        if snapshot.delivery.actor != first.delivery.actor:
            dead.append((snapshot.index, "foreign_snapshot"))
        elif (snapshot.end is not None and snapshot.end < first.start) or (
            snapshot.is_closed
            and contradicts(
                snapshot.stated, first_stated(one.stated for one in accepted if one.is_closed)
            )
        ):
            dead.append((snapshot.index, "conflicting_snapshot"))
        else:
            accepted.append(snapshot)
    return accepted, dead


def contradicts(later: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
    return any(later[name] != earlier[name] for name in later.keys() & earlier.keys())


def first_stated(statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Field by field what the first one states that states it at all."""
    known: dict[str, Any] = {}
    for stated in statements:
        for name, value in stated.items():
            known.setdefault(name, value)
    return known


def fold(accepted: Sequence[Snapshot], *, lost_after: timedelta) -> Record:
    """Make one record of the snapshots that count, at least one, in log order."""
    first = accepted[0]
    closed = [snapshot for snapshot in accepted if snapshot.is_closed]
    still_open = [snapshot for snapshot in accepted if not snapshot.is_closed]
    # Whose key and lateness count: the closed snapshot's, else the first's.
    decisive = closed[0] if closed else first

    known = first_stated(
        [
            *(snapshot.stated for snapshot in closed),
            *(without(snapshot.stated, OF_THE_CLOSED_ONLY) for snapshot in still_open),
        ]
    )
    end = known.pop("end", None)
    if first.kind == "workspace_sync":
        counted_end = first.start
    else:
        counted_end = first.start + lost_after if end is None else end

    record = Record(
        kind=first.kind,
        id=first.id,
        organization=first.delivery.organization,
        workspace=first.delivery.event["workspace"],
        actor=first.delivery.actor,
        actor_kind=first.delivery.actor_kind,
        key_id=decisive.delivery.key_id,
        received_at=first.delivery.received_at,
        start=first.start,
        end=end,
        counted_end=counted_end,
        is_closed=bool(closed),
        known=known,
    )
    record.flags |= flags_of_snapshots(record, accepted)
    if decisive.delivery.received_at - decisive.last_own_time > LATE_OVER:
        record.flags.add("late")
    if record.actor_kind == "person" and known.get("user", record.actor) != record.actor:
        record.flags.add("actor_mismatch")
    if record.kind == "action_run" and block_of(known)[2]:
        record.flags.add("floating_version")
    return record


def without(stated: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in stated.items() if name not in names}


def flags_of_snapshots(record: Record, accepted: Sequence[Snapshot]) -> set[str]:
    """The flags that any one snapshot is enough for."""
    flags = set()
    for snapshot in accepted:
        if snapshot.delivery.fields_dropped:
            flags.add("fields_dropped")
        if snapshot.start != record.start:
            flags.add("start_changed")
        for moment in (snapshot.start, snapshot.end):
            if moment is not None and moment - snapshot.delivery.received_at > CLOCK_AHEAD_OVER:
                flags.add("clock_ahead")
        if record.end is not None and snapshot.is_closed and snapshot.duration_ms is not None:
            off_ms = abs(snapshot.duration_ms - whole_ms(record.end - record.start))
            if off_ms > DURATION_OFF_OVER_MS:
                flags.add("duration_mismatch")
    return flags


def block_of(known: Mapping[str, Any]) -> tuple[str | None, str | None, bool]:
    """Block name, block version, and whether the version floats."""
    stated_version = known.get("block_version")
    if "block_from" not in known:
        return None, stated_version, False

    reference, at, digest = known["block_from"].rpartition("@")
    if not at:
        reference, digest = digest, ""
    # A colon before the last slash belongs to a registry's port.
    path, slash, last = reference.rpartition("/")
    name, _, version = last.rpartition(":") if ":" in last else (last, "", "")

    if digest and version.lower() in {"", "latest"}:
        resolved = digest
    else:
        resolved = version or stated_version
    is_floating = resolved is None or resolved.lower() == "latest"
    return path + slash + name, resolved, is_floating


def status_of(record: Record) -> str:
    exit_code = record.known.get("exit_code")
    if record.kind == "workspace_sync":
        return "successful" if record.known["result"] == "success" else "failed"
    if not record.is_closed:
        return "running"
    if record.kind == "ssh_session":
        return "failed" if exit_code == SSH_ITSELF_FAILED else "ended"
    if "status" in record.known:
        return str(record.known["status"])
    if exit_code is None:
        return "aborted"
    return "successful" if exit_code == 0 else "failed"


# --- Links ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A record a rule points at, and how far away it is: the nearest ones become links."""

    target: Record
    distance: timedelta


def entry_of(record: Record, neighbours: Sequence[Record]) -> dict[str, Any]:
    """The entry of one record among all records of its workspace, itself included."""
    flags = set(record.flags)
    configured_by = None
    if record.kind != "workspace_sync":
        configured_by, is_stated_commit_unknown = configuration_of(record, neighbours)
        if is_stated_commit_unknown:
            flags.add("stated_commit_not_synced")

    rules = candidates_of(record, neighbours)
    links, is_any_omitted = links_of(record, rules)
    unexplained = None
    if record.kind == "ssh_session":
        unexplained = not any(
            have_same_origin(record, candidate.target)
            for rule in ("during", "after", "before")
            for candidate in rules[rule]
        )

    own = {**record.known}
    if record.kind == "action_run":
        own["block_name"], own["block_version"], _ = block_of(record.known)
    return {
        "kind": record.kind,
        "id": record.id,
        "organization": record.organization,
        "workspace": record.workspace,
        "occurred_at": text_of(record.start),
        "ended_at": text_of(record.end),
        "duration_ms": None if record.end is None else whole_ms(record.end - record.start),
        "status": status_of(record),
        "actor": record.actor,
        "actor_kind": record.actor_kind,
        "key_id": record.key_id,
        **{name: own.get(name) for name in (*SHARED_FIELDS, *OWN_FIELDS[record.kind])},
        "configured_by": configured_by,
        "links": links,
        "links_omitted": is_any_omitted,
        "unexplained": unexplained,
        "flags": sorted(flags),
        "received_at": text_of(record.received_at),
    }


def candidates_of(record: Record, neighbours: Sequence[Record]) -> dict[str, list[Candidate]]:
    """All that each rule points at, near or far, in the order in which rules are listed."""
    rules: dict[str, list[Candidate]] = {
        rule: [] for rule in ("during", "after", "before", "retriggered_as")
    }
    for other in neighbours:
        distance_of_starts = abs(record.start - other.start)
        if {record.kind, other.kind} == {"action_run", "ssh_session"}:
            if overlap(record, other):
                rules["during"].append(Candidate(target=other, distance=distance_of_starts))
                continue
            since_end = record.start - other.counted_end
            if other.is_closed and timedelta(0) <= since_end <= AFTER_BEFORE_GAP_MAX:
                rules["after"].append(Candidate(target=other, distance=since_end))
            until_start = other.start - record.counted_end
            if record.is_closed and timedelta(0) <= until_start <= AFTER_BEFORE_GAP_MAX:
                rules["before"].append(Candidate(target=other, distance=until_start))
        elif (
            record.kind == other.kind == "action_run"
            and other.known.get("retriggered_from") == record.id
        ):
            rules["retriggered_as"].append(Candidate(target=other, distance=distance_of_starts))
    return rules


def overlap(one: Record, other: Record) -> bool:
    """Both cover [start, end); a moment overlaps where it lies inside or at the other's start."""
    for moment, span in ((one, other), (other, one)):
        if moment.start == moment.counted_end:
            lies_inside = span.start <= moment.start < span.counted_end
            return lies_inside or moment.start == span.start
    return max(one.start, other.start) < min(one.counted_end, other.counted_end)


def have_same_origin(one: Record, other: Record) -> bool:
    instance = one.known.get("cli_instance_id")
    is_same_instance = instance is not None and instance == other.known.get("cli_instance_id")
    return is_same_instance or one.actor == other.actor


def links_of(
    record: Record, rules: Mapping[str, Sequence[Candidate]]
) -> tuple[list[dict[str, Any]], bool]:
    """The links in the order of the rules, and whether any rule had more than its ten."""
    links: list[dict[str, Any]] = []
    for rule in ("during", "after", "before"):
        for candidate in nearest(rules[rule]):
            target = candidate.target
            link: dict[str, Any] = {
                "id": link_id(record, rule, target.kind, target.id),
                "rule": rule,
                "target": {"kind": target.kind, "id": target.id},
                "confidence": "exact" if have_same_origin(record, target) else "likely",
            }
            if rule != "during":
                link["gap_ms"] = whole_ms(candidate.distance)
            links.append(link)

    named = record.known.get("retriggered_from")
    if named is not None:
        links.append(retrigger_link(record, "retriggered_from", named))
    for candidate in nearest(rules["retriggered_as"]):
        links.append(retrigger_link(record, "retriggered_as", candidate.target.id))
    return links, any(len(candidates) > LINKS_PER_RULE_MAX for candidates in rules.values())


def nearest(candidates: Sequence[Candidate]) -> list[Candidate]:
    higher_id_first = sorted(candidates, key=lambda one: one.target.id, reverse=True)
    return sorted(higher_id_first, key=lambda one: one.distance)[:LINKS_PER_RULE_MAX]


def retrigger_link(record: Record, rule: str, run_id: str) -> dict[str, Any]:
    return {
        "id": link_id(record, rule, "action_run", run_id),
        "rule": rule,
        "target": {"kind": "action_run", "id": run_id},
        "confidence": "exact",
    }


def link_id(source: Record, rule: str, target_kind: str, target_id: str) -> str:
    names = (source.organization, source.workspace, rule, source.kind, source.id)
    return str(uuid.uuid5(LINK_NAMESPACE, "/".join((*names, target_kind, target_id))))


def configuration_of(
    record: Record, neighbours: Sequence[Record]
) -> tuple[dict[str, Any] | None, bool]:
    """`configured_by` of a run or session, and whether it states a commit no sync has brought."""
    in_force = [
        other
        for other in neighbours
        if other.kind == "workspace_sync"
        and other.start <= record.start
        and other.known["result"] == "success"
        and commit_of(other) is not None
    ]
    commit = record.known.get("commit_sha")
    instance = record.known.get("cli_instance_id")
    with_commit = [sync for sync in in_force if is_same_commit(commit_of(sync), commit)]
    of_instance = [
        sync
        for sync in in_force
        if instance is not None and sync.known.get("cli_instance_id") == instance
    ]

    is_stated_commit_unknown = commit is not None and not with_commit
    if not in_force:
        return None, is_stated_commit_unknown
    if with_commit:
        sync, confidence = latest(with_commit), "exact"
    elif of_instance:
        sync, confidence = latest(of_instance), "likely" if is_stated_commit_unknown else "exact"
    else:
        sync, confidence = latest(in_force), "likely"

    configured_by = {
        "id": link_id(record, "configured_by", "workspace_sync", sync.id),
        "sync_id": sync.id,
        "commit": commit_of(sync),
        "branch": sync.known["git"]["branch"],
        "confidence": confidence,
        "behind": not is_same_commit(commit_of(sync), commit_of(latest(in_force))),
    }
    return configured_by, is_stated_commit_unknown


def latest(syncs: Sequence[Record]) -> Record:
    return max(syncs, key=lambda sync: (sync.start, sync.id))


def commit_of(sync: Record) -> str | None:
    commit: str | None = sync.known.get("git", {}).get("after_sha")
    return commit


def is_same_commit(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return False
    return one.startswith(other) or other.startswith(one)


# --- The register of CLI instances ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    at: datetime
    actor: str
    facts: Mapping[str, str]


def register_of(
    deliveries: Sequence[Delivery], dead: Sequence[tuple[int, str]]
) -> dict[str, dict[str, Any]]:
    dead_indexes = {index for index, _ in dead}
    observations: dict[str, list[Observation]] = {}
    # What a CLI says of its own first day; it is no observation of a version.
    claimed_first: dict[str, list[datetime]] = {}
    for index, delivery in enumerate(deliveries):
        event = {name: value for name, value in delivery.event.items() if value is not None}
        is_instance = event["type"] == "cli_instance"
        instance = event["id"] if is_instance else event.get("cli_instance_id")
        if instance is None or index in dead_indexes:
            continue
        facts = {name: event[name] for name in INSTANCE_FACTS if name in event}
        observations.setdefault(instance, []).extend(
            Observation(at=at, actor=delivery.actor, facts=facts)
            for at in moments_observed(index, delivery)
        )
        if is_instance and "first_seen" in event:
            claimed_first.setdefault(instance, []).append(instant_of(event["first_seen"]))

    return {
        instance: instance_of(seen, claimed_first.get(instance, []))
        for instance, seen in observations.items()
    }


def moments_observed(index: int, delivery: Delivery) -> list[datetime]:
    """The start and end an event states itself, whatever its record's fixed ones are."""
    if delivery.event["type"] == "cli_instance":
        last_seen = delivery.event.get("last_seen")
        return [delivery.received_at if last_seen is None else instant_of(last_seen)]
    snapshot = read_snapshot(index, delivery)
    return [snapshot.start] if snapshot.end is None else [snapshot.start, snapshot.end]


def instance_of(seen: Sequence[Observation], claimed_first: Sequence[datetime]) -> dict[str, Any]:
    versions: dict[str, list[datetime]] = {}
    for observation in seen:
        if "cli_version" in observation.facts:
            versions.setdefault(observation.facts["cli_version"], []).append(observation.at)
    times = [observation.at for observation in seen]
    return {
        "first_seen": text_of(min([*times, *claimed_first])),
        "last_seen": text_of(max(times)),
        **{name: latest_fact(seen, name) for name in INSTANCE_FACTS},
        "actors": sorted({observation.actor for observation in seen}),
        "versions": [
            {
                "version": version,
                "first_seen": text_of(min(version_times)),
                "last_seen": text_of(max(version_times)),
            }
            for version, version_times in sorted(
                versions.items(), key=lambda item: (min(item[1]), item[0])
            )
        ],
    }


def latest_fact(seen: Sequence[Observation], name: str) -> str | None:
    """The value of the latest observation that states it; of two at once the higher as text."""
    stated = [(one.at, one.facts[name]) for one in seen if name in one.facts]
    return max(stated)[1] if stated else None
