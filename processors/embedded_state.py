"""What the embedded pipeline remembers between starts: rows, dead letters, how far it is.

SQLite (WAL). All of one step is one transaction, so rows and progress never disagree; a lost tail
only means doing the same again.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from processors.dead_letter import DEAD_LETTER_CODEC
from processors.eviction import TableChange
from runtime.errors import LogUnavailableError

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS applied (key BLOB PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (
    offset INTEGER NOT NULL,
    place INTEGER NOT NULL,
    letter BLOB NOT NULL,
    PRIMARY KEY (offset, place)
);
CREATE TABLE IF NOT EXISTS progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    inserted_offset INTEGER NOT NULL,
    intended_offset INTEGER NOT NULL
);
INSERT OR IGNORE INTO progress VALUES (1, 0, 0);
"""


class Progress(NamedTuple):
    """`intended` above `inserted`: an insert of exactly that range may be under way or lost."""

    inserted_offset: int
    intended_offset: int


class EmbeddedState:
    """Used from the pipeline's thread alone. Errors of SQLite become LogUnavailableError."""

    def __init__(self, path: Path) -> None:
        with _translated(path):
            self._connection: Final = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)
        self._path: Final = path

    def progress(self) -> Progress:
        with _translated(self._path):
            row = self._connection.execute("SELECT inserted_offset, intended_offset FROM progress")
            return Progress(*row.fetchone())

    def rows(self) -> dict[bytes, bytes]:
        """Every row, for rebuilding the state."""
        with _translated(self._path):
            return dict(self._connection.execute("SELECT key, row FROM applied"))

    def row(self, key: bytes) -> bytes | None:
        with _translated(self._path):
            found = self._connection.execute("SELECT row FROM applied WHERE key = ?", (key,))
            row = found.fetchone()
            return None if row is None else row[0]

    def intend(
        self,
        offset: int,
        rows: Iterable[tuple[bytes, bytes]],
        dead_letters: Iterable[dict[str, Any]],
    ) -> None:
        """Before an insert: what the range up to `offset` changed, and that it is intended."""
        letters = [
            (letter["offset"], letter.get("index", -1), DEAD_LETTER_CODEC.encode(letter))
            for letter in dead_letters
        ]
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO applied VALUES (?, ?)", rows)
            self._connection.executemany(
                "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?)", letters
            )
            self._connection.execute("UPDATE progress SET intended_offset = ?", (offset,))

    def change(self, changes: Sequence[TableChange]) -> None:
        """Put or delete rows; all of them or none."""
        if not changes:
            return
        with self._transaction():
            self._connection.executemany(
                "DELETE FROM applied WHERE key = ?",
                [(key,) for key, row in changes if row is None],
            )
            self._connection.executemany(
                "INSERT OR REPLACE INTO applied VALUES (?, ?)",
                [(key, row) for key, row in changes if row is not None],
            )

    def inserted(self, offset: int) -> None:
        """After an insert: all up to `offset` is on the timeline."""
        with _translated(self._path):
            self._connection.execute("UPDATE progress SET inserted_offset = ?", (offset,))

    def dead_letters(self) -> list[dict[str, Any]]:
        """All of them, oldest first."""
        with _translated(self._path):
            found = self._connection.execute(
                "SELECT letter FROM dead_letters ORDER BY offset, place"
            )
            return [DEAD_LETTER_CODEC.decode(letter) for (letter,) in found]

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # All of a step or nothing; and the next one must find no transaction open.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise LogUnavailableError(f"{path}: {error}") from error
