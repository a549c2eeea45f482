"""The facts of one workspace and who has to look again when one of them changes.

Must stay true:
- Every record is in exactly the indexes its present state belongs in.
- `fold` names every record whose entry may read differently afterwards, and the cost of finding
  them does not grow with the number of facts, only with the number of neighbours.
- No clock, no I/O.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from sortedcontainers import SortedList

from processors.entry import Content
from processors.links import is_crowded_out, touched_by
from processors.record import Fold, Record, RecordId
from processors.snapshot import Snapshot
from processors.sync_index import COMMIT_PREFIX_DIGITS, SyncIndex, after_sha, is_usable
from processors.time_index import TimeIndex
from schemas.kinds import DeadLetterReason, Kind


class Folded(NamedTuple):
    """What one snapshot did: the record, its verdict, and every record to look at again."""

    record: Record
    verdict: Fold | DeadLetterReason
    touched: set[Record]


class Workspace:
    """Mutable. Implements `processors.links.Neighbourhood`."""

    def __init__(self, organization: str, name: str, *, lost_after_us: int) -> None:
        self.organization: Final = organization
        self.name: Final = name
        self._syncs: Final = SyncIndex()
        # Offset of the last envelope that changed anything here.
        self.applied_offset = -1
        self._lost_after_us: Final = lost_after_us
        self._records: Final[dict[RecordId, Record]] = {}
        # Every kind of record that a sync can have configured: all but the syncs.
        self._by_kind: Final[dict[Kind, TimeIndex]] = {
            kind: TimeIndex() for kind in Kind if kind is not Kind.WORKSPACE_SYNC
        }
        self._runs_by_actor: Final[dict[str, TimeIndex]] = {}
        self._by_instance: Final[dict[tuple[Kind, str], TimeIndex]] = {}
        self._runs_by_commit: Final[dict[str, SortedList[tuple[int, str, Record]]]] = {}
        self._retriggers: Final[dict[str, set[Record]]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def get(self, key: RecordId) -> Record | None:
        return self._records.get(key)

    # What the rules ask

    @property
    def syncs(self) -> SyncIndex:
        return self._syncs

    def of_kind(self, kind: Kind) -> TimeIndex:
        return self._by_kind[kind]

    def runs_of_origin(self, record: Record) -> Iterable[TimeIndex]:
        if (index := self._runs_by_actor.get(record.actor)) is not None:
            yield index
        instance_id = record.fields.get("cli_instance_id", "")
        if (index := self._by_instance.get((Kind.ACTION_RUN, instance_id))) is not None:
            yield index

    def retriggers_of(self, run: Record) -> Iterable[Record]:
        return self._retriggers.get(run.id, ())

    # What changes it

    def fold(self, snapshot: Snapshot) -> Folded:
        """Fold a snapshot into its record, a new one if need be."""
        key = RecordId(snapshot.spec.kind, snapshot.id)
        record = self._records.get(key)
        touched: set[Record] = set()
        if record is None:
            record = Record(snapshot, self._lost_after_us)
            self._records[key] = record
            self._index(record)
            self._add_touched(record, touched)
            crowded = [other for other in touched if self._is_crowded_out(record, other)]
            touched.difference_update(crowded)
            return Folded(record, Fold.CHANGED, touched)
        if not _may_move(record, snapshot):
            # The common repeat: nothing that an index looks at can change, so nobody else looks.
            verdict = record.fold(snapshot)
        else:
            self._add_touched(record, touched)
            self._unindex(record)
            verdict = record.fold(snapshot)
            self._index(record)
            if verdict is Fold.CHANGED:
                self._add_touched(record, touched)
            else:
                touched.clear()
        if isinstance(verdict, DeadLetterReason):
            if record.flag_dead(verdict):
                touched.add(record)
        elif verdict is Fold.CHANGED:
            touched.add(record)
        return Folded(record, verdict, touched)

    def restore(self, snapshot: Snapshot) -> None:
        """Fold a snapshot that was accepted before; nobody looks again."""
        key = RecordId(snapshot.spec.kind, snapshot.id)
        record = self._records.get(key)
        if record is None:
            record = self._records[key] = Record(snapshot, self._lost_after_us)
        else:
            self._unindex(record)
            record.fold(snapshot)
        self._index(record)

    def _add_touched(self, record: Record, touched: set[Record]) -> None:
        touched.add(record)
        touched.update(touched_by(record, self))
        source = record.fields.get("retriggered_from")
        if source is not None and (named := self._records.get(_run_id(source))) is not None:
            touched.add(named)
        if record.kind is Kind.WORKSPACE_SYNC and is_usable(record):
            touched.update(self._configured_from(record))

    def _is_crowded_out(self, newcomer: Record, other: Record) -> bool:
        known = other.content
        if other is newcomer or not isinstance(known, Content):
            return False
        if newcomer.kind is Kind.WORKSPACE_SYNC:
            return False
        if newcomer.fields.get("retriggered_from") == other.id:
            return False
        return is_crowded_out(newcomer, known.links, other, self)

    def _configured_from(self, sync: Record) -> Iterator[Record]:
        """Every run and session that `sync` may be in force for, or behind of."""
        start = sync.start
        end = self._end_of_force(self._syncs.next_start(sync))
        for index in self._by_kind.values():
            yield from index.starting(start, end)
        instance_id = sync.fields.get("cli_instance_id")
        if instance_id is not None:
            end = self._end_of_force(self._syncs.next_start_of_instance(sync))
            for kind in self._by_kind:
                if (of_instance := self._by_instance.get((kind, instance_id))) is not None:
                    yield from of_instance.starting(start, end)
        runs = self._runs_by_commit.get(after_sha(sync)[:COMMIT_PREFIX_DIGITS])
        if runs is not None:
            for _, _, run in runs.irange((start,), None):
                yield run

    @staticmethod
    def _end_of_force(next_start_us: int | None) -> int | None:
        # A record at the very start of the next sync has that one, but ties go by id: include it.
        return None if next_start_us is None else next_start_us + 1

    def _index(self, record: Record) -> None:
        if record.kind is Kind.WORKSPACE_SYNC:
            if is_usable(record):
                self._syncs.add(record)
            return
        if record.kind is Kind.ACTION_RUN:
            self._index_run(record)
        self._by_kind[record.kind].add(record)
        if (instance_id := record.fields.get("cli_instance_id")) is not None:
            self._by_instance.setdefault((record.kind, instance_id), TimeIndex()).add(record)

    def _index_run(self, run: Record) -> None:
        self._runs_by_actor.setdefault(run.actor, TimeIndex()).add(run)
        if (commit := run.fields.get("commit_sha")) is not None:
            runs = self._runs_by_commit.setdefault(commit[:COMMIT_PREFIX_DIGITS], SortedList())
            runs.add((run.start, run.id, run))
        if (source := run.fields.get("retriggered_from")) is not None:
            self._retriggers.setdefault(source, set()).add(run)

    def _unindex(self, record: Record) -> None:
        if record.kind is Kind.WORKSPACE_SYNC:
            if is_usable(record):
                self._syncs.discard(record)
            return
        if record.kind is Kind.ACTION_RUN:
            self._unindex_run(record)
        self._by_kind[record.kind].discard(record)
        if (instance_id := record.fields.get("cli_instance_id")) is not None:
            key = (record.kind, instance_id)
            self._by_instance[key].discard(record)
            if not self._by_instance[key]:
                del self._by_instance[key]

    def _unindex_run(self, run: Record) -> None:
        self._runs_by_actor[run.actor].discard(run)
        if not self._runs_by_actor[run.actor]:
            del self._runs_by_actor[run.actor]
        if (commit := run.fields.get("commit_sha")) is not None:
            digits = commit[:COMMIT_PREFIX_DIGITS]
            self._runs_by_commit[digits].remove((run.start, run.id, run))
            if not self._runs_by_commit[digits]:
                del self._runs_by_commit[digits]
        if (source := run.fields.get("retriggered_from")) is not None:
            self._retriggers[source].discard(run)
            if not self._retriggers[source]:
                del self._retriggers[source]


def _may_move(record: Record, snapshot: Snapshot) -> bool:
    """Whether folding could change anything that an index looks at."""
    if record.end is None and snapshot.end is not None:
        return True
    return any(record.fields.get(name) != value for name, value in snapshot.fields.items())


def _run_id(run_id: str) -> RecordId:
    return RecordId(Kind.ACTION_RUN, run_id)
