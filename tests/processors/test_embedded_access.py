"""The embedded way of access events, with a real log and a table that is a list."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from processors.embedded_access import EmbeddedAccessPipeline
from runtime.errors import TimelineUnavailableError, UnavailableError
from runtime.sqlite_access_log import SqliteAccessLog
from runtime.sqlite_log import SqliteLog
from schemas.access_event import AccessEvent
from tests.support.processes import wait_until
from tests.timeline.test_access_query import access

WAIT_S = 20.0


class Table:
    """Takes rows, unless it is away or told to break."""

    def __init__(self) -> None:
        self.inserts: list[tuple[str, list[str]]] = []
        self.error: BaseException | None = None
        self.refused = 0

    @property
    def ids(self) -> list[str]:
        return [id_ for _, ids in self.inserts for id_ in ids]

    def insert_now(self, events: Sequence[AccessEvent], *, token: str) -> None:
        if self.error is not None:
            self.refused += 1
            raise self.error
        self.inserts.append((token, [event.id for event in events]))


class Folder:
    """The log and the progress of one embedded installation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = Table()

    def append(self, *events: AccessEvent, messages: Sequence[bytes] = ()) -> None:
        log = self._log()

        async def append() -> None:
            await SqliteAccessLog(log).append(events, timeout_s=WAIT_S)
            await log.append_messages(list(messages), timeout_s=WAIT_S)

        asyncio.run(append())
        log.close()

    def drain(self, is_done: Callable[[], bool]) -> EmbeddedAccessPipeline:
        """Run until something holds."""
        log = self._log()
        pipeline = EmbeddedAccessPipeline(log, self.path / "progress.db", cast("Any", self.table))
        pipeline.start()
        try:
            wait_until(is_done, timeout_s=WAIT_S, what="the access events")
        finally:
            pipeline.stop()
            log.close()
        return pipeline

    def _log(self) -> SqliteLog:
        return SqliteLog(self.path / "access.db", inflight_bytes_max=1 << 20)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_the_log_holds_comes_into_the_table_once_in_its_order(folder: Folder) -> None:
    events = [access("acme") for _ in range(5)]
    folder.append(*events[:3])
    folder.drain(lambda: len(folder.table.ids) == 3)
    folder.append(*events[3:])

    folder.drain(lambda: len(folder.table.ids) == 5)

    assert folder.table.ids == [event.id for event in events]
    assert len({token for token, _ in folder.table.inserts}) == len(folder.table.inserts)


def test_a_store_that_is_away_is_waited_for(folder: Folder) -> None:
    event = access("acme")
    folder.append(event)
    folder.table.error = TimelineUnavailableError("away")
    folder.drain(lambda: folder.table.refused > 0)
    folder.table.error = None

    folder.drain(lambda: len(folder.table.ids) == 1)

    assert folder.table.ids == [event.id]


def test_a_message_that_cannot_be_read_stops_nothing(folder: Folder) -> None:
    before, after = access("acme"), access("acme")
    folder.append(before, messages=[b"nonsense"])
    folder.append(after)

    folder.drain(lambda: len(folder.table.ids) == 2)

    assert folder.table.ids == [before.id, after.id]


def test_a_log_that_was_made_anew_is_read_from_its_start(folder: Folder) -> None:
    folder.append(*(access("acme") for _ in range(3)))
    folder.drain(lambda: len(folder.table.ids) == 3)
    for file in folder.path.glob("access.db*"):
        file.unlink()
    event = access("acme")
    folder.append(event)

    folder.drain(lambda: len(folder.table.ids) == 4)

    assert folder.table.ids[-1] == event.id
    assert len({token for token, _ in folder.table.inserts}) == len(folder.table.inserts)


def test_a_bug_of_ours_shows_in_the_readiness(folder: Folder) -> None:
    folder.append(access("acme"))
    folder.table.error = AssertionError("a bug")

    pipeline = folder.drain(lambda: folder.table.refused > 0)

    with pytest.raises(UnavailableError, match="stopped"):
        asyncio.run(pipeline.ping())
