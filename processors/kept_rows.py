"""Which rows of the table hold which records: what may be deleted, and when. Pure.

Must stay true: a row stays as long as it says anything about a record that is in memory, or that
the store may not have.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from processors.record import RecordId
from processors.workspace import Workspace


@dataclass(slots=True)
class KeptRow:
    """One envelope's row. `live` of the records it says something about still count on it."""

    offset: int
    received_at: int
    workspace: Workspace
    keys: tuple[RecordId, ...]
    live: int


class KeptRows:
    """Of one partition, in the order of the log."""

    def __init__(self) -> None:
        self._rows: Final[dict[int, KeptRow]] = {}
        self._young: Final[deque[KeptRow]] = deque()
        self.newest_received_at = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self, offset: int, received_at: int, workspace: Workspace, keys: Iterable[RecordId]
    ) -> None:
        row = KeptRow(offset, received_at, workspace, tuple(dict.fromkeys(keys)), 0)
        row.live = len(row.keys)
        self._rows[offset] = row
        self._young.append(row)
        self.newest_received_at = max(self.newest_received_at, received_at)

    def end_of_oldest(self, records: int, rows_max: int) -> int:
        """Until when (µs, not in) the oldest rows arrived that say something about so many records.

        Looks at `rows_max` rows at most.
        """
        end_us = 0
        for row in islice(self._young, rows_max):
            if records <= 0:
                break
            records -= len(row.keys)
            end_us = row.received_at + 1
        return end_us

    def count_ripe(self, received_before: int, inserted_offset: int, most: int) -> int:
        """How many rows are old enough and in the store; counts to `most` at most."""
        count = 0
        for row in self._young:
            if count >= most or not _is_ripe(row, received_before, inserted_offset):
                break
            count += 1
        return count

    def take_ripe(self, received_before: int, inserted_offset: int, most: int) -> Iterator[KeptRow]:
        """Each ripe row once, oldest first."""
        for _ in range(most):
            if not self._young or not _is_ripe(self._young[0], received_before, inserted_offset):
                break
            yield self._young.popleft()

    def release(self, offset: int) -> KeptRow | None:
        """One record counts on this row no longer; the row, unless it is gone already."""
        row = self._rows.get(offset)
        if row is not None:
            row.live -= 1
        return row

    def delete(self, offset: int) -> None:
        del self._rows[offset]


def _is_ripe(row: KeptRow, received_before: int, inserted_offset: int) -> bool:
    return row.received_at < received_before and row.offset <= inserted_offset
