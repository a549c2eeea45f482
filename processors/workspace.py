"""The facts of one workspace and who has to look again when one of them changes.

Must stay true:
- Every record is in exactly the indexes its present state belongs in.
- `fold` names every record whose entry may read differently afterwards, and the cost of finding
  them does not grow with the number of facts, only with the number of neighbours.
- Nothing is let go of that the rules may ask for later without asking `past` first.
- No clock, no I/O.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from sortedcontainers import SortedList

from processors.entry import Emitted
from processors.forgotten_syncs import BEFORE_ALL
from processors.links import is_crowded_out, touched_by
from processors.past import PastNeeded, PastSnapshot, SyncsOf
from processors.record import Fold, Record, RecordId
from processors.snapshot import Snapshot, snapshot_of
from processors.sync_index import COMMIT_PREFIX_DIGITS, SyncIndex, after_sha, is_usable
from processors.time_index import TimeIndex
from processors.workspace_past import PastRow, WorkspacePast
from schemas.kinds import DeadLetterReason, Kind
from schemas.limits import LINK_WINDOW_US

# Of one workspace.
READ_BACK_MAX: Final = 500
# So many CLI instances and commits keep their last sync, however old; of the others it is asked for
# when a record needs it.
LAST_SYNCS_MAX: Final = {SyncsOf.INSTANCE: 32, SyncsOf.COMMIT: 16}


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
        # Of its envelopes (`schemas.envelope.envelope_key`).
        self.key: Final = f"{organization}/{name}"
        self._syncs: Final = SyncIndex()
        # Offset of the last envelope that changed anything here.
        self.applied_offset = -1
        self.past: Final = WorkspacePast()
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
        # Ids of runs that others say they repeat, and that nobody has reported yet.
        self._awaited: Final[set[str]] = set()

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
        return self.repeating(run.id)

    def repeating(self, run_id: str) -> Iterable[Record]:
        """The runs in memory that name this one, known or not."""
        return self._retriggers.get(run_id, ())

    # What changes it

    def fold(self, snapshot: Snapshot) -> Folded:
        """Fold a snapshot into its record, a new one if need be."""
        key = RecordId(snapshot.spec.kind, snapshot.id)
        record = self._records.get(key)
        touched: set[Record] = set()
        if record is None:
            record = self._new_record(snapshot)
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

    def restore(self, snapshot: Snapshot) -> Record:
        """Fold a snapshot that was accepted before; nobody looks again."""
        key = RecordId(snapshot.spec.kind, snapshot.id)
        record = self._records.get(key)
        if record is None:
            record = self._new_record(snapshot)
        else:
            self._unindex(record)
            record.fold(snapshot)
        self._index(record)
        return record

    # What it lets go of, and gets back

    def needed_for(self, snapshots: Sequence[Snapshot]) -> PastNeeded | None:
        """What has to be supplied before these can be folded; None: nothing."""
        return self.past.needed_by(snapshots, self, self._lost_after_us)

    def touched_by(self, records: Iterable[Record]) -> set[Record]:
        """Whose entries may read differently when one of these comes, or changes."""
        touched: set[Record] = set()
        for record in records:
            around: set[Record] = set()
            self._add_touched(record, around)
            is_new = record.key not in self._records
            touched.update(
                other for other in around if not (is_new and self._is_crowded_out(record, other))
            )
        return touched

    def supply(self, needed: PastNeeded, stored: Iterable[PastSnapshot]) -> None:
        """Take back what the store has of it, `stored` in the order of the log."""
        found: dict[RecordId, list[PastRow]] = {}
        for each in stored:
            snapshot = snapshot_of(each.event, each.sender, each.received_at)
            key = RecordId(snapshot.spec.kind, snapshot.id)
            if key not in self._records:
                flag = DeadLetterReason(each.dead_reason) if each.dead_reason else None
                row = PastRow(each.offset, None if flag else snapshot, flag)
                found.setdefault(key, []).append(row)
        for key in {*found, *(key for key in needed.ids if key in self.past.rows)}:
            self._take_back(key, found.get(key, []))
        self.past.answered(needed)

    def set_aside(self, key: RecordId, row: PastRow) -> None:
        """Keep what a row says of a record of which only the store has what was before."""
        self.past.rows.setdefault(key, []).append(row)
        if row.snapshot is not None:
            end = row.snapshot.end
            last = row.snapshot.start + self._lost_after_us if end is None else end
            self.past.let_go(row.snapshot.start, last)

    def _take_back(self, key: RecordId, stored: list[PastRow]) -> None:
        rows = self.past.rows.pop(key, [])
        # The store may lack the last of the rows, and memory never had what was before them.
        known = sorted([*stored, *rows], key=lambda row: row.offset)
        for row in known:
            if row.snapshot is not None:
                self.restore(row.snapshot)
        record = self._records.get(key)
        if record is None:
            return
        for row in known:
            if row.flag is not None:
                record.flag_dead(row.flag)
        record.is_past = True
        record.rows = tuple(dict.fromkeys(row.offset for row in rows))
        record.revision = max((row.offset for row in known), default=-1)
        if not rows:
            self.past.read_back.add(key)

    def may_go(self, records: Iterable[Record], before_us: int) -> list[Record]:
        """Those that nothing which starts at `before_us` or later needs without asking for it."""
        going: list[Record] = []
        staying: list[Record] = []
        for record in records:
            (going if self._is_over(record, before_us) else staying).append(record)
        return [*going, *self._surplus_syncs(staying, before_us)]

    def _is_over(self, record: Record, before_us: int) -> bool:
        """Whether nothing that starts at `before_us` or later has to look at it."""
        if record.span_end >= before_us:
            return False
        if record.kind is Kind.WORKSPACE_SYNC and is_usable(record):
            return not (
                self._syncs.is_latest_after(record, before_us)
                or self._syncs.lasts_after(record, before_us)
            )
        # As long as the run it names is here, or yet to come: that one does not ask who named it.
        named = record.fields.get("retriggered_from")
        return named is None or not (named in self._awaited or _run_id(named) in self._records)

    def _surplus_syncs(self, records: Iterable[Record], before_us: int) -> Iterator[Record]:
        """Syncs that are only the last of an instance or a commit, neither among the newest such
        nor looked up by anybody in memory."""
        counts = dict.fromkeys(SyncsOf, 0)
        syncs = [each for each in records if each.kind is Kind.WORKSPACE_SYNC and is_usable(each)]
        for sync in sorted(syncs, key=lambda each: (each.start, each.id), reverse=True):
            if sync.span_end >= before_us or self._syncs.is_latest_after(sync, before_us):
                continue
            lasts = self._syncs.lasts_after(sync, before_us)
            for of in lasts:
                counts[of] += 1
            if not any(
                counts[of] <= LAST_SYNCS_MAX[of] or self._is_looked_up(of, name)
                for of, name in lasts.items()
            ):
                yield sync

    def _is_looked_up(self, of: SyncsOf, name: str) -> bool:
        if of is SyncsOf.COMMIT:
            return name in self._runs_by_commit
        return any((kind, name) in self._by_instance for kind in self._by_kind)

    def let_go(self, records: Sequence[Record], before_us: int) -> None:
        """Drop these, which all ended before; the store has them.

        What was read back stays for events like those that asked for it, until it is much.
        """
        for record in records:
            if record.kind is Kind.WORKSPACE_SYNC and is_usable(record):
                for of in self._syncs.lasts_after(record, before_us):
                    self.past.syncs.let_go(of, record.start)
            self._drop(record)
            # Not only to its end: until the next sync, it may have been in force.
            self.past.let_go(record.start, max(record.span_end, before_us))
        self.past.forget_answers(records)
        if len(self.past.read_back) > READ_BACK_MAX:
            for key in self.past.read_back:
                if (read_back := self._records.get(key)) is not None:
                    self._drop(read_back)
            self.past.read_back.clear()
            self.past.forget_answers()
        self.look_back()

    def look_back(self) -> None:
        """Find anew up to when events may need what was let go of."""
        self.past.begin_anew()
        for record in self._reaching_back():
            self.past.reaches_back(record)

    def _reaching_back(self) -> Iterator[Record]:
        if (reach := self.past.reach) is not None:
            for index in self._by_kind.values():
                yield from index.starting(BEFORE_ALL, reach.last + LINK_WINDOW_US + 1)

    def _new_record(self, snapshot: Snapshot) -> Record:
        record = Record(snapshot, self._lost_after_us)
        self._records[record.key] = record
        if record.kind is Kind.ACTION_RUN:
            self._awaited.discard(record.id)
            source = record.fields.get("retriggered_from")
            if source is not None and _run_id(source) not in self._records:
                self._awaited.add(source)
        return record

    def _drop(self, record: Record) -> None:
        self._unindex(record)
        del self._records[record.key]
        self.past.syncs.unsure.discard(record.key)

    def _add_touched(self, record: Record, touched: set[Record]) -> None:
        touched.add(record)
        touched.update(touched_by(record, self))
        source = record.fields.get("retriggered_from")
        if source is not None and (named := self._records.get(_run_id(source))) is not None:
            touched.add(named)
        if record.kind is Kind.WORKSPACE_SYNC and is_usable(record):
            touched.update(self._configured_from(record))

    def _is_crowded_out(self, newcomer: Record, other: Record) -> bool:
        known = other.emitted
        if other is newcomer or not isinstance(known, Emitted) or known.crowd is None:
            return False
        if newcomer.kind is Kind.WORKSPACE_SYNC:
            return False
        if newcomer.fields.get("retriggered_from") == other.id:
            return False
        return is_crowded_out(newcomer, known.crowd, other, self)

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
        self.past.reaches_back(record)
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
