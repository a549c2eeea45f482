"""A timeline store for the core: holds everything up to an offset, and answers what is asked of it.

It gives what was asked for and not a record more, so that whoever asks too little is found out.
"""

from collections.abc import Sequence

from processors.correlator import Correlator, snapshots_of
from processors.past import PastNeeded, PastSnapshot, SyncsOf
from processors.record import Record, RecordId
from processors.sync_index import after_sha, is_same_commit, is_usable, names_of
from processors.workspace import Workspace
from schemas.envelope import decode_envelope
from schemas.kinds import Kind


class PastStore:
    """Fed from the log by a correlation of its own that never lets go of anything."""

    def __init__(self, *, lost_after_us: int) -> None:
        self._correlator = Correlator(0, lost_after_us=lost_after_us)
        self._snapshots: dict[tuple[str, RecordId], list[PastSnapshot]] = {}
        self.inserted_offset = -1

    def insert(self, messages: Sequence[bytes], up_to: int) -> None:
        """Take in the messages up to this offset."""
        for offset in range(self.inserted_offset + 1, up_to + 1):
            envelope = decode_envelope(messages[offset])
            applied = self._correlator.apply(envelope, offset)
            dead = {each.index: each.reason.value for each in applied.dead}
            for index, (snapshot, event) in enumerate(
                zip(snapshots_of(envelope), envelope.events, strict=False)
            ):
                key = RecordId(snapshot.spec.kind, snapshot.id)
                self._snapshots.setdefault((envelope.key, key), []).append(
                    PastSnapshot(
                        offset, event, envelope.sender, envelope.received_at, dead.get(index, "")
                    )
                )
        self.inserted_offset = max(self.inserted_offset, up_to)

    def read(self, needed: PastNeeded) -> list[PastSnapshot]:
        key = f"{needed.organization}/{needed.workspace}"
        workspace = dict(self._correlator.workspaces).get(key)
        if workspace is None:
            return []
        found = {record.key for record in workspace if _is_asked(record, needed, workspace)}
        snapshots = [each for id_ in found for each in self._snapshots[key, id_]]
        return sorted(snapshots, key=lambda each: each.offset)


def _is_asked(record: Record, needed: PastNeeded, workspace: Workspace) -> bool:
    fields = record.fields
    return (
        record.key in needed.ids
        or any(
            record.start <= window.last and record.span_end >= window.first
            for window in needed.windows
        )
        or any(_is_latest(record, window.first, workspace, ()) for window in needed.windows)
        or any(
            _is_latest(record, at, workspace, (of,)) and names_of(record).get(of) == name
            for of, name, at in needed.syncs
        )
        or any(
            record.start >= runs.since
            and record.kind is Kind.ACTION_RUN
            and is_same_commit(fields.get("commit_sha", "-"), runs.commit)
            for runs in needed.commits
        )
        or fields.get("retriggered_from") in needed.named
    )


def _is_latest(sync: Record, at_us: int, workspace: Workspace, alike: tuple[SyncsOf, ...]) -> bool:
    """Whether it is the last usable sync before a time, among those that are `alike`."""
    if sync.kind is not Kind.WORKSPACE_SYNC or not is_usable(sync) or sync.start > at_us:
        return False
    return not any(
        other.kind is Kind.WORKSPACE_SYNC
        and is_usable(other)
        and (sync.start, sync.id) < (other.start, other.id)
        and other.start <= at_us
        and all(_name(of, other) == _name(of, sync) for of in alike)
        for other in workspace
    )


def _name(of: SyncsOf, sync: Record) -> str | None:
    instance_id: str | None = sync.fields.get("cli_instance_id")
    return after_sha(sync) if of is SyncsOf.COMMIT else instance_id
