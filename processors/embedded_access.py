"""The embedded way of access events: SQLite log → access log table, in a thread of its own.

Must stay true:
- Inserted first, progress after. A crash in between repeats a range, and the table stands that.
- What fails for lack of the store is tried again, never skipped.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from processors.access_batch import access_token, decoded
from runtime.errors import LogUnavailableError, UnavailableError
from runtime.sqlite_log import PARTITION, SqliteLog
from timeline.access_writer import AccessWriter

MESSAGES_PER_INSERT_MAX: Final = 5_000
# Each insert is a part of the table: some at a time, yet soon enough for who looks after them.
_COLLECT_S: Final = 0.25
_POLL_S: Final = 0.25
_RETRY_S: Final = 0.5

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    inserted_offset INTEGER NOT NULL
);
INSERT OR IGNORE INTO progress VALUES (1, 0);
"""

_log: Final = structlog.get_logger(__name__)


class EmbeddedAccessPipeline:
    """Start once, stop once. What is in the log when it stops is done at the next start."""

    def __init__(self, log: SqliteLog, progress_path: Path, writer: AccessWriter) -> None:
        self._log: Final = log
        self._progress: Final = _Progress(progress_path)
        self._writer: Final = writer
        self._is_stopping: Final = threading.Event()
        self._failed: BaseException | None = None
        self._reached = 0
        self._thread: Final = threading.Thread(target=self._run, name="access", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the insert under way, then stop."""
        self._is_stopping.set()
        self._thread.join()
        self._progress.close()

    @property
    def reached(self) -> int:
        """Offset up to which all is in the table; 0 before it is known."""
        return self._reached

    async def ping(self) -> None:
        """Return while it runs. Raises UnavailableError when it stopped by itself."""
        if self._failed is not None:
            raise UnavailableError("the access log's pipeline stopped; restart, see the log")

    def _run(self) -> None:
        try:
            offset = self._progress.read()
            if offset > self._log.last_offset:
                offset = 0  # the log was made anew
            while not self._is_stopping.is_set():
                self._reached = offset
                offset = self._step(offset)
        except BaseException as error:  # told by /readyz: nobody awaits a thread
            self._failed = error
            _log.critical("access pipeline stopped", error=type(error).__name__, exc_info=error)

    def _step(self, after: int) -> int:
        """Bring what is there into the table; the offset reached."""
        if not self._log.wait_for_growth(after, _POLL_S):
            return after
        self._is_stopping.wait(_COLLECT_S)
        try:
            messages = self._log.read(after, messages_max=MESSAGES_PER_INSERT_MAX)
            reached = messages[-1].offset
            events = decoded((PARTITION, message.offset, message.message) for message in messages)
            if events:
                token = access_token(PARTITION, messages[0].offset, reached, events[0])
                self._writer.insert_now(events, token=token)
            self._progress.write(reached)
        except UnavailableError as error:
            _log.warning("the access log waits for the store", error=str(error))
            self._is_stopping.wait(_RETRY_S)
            return after
        return reached


class _Progress:
    """How far the table is, in a file of its own: losing it means doing the same again."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        with self._translated():
            self._connection: Final = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)

    def read(self) -> int:
        with self._translated():
            row = self._connection.execute("SELECT inserted_offset FROM progress").fetchone()
            return int(row[0])

    def write(self, offset: int) -> None:
        with self._translated():
            self._connection.execute("UPDATE progress SET inserted_offset = ?", (offset,))

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LogUnavailableError(f"{self._path}: {error}") from error
