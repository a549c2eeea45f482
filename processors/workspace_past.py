"""What a workspace let go of, and what of it an event needs back.

Must stay true:
- An entry is only computed while memory holds its whole neighbourhood: every record that an entry
  of a touched record can speak of, and the syncs in force at its start.
- What arrives for the time that memory holds costs two comparisons.
- Everything let go of is in the store before; what is read back may hold more than is needed.

Not looked for: a snapshot that states a start which memory holds, of a record that first stated one
which memory let go of. It would cost a question for every new record. See docs/limits.md.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from processors.forgotten_syncs import BEFORE_ALL, ForgottenSyncs, Since
from processors.past import CommitRuns, LatestSync, PastNeeded, Window, merged
from processors.record import Record, RecordId
from processors.snapshot import Snapshot
from processors.sync_index import COMMIT_PREFIX_DIGITS, after_sha, is_usable
from schemas.kinds import DeadLetterReason, Kind
from schemas.limits import LINK_WINDOW_US, US_PER_S

if TYPE_CHECKING:
    from processors.workspace import Workspace

# How far to look for the next sync at first; each further look goes four times as far.
_NEXT_SYNC_US: Final = 24 * 3_600 * US_PER_S
_FARTHER: Final = 4


class PastRow(NamedTuple):
    """What a row says of one record that is not in memory: a snapshot, or the flag it left."""

    offset: int
    snapshot: Snapshot | None
    flag: DeadLetterReason | None


class WorkspacePast:
    """Mutable; belongs to one workspace."""

    def __init__(self) -> None:
        # From the earliest start to the latest end of what was let go of; None: nothing was.
        self.reach: Window | None = None
        # What starts later has all its neighbours in memory, and so has whoever it touches.
        self.needed_until = BEFORE_ALL
        # Rows about records that are not in memory; the store may not have these yet.
        self.rows: Final[dict[RecordId, list[PastRow]]] = {}
        # Read back from the store, and unchanged since.
        self.read_back: Final[set[RecordId]] = set()
        self.syncs: Final = ForgottenSyncs()
        self._complete: tuple[Window, ...] = ()
        self._looked_up: Final[set[RecordId]] = set()
        self._commits: Final[set[CommitRuns]] = set()
        self._named: Final[set[str]] = set()

    def let_go(self, first: int, last: int) -> None:
        """A record between these times left memory, or is left out of it."""
        known = self.reach or Window(first, last)
        self.reach = Window(min(known.first, first), max(known.last, last))
        self.needed_until = max(self.needed_until, self.reach.last + LINK_WINDOW_US)

    def begin_anew(self) -> None:
        """Before every record in memory is shown to `reaches_back` again."""
        if self.reach is not None:
            self.needed_until = self.reach.last + LINK_WINDOW_US

    def reaches_back(self, record: Record) -> None:
        """A record in memory may have neighbours that are not: so has who is near its end."""
        if self.reach is not None and record.start <= self.reach.last + LINK_WINDOW_US:
            self.needed_until = max(self.needed_until, record.span_end + LINK_WINDOW_US)

    def forget_answers(self, gone: Iterable[Record] | None = None) -> None:
        """After these were let go of, or all: what was complete with them no longer is."""
        if gone is None:
            self._complete = ()
            self._looked_up.clear()
            self._commits.clear()
            self._named.clear()
            self.syncs.forget_all()
            return
        first = None
        for record in gone:
            first = record.start if first is None else min(first, record.start)
            self._looked_up.discard(record.key)
            if record.kind is Kind.WORKSPACE_SYNC and is_usable(record):
                self.syncs.forget(record)
            if (source := record.fields.get("retriggered_from")) is not None:
                self._named.discard(source)
            if (commit := record.fields.get("commit_sha")) is not None:
                digits = commit[:COMMIT_PREFIX_DIGITS]
                self._commits.difference_update(
                    [runs for runs in self._commits if runs.commit == digits]
                )
        if first is not None:
            # Whatever ends before the earliest of them is as complete as it was.
            self._complete = tuple(
                Window(each.first, min(each.last, first - 1))
                for each in self._complete
                if each.first < first
            )

    def answered(self, needed: PastNeeded) -> None:
        """All that `needed` names is in memory now, as far as it exists."""
        self._complete = merged((*self._complete, *needed.windows))
        self._looked_up.update(needed.ids)
        self._commits.update(needed.commits)
        self._named.update(needed.named)
        if self.reach is not None:
            self.syncs.answered(needed.syncs, self.reach.last)

    def needed_by(
        self, snapshots: Sequence[Snapshot], workspace: "Workspace", lost_after_us: int
    ) -> PastNeeded | None:
        """What is missing for folding `snapshots`; None: nothing. To be asked until it is None."""
        if self.reach is None:
            return None
        own: set[str] | None = None
        near: list[Snapshot] = []
        hot: list[Snapshot] = []
        for each in snapshots:
            if "retriggered_from" in each.fields and own is None:
                own = {other.id for other in snapshots if other.spec.kind is Kind.ACTION_RUN}
            (near if self._is_near_past(each, workspace, own or ()) else hot).append(each)
        question = _Question(self, workspace, own or ())
        if near:
            self._ask_about_near(near, question, workspace, lost_after_us)
        if hot and self.syncs.gone_until:
            self._ask_about_hot(hot, question, workspace, lost_after_us)
        return question.needed

    def _ask_about_near(
        self,
        snapshots: Sequence[Snapshot],
        question: "_Question",
        workspace: "Workspace",
        lost_after_us: int,
    ) -> None:
        for snapshot in snapshots:
            question.about(RecordId(snapshot.spec.kind, snapshot.id))
            question.about_repeated(snapshot.fields.get("retriggered_from"))
        if question.is_open:
            return
        changing = _changing(snapshots, workspace, lost_after_us)
        question.around(changing)
        for record in changing:
            if record.kind is Kind.WORKSPACE_SYNC and is_usable(record):
                question.about_force(record)
        if not question.is_open:
            touched = workspace.touched_by(changing)
            question.around(touched)
            if not question.is_open:
                question.about_configuration((*changing, *touched))

    def _ask_about_hot(
        self,
        snapshots: Sequence[Snapshot],
        question: "_Question",
        workspace: "Workspace",
        lost_after_us: int,
    ) -> None:
        """Their neighbours are all in memory; their syncs need not be."""
        changing = _changing(snapshots, workspace, lost_after_us)
        question.about_configuration(changing)
        if self.syncs.unsure:
            touched = workspace.touched_by(changing)
            question.about_configuration(
                record for record in touched if record.key in self.syncs.unsure
            )

    def needed_again(self, keys: Iterable[RecordId], workspace: "Workspace") -> PastNeeded | None:
        """What is missing for computing the entries of `keys` once more; None: nothing."""
        if self.reach is None:
            return None
        question = _Question(self, workspace)
        records = []
        for key in keys:
            question.about(key)
            if (record := workspace.get(key)) is not None:
                records.append(record)
        if not question.is_open:
            question.around(records)
        if not question.is_open:
            question.about_configuration(records)
        return question.needed

    def find_unsure(self, workspace: "Workspace") -> None:
        """After memory was rebuilt: whose sync has to be asked for before it is told again."""
        if self.reach is not None and self.syncs.gone_until:
            for record in workspace:
                self.syncs_missing(record, workspace)

    def syncs_missing(self, record: Record, workspace: "Workspace") -> list[LatestSync]:
        """What has to be asked before it can be told which sync was in force for `record`."""
        if self.reach is None or record.kind is Kind.WORKSPACE_SYNC:
            return []
        since = self._syncs_since(record.start, self.reach)
        return self.syncs.missing(record, workspace.syncs, since, self.reach.last)

    def _syncs_since(self, start_us: int, reach: Window) -> Since:
        """From when on memory holds every sync up to `start_us`."""
        if start_us > reach.last:
            return Since(reach.last, is_now=True)
        first = start_us
        for each in self._complete:
            if each.first <= start_us <= each.last:
                first = each.first
        return Since(BEFORE_ALL if first <= reach.first else first, is_now=False)

    def _is_near_past(
        self, snapshot: Snapshot, workspace: "Workspace", own: Container[str]
    ) -> bool:
        """`own`: the runs that come with it, of which each is asked about for itself."""
        if snapshot.start <= self.needed_until:
            return True
        record = workspace.get(RecordId(snapshot.spec.kind, snapshot.id))
        if record is not None and record.start <= self.needed_until:
            return True
        if any(run.start <= self.needed_until for run in workspace.repeating(snapshot.id)):
            return True
        source = snapshot.fields.get("retriggered_from")
        if source is None or source in own:
            return False
        repeated = workspace.get(RecordId(Kind.ACTION_RUN, source))
        return repeated is None or repeated.start <= self.needed_until

    def _missing(self, first: int, last: int) -> Window | None:
        """What of a stretch of time was let go of and not read back; None: nothing."""
        if self.reach is None:
            return None
        window = Window(max(first, self.reach.first), min(last, self.reach.last))
        if window.first > window.last:
            return None
        is_there = any(
            each.first <= window.first and window.last <= each.last for each in self._complete
        )
        return None if is_there else window

    def _complete_from(self, first: int) -> int | None:
        """Up to when memory holds everything from `first` on; None: for all later times."""
        if self.reach is None:
            return None
        end = max(first, self.reach.first - 1)
        for each in self._complete:
            if each.first <= end + 1:
                end = max(end, each.last)
        return None if end >= self.reach.last else end


def _changing(
    snapshots: Sequence[Snapshot], workspace: "Workspace", lost_after_us: int
) -> list[Record]:
    return [
        record
        for snapshot in snapshots
        for record in _before_and_after(snapshot, workspace, lost_after_us)
    ]


def _before_and_after(
    snapshot: Snapshot, workspace: "Workspace", lost_after_us: int
) -> Iterator[Record]:
    """The record as it is, if it is, and as it may be when the snapshot is folded in."""
    known = workspace.get(RecordId(snapshot.spec.kind, snapshot.id))
    if known is None:
        yield Record(snapshot, lost_after_us)
        return
    yield known
    # The first snapshot fixed the start, whatever this one states.
    end = known.start if snapshot.spec.end_field is None else snapshot.end
    if end is None or end >= known.start:
        later = Record(replace(snapshot, start=known.start, end=end), lost_after_us)
        later.fields = {**known.fields, **later.fields}
        yield later


class _Question:
    """Collects what is missing."""

    def __init__(
        self, past: WorkspacePast, workspace: "Workspace", own: Container[str] = ()
    ) -> None:
        self._past: Final = past
        self._own: Final = own
        self._workspace: Final = workspace
        self._ids: Final[set[RecordId]] = set()
        self._windows: Final[list[Window]] = []
        self._commits: Final[set[CommitRuns]] = set()
        self._named: Final[set[str]] = set()
        self._syncs: Final[set[LatestSync]] = set()

    @property
    def is_open(self) -> bool:
        return bool(self._ids or self._windows or self._commits or self._named or self._syncs)

    @property
    def needed(self) -> PastNeeded | None:
        if not self.is_open:
            return None
        return PastNeeded(
            organization=self._workspace.organization,
            workspace=self._workspace.name,
            ids=frozenset(self._ids),
            windows=merged(self._windows),
            commits=frozenset(self._commits),
            named=frozenset(self._named),
            syncs=frozenset(self._syncs),
        )

    def about(self, key: RecordId) -> None:
        """A record that memory may have let go of."""
        if key not in self._past._looked_up and self._workspace.get(key) is None:
            self._ids.add(key)

    def about_repeated(self, run_id: str | None) -> None:
        """The run that another one says it repeats."""
        if run_id is not None and run_id not in self._own:
            self.about(RecordId(Kind.ACTION_RUN, run_id))

    def around(self, records: Iterable[Record]) -> None:
        """All that the entries of `records` can speak of."""
        for record in records:
            if record.kind is Kind.WORKSPACE_SYNC:
                continue
            self._stretch(record.start - LINK_WINDOW_US, record.span_end + LINK_WINDOW_US)
            if record.kind is Kind.ACTION_RUN and record.start <= self._past.needed_until:
                if record.id not in self._past._named:
                    self._named.add(record.id)
                self.about_repeated(record.fields.get("retriggered_from"))

    def about_configuration(self, records: Iterable[Record]) -> None:
        """The syncs in force for `records`, when all that is around these is in memory."""
        for record in records:
            self._syncs.update(self._past.syncs_missing(record, self._workspace))

    def about_force(self, sync: Record) -> None:
        """Whoever `sync` may be in force for: up to the next one, and those with its commit."""
        syncs = self._workspace.syncs
        nexts = [syncs.next_start(sync)]
        if "cli_instance_id" in sync.fields:
            nexts.append(syncs.next_start_of_instance(sync))
        # Only a next sync before which nothing is missing is surely the next one.
        end = self._past._complete_from(sync.start)
        if end is not None and any(each is None or each > end for each in nexts):
            width = max((end - sync.start) * _FARTHER, _NEXT_SYNC_US)
            self._stretch(sync.start, sync.start + width)
        runs = CommitRuns(after_sha(sync)[:COMMIT_PREFIX_DIGITS], sync.start)
        if runs not in self._past._commits and sync.start <= self._past.needed_until:
            self._commits.add(runs)

    def _stretch(self, first: int, last: int) -> None:
        if (window := self._past._missing(first, last)) is not None:
            self._windows.append(window)
