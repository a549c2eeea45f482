"""A worker that ends at once, as if killed, at a point where a kill from outside rarely hits.

`python -m tests.faults.dying_worker --at AFTER_INSERT:3 --rate 1 --since 0 -- sink` ends when the
point is passed for the third time.
"""

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from tests.faults.fast_clock import option, run, split

EXIT_CODE: Final = 77  # none of ours


class Point(StrEnum):
    """Where a worker may die."""

    BEFORE_INSERT = "before-insert"  # the sink recorded its range, and inserted nothing
    WITHIN_INSERT = "within-insert"  # entries are inserted, snapshots and watermark are not
    AFTER_INSERT = "after-insert"  # all is inserted and nothing is committed
    AFTER_CHANGELOG = "after-changelog"  # the state's row is on the broker, no entry is


class _Countdown:
    def __init__(self, passes: int) -> None:
        self._left = passes

    def passed(self) -> None:
        self._left -= 1
        if self._left <= 0:
            sys.stderr.write("dying as arranged\n")
            sys.stderr.flush()
            os._exit(EXIT_CODE)


def _before_insert(countdown: _Countdown) -> None:
    from timeline.writer import EntryWriter

    insert = EntryWriter.insert

    async def dying(self: EntryWriter, batches: Any, *, token: str) -> Any:
        countdown.passed()
        return await insert(self, batches, token=token)

    EntryWriter.insert = dying  # type: ignore[method-assign]


def _within_insert(countdown: _Countdown) -> None:
    from timeline import ddl
    from timeline.connection import Connection

    insert = Connection.insert

    def dying(self: Connection, table: Any, columns: Any, *, token: str) -> int:
        inserted = insert(self, table, columns, token=token)
        if table is ddl.ENTRIES and inserted:
            countdown.passed()
        return inserted

    Connection.insert = dying  # type: ignore[method-assign]


def _after_insert(countdown: _Countdown) -> None:
    from timeline.writer import EntryWriter

    insert = EntryWriter.insert

    async def dying(self: EntryWriter, batches: Any, *, token: str) -> Any:
        counts = await insert(self, batches, token=token)
        countdown.passed()
        return counts

    EntryWriter.insert = dying  # type: ignore[method-assign]


def _after_changelog(countdown: _Countdown) -> None:
    from processors.app import _Correlate

    keep = _Correlate._keep

    async def dying(self: _Correlate, *row: Any, **named: Any) -> Any:
        sent = await keep(self, *row, **named)
        if countdown._left <= 1:
            await sent  # the broker has it
        countdown.passed()
        return sent

    _Correlate._keep = dying  # type: ignore[method-assign]


_ARRANGE: Final[dict[Point, Callable[[_Countdown], None]]] = {
    Point.BEFORE_INSERT: _before_insert,
    Point.WITHIN_INSERT: _within_insert,
    Point.AFTER_INSERT: _after_insert,
    Point.AFTER_CHANGELOG: _after_changelog,
}


if __name__ == "__main__":
    _own, _arguments = split(sys.argv[1:])
    _point, _, _passes = option(_own, "--at").partition(":")
    run(_own, _arguments, prepare=lambda: _ARRANGE[Point(_point)](_Countdown(int(_passes))))
