import sqlite3
import threading
from pathlib import Path

import pytest

from runtime.sqlite_copy import copy_database


def database(path: Path, rows: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 100,)] * rows)
    connection.execute("COMMIT")
    return connection


def numbers(path: Path) -> list[int]:
    return [n for (n,) in sqlite3.connect(path).execute("SELECT n FROM t ORDER BY n")]


def test_a_copy_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    writer = database(tmp_path / "source.db", 20_000)
    is_over = threading.Event()
    last = 20_000

    def write() -> None:
        nonlocal last
        while not is_over.is_set():
            # Two rows a transaction: half of one must never be seen.
            writer.execute("BEGIN")
            writer.execute("INSERT INTO t (text) VALUES ('y')")
            writer.execute("INSERT INTO t (text) VALUES ('y')")
            writer.execute("COMMIT")
            last += 2

    thread = threading.Thread(target=write)
    thread.start()
    committed = last
    copy_database(tmp_path / "source.db", tmp_path / "copy.db")
    is_over.set()
    thread.join()

    found = numbers(tmp_path / "copy.db")
    assert committed <= len(found) <= last
    assert len(found) % 2 == 0
    assert found == list(range(1, len(found) + 1))


def test_a_copy_counts_on_where_its_source_was(tmp_path: Path) -> None:
    source = database(tmp_path / "source.db", 10)
    source.execute("DELETE FROM t WHERE n > 5")
    copy_database(tmp_path / "source.db", tmp_path / "copy.db")

    copied = sqlite3.connect(tmp_path / "copy.db")
    copied.execute("INSERT INTO t (text) VALUES ('z')")

    assert copied.execute("SELECT max(n) FROM t").fetchone() == (11,)


def test_a_source_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        copy_database(tmp_path / "no.db", tmp_path / "copy.db")

    assert list(tmp_path.iterdir()) == []
