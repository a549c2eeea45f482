"""What SQLite and PostgreSQL want said differently; the rest of control/ does not care which it is.

Must stay true: a transaction begun for writing never fails because another one began to write
after it. On SQLite it takes the write lock at its start; one that read first and asked for the
lock later would be refused at once, whatever the time limit.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from runtime.errors import SettingsError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

_SETTING: Final = "OPSTRAIL_CONTROL_URL"
# Execution option of a transaction that will write.
WRITES: Final[Mapping[str, Any]] = {"opstrail_writes": True}

_BUSY_TIMEOUT_S: Final = 5
_POOL_TIMEOUT_S: Final = 5
_PSYCOPG: Final = "postgresql+psycopg"
# libpq's own names and units. A server that vanished without a word is noticed in some 15 s; the
# system's defaults are two hours.
_POSTGRESQL_LIMITS: Final[Mapping[str, int]] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
# Any number does, as long as nobody else who shares the database takes the same.
_TURN_LOCK: Final = 0x0B57_4A11

Insert: TypeAlias = "sqlite.Insert | postgresql.Insert"


def open_engine(url: str) -> Engine:
    """An engine for the address; connects to nothing yet. Raises SettingsError: no such address."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        # The cause would repeat the address, and with it the password.
        raise _setting_error("is no database address") from None
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return _open_sqlite(parsed)
        case "postgresql" | "postgresql+psycopg":
            return _open_postgresql(parsed)
        case _:
            raise _setting_error("names a database that is not supported")


def take_turn(connection: Connection) -> None:
    """Wait until no other transaction that took its turn is left; held until this one ends.

    On SQLite a writing transaction is alone already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TURN_LOCK})


def insert_into(connection: Connection, table: Table) -> Insert:
    """An INSERT that can say ON CONFLICT, in the dialect of `connection`."""
    if connection.dialect.name == "postgresql":
        # Imported by then; where SQLite is used it need not be.
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)


def _open_sqlite(url: URL) -> Engine:
    path = url.database
    if not path or path == ":memory:" or path.startswith("file:"):
        raise _setting_error("must name a file: every process has to see the same database")
    try:
        # It holds the pepper. SQLite gives the files beside it the same mode.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(Path(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise _setting_error("names a file that cannot be made; does its folder exist?") from error
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        hide_parameters=True,
        connect_args={"timeout": _BUSY_TIMEOUT_S},
        pool_timeout=_POOL_TIMEOUT_S,
    )
    event.listen(engine, "connect", prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_postgresql(url: URL) -> Engine:
    return create_engine(
        url.set(drivername=_PSYCOPG),
        hide_parameters=True,
        connect_args={
            name: value for name, value in _POSTGRESQL_LIMITS.items() if name not in url.query
        },
        pool_pre_ping=True,
        pool_timeout=_POOL_TIMEOUT_S,
    )


def prepare_sqlite(
    connection: sqlite3.Connection, _entry: ConnectionPoolEntry | None = None
) -> None:
    """What every new connection to SQLite is told. Raises sqlite3.OperationalError: locked."""
    # The driver would begin transactions by its own rules, and none for DDL; we begin our own.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # A revocation that was confirmed survives a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    _switch_to_wal(connection)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Readers and the writer do not wait for one another. Kept in the file; later calls are cheap.

    The switch itself does not heed the busy time limit: two processes that open a new file at once
    would fail, so it is tried again here.
    """
    give_up_at_s = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at_s:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("opstrail_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _setting_error(what: str) -> SettingsError:
    return SettingsError(f"{_SETTING} {what}; use `sqlite:///path` or `postgresql://…`")
