"""Letting go of what is old: out of memory, and out of the table that memory is rebuilt from.

Must stay true:
- Only what the store has: no row above the inserted offset is looked at.
- Only what arrived and happened before the horizon, and what no younger record has to look at.
- The row that says what is gone is written first: whatever of the deletions a crash undoes, what
  is left of a record that was let go of does not count.

Time comes in as data: the horizon is counted back from the newest receipt in the partition. Pure
but for metrics.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, TypeAlias

from processors.applied_envelope import (
    AppliedEnvelope,
    decode_row,
    encode_row,
    evicted_key,
    row_key,
)
from processors.horizon import Horizon
from processors.kept_rows import KeptRow, KeptRows
from processors.past import Evicted, encode_evicted
from processors.record import Record, RecordId
from processors.workspace import Workspace
from runtime.metrics import RECORDS_EVICTED
from schemas.envelope import Envelope
from schemas.kinds import Kind

# (key, value) to put into the table; without a value: to delete.
TableChange: TypeAlias = tuple[bytes, bytes | None]
RowLoader: TypeAlias = Callable[[bytes], bytes | None]

# One pass lets go of so many rows at most, and waits until a fair number is ripe: it drops what was
# read back, too.
ROWS_PER_PASS_MAX: Final = 256
ROWS_PER_PASS_MIN: Final = 32
# What could not go may be able to by now, also where nothing happens any more.
QUIET_WORKSPACES_PER_PASS: Final = 4


class Eviction:
    """Of one partition. Keeps what was ripe and could not go yet."""

    def __init__(self, partition: int, rows: KeptRows) -> None:
        self._partition: Final = partition
        self._rows: Final = rows
        self._waiting: Final[dict[Workspace, set[RecordId]]] = {}

    def run(
        self,
        *,
        horizon: Horizon,
        surplus: int,
        inserted_offset: int,
        load_row: RowLoader,
        rows_min: int = ROWS_PER_PASS_MIN,
    ) -> list[TableChange]:
        """Let go of what may go; what to write, in this order. `load_row` reads the table.

        `surplus`: how many records are too many here; 0: none.
        """
        before_us = self._rows.newest_received_at - horizon.longest_us
        if surplus > 0:
            oldest_us = self._rows.end_of_oldest(surplus, ROWS_PER_PASS_MAX)
            least_us = self._rows.newest_received_at - horizon.least_us
            before_us = max(before_us, min(oldest_us, least_us))
        if self._rows.count_ripe(before_us, inserted_offset, rows_min) < rows_min:
            return []
        ripe = list(self._rows.take_ripe(before_us, inserted_offset, ROWS_PER_PASS_MAX))
        last_offset = ripe[-1].offset
        touched: dict[int, KeptRow] = {row.offset: row for row in ripe if not row.keys}
        for row in ripe:
            self._waiting.setdefault(row.workspace, set()).update(row.keys)
        changes: list[TableChange] = []
        for workspace in self._looked_at(row.workspace for row in ripe):
            keys = self._waiting[workspace]
            old = self._old_enough(workspace, keys, last_offset, touched)
            going = workspace.may_go(old, before_us)
            if going:
                changes.append(self._let_go(workspace, going, before_us, last_offset, touched))
                keys.difference_update(record.key for record in going)
            if not keys:
                del self._waiting[workspace]
        return [*changes, *(self._change_of(row, load_row) for row in touched.values())]

    def _looked_at(self, ripe: Iterable[Workspace]) -> list[Workspace]:
        """Those of which something is ripe, and a few of the others, in turn."""
        quiet = list(islice(self._waiting, QUIET_WORKSPACES_PER_PASS))
        for each in quiet:
            # To the end of the queue.
            self._waiting[each] = self._waiting.pop(each)
        found = dict.fromkeys((*ripe, *quiet))
        return [each for each in found if each in self._waiting]

    def _old_enough(
        self,
        workspace: Workspace,
        keys: set[RecordId],
        last_offset: int,
        touched: dict[int, KeptRow],
    ) -> list[Record]:
        """Those in memory of which no row is younger; whoever has one waits for that row."""
        found = []
        for key in list(keys):
            record = workspace.get(key)
            if record is not None and record.rows and record.rows[-1] <= last_offset:
                found.append(record)
                continue
            keys.discard(key)
            if record is None:
                # Rows of what the store has: nobody needs them from the table any more.
                left = workspace.past.rows.pop(key, [])
                released = {row.offset for row in left if row.offset <= last_offset}
                if rest := [row for row in left if row.offset not in released]:
                    workspace.past.rows[key] = rest
                self._release(released, touched)
        return found

    def _let_go(
        self,
        workspace: Workspace,
        going: list[Record],
        before_us: int,
        last_offset: int,
        touched: dict[int, KeptRow],
    ) -> TableChange:
        for record in going:
            self._release(record.rows, touched)
        workspace.let_go(going, before_us)
        RECORDS_EVICTED.inc(len(going))
        reach = workspace.past.reach
        assert reach is not None
        evicted = Evicted(
            partition=self._partition,
            organization=workspace.organization,
            workspace=workspace.name,
            reach=reach,
            offset=last_offset,
            ids=frozenset(record.key for record in going),
            syncs_until=workspace.past.syncs.gone_until,
        )
        key = evicted_key(self._partition, workspace.key)
        return key, encode_evicted(evicted)

    def _release(self, offsets: Iterable[int], touched: dict[int, KeptRow]) -> None:
        for offset in offsets:
            if (row := self._rows.release(offset)) is not None:
                touched[offset] = row

    def _change_of(self, row: KeptRow, load_row: RowLoader) -> TableChange:
        workspace = row.workspace
        key = row_key(self._partition, workspace.key, row.offset)
        if row.live == 0:
            self._rows.delete(row.offset)
            return key, None
        value = load_row(key)
        return key, None if value is None else encode_row(_left(decode_row(value), workspace))


def _left(row: AppliedEnvelope, workspace: Workspace) -> AppliedEnvelope:
    """What a row says about records that still count on it."""

    def counts(key: RecordId) -> bool:
        return workspace.get(key) is not None or key in workspace.past.rows

    changes = row.changes
    return AppliedEnvelope(
        partition=row.partition,
        offset=row.offset,
        changes=Envelope(
            sender=changes.sender,
            workspace=changes.workspace,
            received_at=changes.received_at,
            events=[
                event
                for event in changes.events
                if counts(RecordId(Kind(event.type), event.fields["id"]))
            ],
        ),
        emitted=tuple(key for key in row.emitted if counts(key)),
        dead=row.dead,
        flagged=tuple((key, reason) for key, reason in row.flagged if counts(key)),
        past=tuple(key for key in row.past if counts(key)),
    )
