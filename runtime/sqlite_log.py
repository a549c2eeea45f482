"""The embedded log: envelopes in SQLite (WAL), appended by one thread in group commits.

Must stay true: an append returns only after the commit that holds it was fsynced
(`synchronous=FULL`), and one commit serves every append that was waiting when it began.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from runtime.errors import LogUnavailableError
from runtime.log import Position
from runtime.metrics import APPEND_FAILURES, INFLIGHT_BYTES
from schemas.envelope import Envelope, encode_envelope

PARTITION: Final = 0
# One commit: enough to make fsync cheap per envelope, small enough to stay under its time limit.
_MESSAGES_PER_COMMIT_MAX: Final = 2_000
_BUSY_TIMEOUT_S: Final = 5.0

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS envelopes (
    offset INTEGER PRIMARY KEY AUTOINCREMENT,
    message BLOB NOT NULL
)
"""


class LoggedMessage(NamedTuple):
    offset: int
    message: bytes


class _Append(NamedTuple):
    messages: list[bytes]
    done: "asyncio.Future[list[Position]]"
    loop: asyncio.AbstractEventLoop


class SqliteLog:
    """Implements `runtime.log.Log`, and reads back. Offsets start at 1 and have no gaps."""

    def __init__(self, path: Path, *, inflight_bytes_max: int) -> None:
        """Opens or creates the file. Raises LogUnavailableError when that is impossible."""
        self._path: Final = path
        self._inflight_bytes_max: Final = inflight_bytes_max
        self._inflight_bytes = 0
        self._lock: Final = threading.Lock()
        self._appends: Final[queue.SimpleQueue[_Append | None]] = queue.SimpleQueue()
        self._grown: Final = threading.Condition()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(self._connect()) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(_SCHEMA)
                connection.commit()
                self._last_offset = self._read_last_offset(connection)
        except (sqlite3.Error, OSError) as error:
            raise LogUnavailableError(f"opening the log {path}: {error}") from error
        self._reader: Final = self._connect()
        self._reader_lock: Final = threading.Lock()
        self._writer: Final = threading.Thread(target=self._write, name="log-writer", daemon=True)
        self._writer.start()

    async def append(self, envelopes: Sequence[Envelope], *, timeout_s: float) -> list[Position]:
        messages = [encode_envelope(envelope) for envelope in envelopes]
        return await self.append_messages(messages, timeout_s=timeout_s)

    async def append_messages(self, messages: list[bytes], *, timeout_s: float) -> list[Position]:
        """The same for messages of any kind. Returns and raises as `append`."""
        if not messages:
            return []
        size = sum(map(len, messages))
        with self._lock:
            if self._inflight_bytes + size > self._inflight_bytes_max:
                raise LogUnavailableError("the log is behind: too many bytes wait to be written")
            self._inflight_bytes += size
        INFLIGHT_BYTES.inc(size)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Position]] = loop.create_future()
        done.add_done_callback(lambda _: self._release(size))
        self._appends.put(_Append(messages, done, loop))
        try:
            # Shielded: the write goes on when the sender has stopped waiting.
            return await asyncio.wait_for(asyncio.shield(done), timeout_s)
        except TimeoutError as error:
            APPEND_FAILURES.inc()
            raise LogUnavailableError(f"the log did not answer within {timeout_s:g} s") from error

    async def ping(self, *, timeout_s: float) -> None:
        if not self._writer.is_alive():
            raise LogUnavailableError("the log's writer has stopped")

    @property
    def last_offset(self) -> int:
        """Offset of the newest durable envelope; 0 when there is none."""
        return self._last_offset

    def read(self, after_offset: int, *, messages_max: int) -> list[LoggedMessage]:
        """The next messages in order. Raises LogUnavailableError."""
        try:
            with self._reader_lock:
                rows = self._reader.execute(
                    "SELECT offset, message FROM envelopes WHERE offset > ?"
                    " ORDER BY offset LIMIT ?",
                    (after_offset, messages_max),
                )
                return [LoggedMessage(*row) for row in rows]
        except sqlite3.Error as error:
            raise LogUnavailableError(f"reading the log: {error}") from error

    def wait_for_growth(self, after_offset: int, timeout_s: float) -> bool:
        """Block until there is something after `after_offset`, or the time is over."""
        with self._grown:
            return self._grown.wait_for(lambda: self._last_offset > after_offset, timeout_s)

    def close(self) -> None:
        """Finish what was handed over, then stop. Safe to call twice."""
        self._appends.put(None)
        self._writer.join()
        self._reader.close()

    def _release(self, size: int) -> None:
        with self._lock:
            self._inflight_bytes -= size
        INFLIGHT_BYTES.dec(size)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None
        )
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    @staticmethod
    def _read_last_offset(connection: sqlite3.Connection) -> int:
        found: int | None = connection.execute("SELECT max(offset) FROM envelopes").fetchone()[0]
        return found or 0

    def _write(self) -> None:
        connection = self._connect()
        while (batch := self._next_batch()) is not None:
            try:
                offsets = self._commit(connection, batch)
            except sqlite3.Error as error:
                APPEND_FAILURES.inc(len(batch))
                with contextlib.suppress(sqlite3.Error):
                    connection.rollback()
                refused = LogUnavailableError(f"writing the log: {error}")
                for append in batch:
                    _resolve(append, refused)
                continue
            # First, so that who heard of an append finds it under `last_offset`.
            with self._grown:
                self._last_offset = offsets[-1][-1].offset
                self._grown.notify_all()
            for append, positions in zip(batch, offsets, strict=True):
                _resolve(append, positions)
        connection.close()

    def _next_batch(self) -> list[_Append] | None:
        first = self._appends.get()
        if first is None:
            return None
        batch, count = [first], len(first.messages)
        while count < _MESSAGES_PER_COMMIT_MAX:
            try:
                append = self._appends.get_nowait()
            except queue.Empty:
                break
            if append is None:
                self._appends.put(None)  # stop after this batch
                break
            batch.append(append)
            count += len(append.messages)
        return batch

    @staticmethod
    def _commit(connection: sqlite3.Connection, batch: list[_Append]) -> list[list[Position]]:
        positions: list[list[Position]] = []
        connection.execute("BEGIN IMMEDIATE")
        for append in batch:
            landed: list[Position] = []
            for message in append.messages:
                cursor = connection.execute(
                    "INSERT INTO envelopes (message) VALUES (?)", (message,)
                )
                assert cursor.lastrowid is not None
                landed.append(Position(PARTITION, cursor.lastrowid))
            positions.append(landed)
        connection.execute("COMMIT")
        return positions


def _resolve(append: _Append, outcome: list[Position] | LogUnavailableError) -> None:
    def settle() -> None:
        if append.done.done():
            return
        if isinstance(outcome, LogUnavailableError):
            append.done.set_exception(outcome)
            append.done.exception()  # seen, even when the sender stopped waiting
        else:
            append.done.set_result(outcome)

    # The loop is gone when the server stopped first; the data is durable all the same.
    with contextlib.suppress(RuntimeError):
        append.loop.call_soon_threadsafe(settle)
