"""The correlation core: an envelope in; entries, observations, dead letters and a row to keep out.

Must stay true:
- The timeline of a workspace is a pure function of its set of folded records.
- An envelope at or below the last applied offset of its workspace changes nothing; what it led to
  is emitted again from the present state, because a crash may have lost the first emission.
- A record's entry carries the offset of the envelope that last changed it: same revision, same
  content.
- No clock, no I/O, no log, no client library. Time comes in as data.

One `Correlator` a partition. All envelopes of a workspace are in one partition, in log order.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from processors.applied_envelope import AppliedEnvelope
from processors.entry import Content, content_of, emitted_of, entry_row
from processors.eviction import Eviction, RowLoader, TableChange
from processors.horizon import Horizon
from processors.kept_rows import KeptRows
from processors.links import links_of
from processors.observation import observations_of
from processors.past import Evicted, PastMissingError, PastNeeded, PastSnapshot
from processors.record import Fold, Record, RecordId
from processors.snapshot import Snapshot, snapshot_of
from processors.workspace import Workspace
from processors.workspace_past import PastRow
from schemas.codec import UndecodableError
from schemas.entry import ObservationRow
from schemas.envelope import Envelope, Event
from schemas.kinds import DeadLetterReason


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadEvent:
    """An event that did not become part of a record, by its place in the envelope."""

    index: int
    reason: DeadLetterReason


@dataclass(slots=True, kw_only=True)
class Applied:
    """What came of one envelope. `row` None: nothing to keep."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    observations: list[ObservationRow] = field(default_factory=list)
    dead: list[DeadEvent] = field(default_factory=list)
    row: AppliedEnvelope | None = None


class Correlator:
    """The workspaces of one partition."""

    def __init__(self, partition: int, *, lost_after_us: int) -> None:
        self._partition: Final = partition
        self._lost_after_us: Final = lost_after_us
        self._workspaces: Final[dict[str, Workspace]] = {}
        self._rows: Final = KeptRows()
        self._eviction: Final = Eviction(partition, self._rows)
        # While rows are put back: what was let go of, as the table says.
        self._evicted: Final[dict[str, Evicted]] = {}

    @property
    def facts(self) -> int:
        """How many records are held."""
        return sum(map(len, self._workspaces.values()))

    @property
    def workspaces(self) -> Iterable[tuple[str, Workspace]]:
        """(envelope key, workspace), in order of first appearance."""
        return self._workspaces.items()

    def is_applied(self, envelope: Envelope, offset: int) -> bool:
        """Whether the state already holds this envelope: then `replay` it."""
        workspace = self._workspaces.get(envelope.key)
        return workspace is not None and offset <= workspace.applied_offset

    def apply(
        self, envelope: Envelope, offset: int, snapshots: Sequence[Snapshot] | None = None
    ) -> Applied:
        """Fold every event, look again at whoever is touched, and say what changed.

        `snapshots` are `snapshots_of(envelope)`, when the caller has them already.
        Raises PastMissingError, before anything is changed.
        """
        applied = Applied()
        if envelope.workspace is None:
            applied.observations.extend(_observations(envelope, frozenset()))
            return applied
        workspace = self._workspace(envelope)
        snapshots = snapshots or snapshots_of(envelope)
        _demand(workspace.needed_for(snapshots))
        changes: list[Event] = []
        flagged: list[tuple[RecordId, DeadLetterReason]] = []
        touched: set[Record] = set()
        changed: set[Record] = set()
        for index, snapshot in enumerate(snapshots):
            record, verdict, others = workspace.fold(snapshot)
            touched |= others
            if isinstance(verdict, DeadLetterReason):
                applied.dead.append(DeadEvent(index=index, reason=verdict))
                if others:
                    flagged.append((record.key, verdict))
                    changed.add(record)
            elif verdict is Fold.CHANGED:
                changes.append(envelope.events[index])
                changed.add(record)
        emitted = self._look_again(workspace, touched, offset)
        applied.entries = [entry_row(record, content) for record, content in emitted]
        dead = {each.index for each in applied.dead}
        applied.observations.extend(_observations(envelope, dead))
        row = AppliedEnvelope(
            partition=self._partition,
            offset=offset,
            changes=_with_events(envelope, changes),
            emitted=tuple(record.key for record, _ in emitted),
            dead=tuple((each.index, each.reason) for each in applied.dead),
            flagged=tuple(flagged),
            past=tuple(sorted(record.key for record in changed if record.is_past)),
        )
        if not row.is_empty:
            applied.row = row
            workspace.applied_offset = offset
            self._keep(row, workspace, changed)
        return applied

    def _keep(self, row: AppliedEnvelope, workspace: Workspace, changed: set[Record]) -> None:
        for record in changed:
            record.rows = (*record.rows, row.offset)
            workspace.past.read_back.discard(record.key)
        keys = (record.key for record in changed)
        self._rows.add(row.offset, row.changes.received_at, workspace, keys)

    def replay(self, envelope: Envelope, offset: int, row: AppliedEnvelope | None) -> Applied:
        """What an envelope that is already applied led to, from the present state.

        `row` is what was kept of it; None when there was nothing to keep.
        Raises PastMissingError, before anything is changed.
        """
        workspace = self._workspace(envelope)
        emitted = row.emitted if row is not None else ()
        _demand(workspace.past.needed_again(emitted, workspace))
        applied = Applied()
        dead = row.dead if row is not None else ()
        applied.dead = [DeadEvent(index=index, reason=reason) for index, reason in dead]
        applied.observations.extend(_observations(envelope, {index for index, _ in dead}))
        for key in emitted:
            if (record := workspace.get(key)) is not None:
                content = content_of(record, links_of(record, workspace))
                record.emitted = emitted_of(content)
                record.revision = max(record.revision, offset)
                applied.entries.append(entry_row(record, content))
        return applied

    def supply(self, needed: PastNeeded, stored: Iterable[PastSnapshot]) -> None:
        """Take in what was asked for by a PastMissingError, in the order of the log."""
        self._workspace_named(needed.organization, needed.workspace).supply(needed, stored)

    def evict(
        self,
        *,
        horizon: Horizon,
        surplus: int,
        inserted_offset: int,
        load_row: RowLoader,
        rows_min: int,
    ) -> list[TableChange]:
        """Let go of what is older than the horizon and in the store; see `eviction.py`."""
        return self._eviction.run(
            horizon=horizon,
            surplus=surplus,
            inserted_offset=inserted_offset,
            load_row=load_row,
            rows_min=rows_min,
        )

    def restore_evicted(self, evicted: Evicted) -> None:
        """Put back what was let go of. Before the first `restore`."""
        workspace = self._workspace_named(evicted.organization, evicted.workspace)
        workspace.past.let_go(*evicted.reach)
        for of, start_us in evicted.syncs_until.items():
            workspace.past.syncs.let_go(of, start_us)
        self._evicted[workspace.key] = evicted

    def end_restore(self) -> None:
        """After the last `restore`."""
        for workspace in self._workspaces.values():
            workspace.past.find_unsure(workspace)

    def restore(self, row: AppliedEnvelope) -> None:
        """Put back what a row holds. Rows of a workspace come in the order of their offsets."""
        changes = row.changes
        workspace = self._workspace_named(changes.sender.organization, changes.workspace or "")
        past = {*row.past, *self._left_behind(workspace, row.offset)}
        keys: set[RecordId] = set()
        for event in changes.events:
            snapshot = snapshot_of(event, changes.sender, changes.received_at)
            key = RecordId(snapshot.spec.kind, snapshot.id)
            if key not in past:
                workspace.restore(snapshot)
            elif key in row.past:
                workspace.set_aside(key, PastRow(row.offset, snapshot, None))
            else:
                continue
            keys.add(key)
        for key, reason in row.flagged:
            if key in row.past:
                workspace.set_aside(key, PastRow(row.offset, None, reason))
                keys.add(key)
            elif (record := workspace.get(key)) is not None:
                record.flag_dead(reason)
                keys.add(key)
        for key in keys:
            if (record := workspace.get(key)) is not None:
                record.rows = (*record.rows, row.offset)
        for key in row.emitted:
            if (record := workspace.get(key)) is not None:
                record.revision = row.offset
        workspace.applied_offset = max(workspace.applied_offset, row.offset)
        self._rows.add(row.offset, changes.received_at, workspace, keys)

    def _left_behind(self, workspace: Workspace, offset: int) -> frozenset[RecordId]:
        """Of which a crash may have left some rows, and not all."""
        evicted = self._evicted.get(workspace.key)
        return frozenset() if evicted is None or offset > evicted.offset else evicted.ids

    def _look_again(
        self, workspace: Workspace, touched: set[Record], offset: int
    ) -> list[tuple[Record, Content]]:
        """The records whose entries read differently now, in order, with their new contents."""
        changed: list[tuple[Record, Content]] = []
        for record in sorted(touched, key=lambda each: each.key):
            content = content_of(record, links_of(record, workspace))
            emitted = emitted_of(content)
            if emitted != record.emitted:
                record.emitted = emitted
                record.revision = offset
                changed.append((record, content))
        return changed

    def _workspace(self, envelope: Envelope) -> Workspace:
        return self._workspace_named(envelope.sender.organization, envelope.workspace or "")

    def _workspace_named(self, organization: str, name: str) -> Workspace:
        key = f"{organization}/{name}"
        workspace = self._workspaces.get(key)
        if workspace is None:
            workspace = Workspace(organization, name, lost_after_us=self._lost_after_us)
            self._workspaces[key] = workspace
        return workspace


def _demand(needed: PastNeeded | None) -> None:
    if needed is not None:
        raise PastMissingError(needed)


def snapshots_of(envelope: Envelope) -> list[Snapshot]:
    """The snapshots of an envelope's records; none for CLI instances.

    Raises UndecodableError, before anything was changed, for what ingest would never have sent.
    """
    sender, received_at = envelope.sender, envelope.received_at
    try:
        if envelope.workspace is None:
            # Only to see whether they can be told.
            for event in envelope.events:
                list(observations_of(event, envelope))
            return []
        return [snapshot_of(event, sender, received_at) for event in envelope.events]
    except (KeyError, ValueError, TypeError) as error:
        raise UndecodableError(f"envelope: {type(error).__name__} in an event") from error


def _observations(envelope: Envelope, dead: frozenset[int] | set[int]) -> Iterator[ObservationRow]:
    for index, event in enumerate(envelope.events):
        if index not in dead:
            yield from observations_of(event, envelope)


def _with_events(envelope: Envelope, events: list[Event]) -> Envelope:
    return Envelope(
        sender=envelope.sender,
        workspace=envelope.workspace,
        received_at=envelope.received_at,
        events=events,
    )
