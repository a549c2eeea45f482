"""Where SQLite and PostgreSQL differ, and must not."""

import socket
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from control import dialects
from control.database import Control, open_control
from control.dialects import open_engine
from control.errors import ControlUnavailableError
from control.tables import ORGANIZATIONS
from runtime.errors import SettingsError
from tests.control.world import NOON


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://anna:hunter2@db/opstrail",
        "postgres://anna:hunter2@db/opstrail",
        "postgresql+asyncpg://anna:hunter2@db/opstrail",
        "postgresql://anna:hunter2@db:port/opstrail",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:////no/such/folder/control.db",
    ],
)
def test_a_bad_address_names_the_setting_and_keeps_the_password(url: str) -> None:
    with pytest.raises(SettingsError, match="OPSTRAIL_CONTROL_URL") as refused:
        open_engine(url)

    assert "hunter2" not in f"{refused.value} {refused.value.__cause__}"


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_both_forms_of_a_postgresql_address_mean_psycopg(scheme: str) -> None:
    assert open_engine(f"{scheme}://db/opstrail").url.drivername == "postgresql+psycopg"


def test_the_sqlite_file_is_for_its_owner_only(tmp_path: Path) -> None:
    control = open_control(f"sqlite:///{tmp_path / 'control.db'}")
    control.migrate()

    files = list(tmp_path.iterdir())
    assert tmp_path / "control.db" in files
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    control.close()


def test_sqlite_keeps_foreign_keys_and_a_wal_that_survives_a_power_cut(sqlite_url: str) -> None:
    control = open_control(sqlite_url)
    with control.reading() as connection:
        told = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        ]
    control.close()

    assert told == ["wal", 1, 2, 5_000]


class _BusyConnection(sqlite3.Connection):
    """Another process switches the same new file at this moment: SQLite then fails at once."""

    failures_left = 0

    def execute(self, sql: str, /, *args: Any) -> sqlite3.Cursor:
        if "journal_mode" in sql and self.failures_left:
            self.failures_left -= 1
            raise sqlite3.OperationalError("database is locked")
        return super().execute(sql, *args)


def test_a_switch_to_the_wal_that_meets_another_is_tried_again(tmp_path: Path) -> None:
    connection = _BusyConnection(tmp_path / "control.db")
    connection.failures_left = 3
    dialects.prepare_sqlite(connection)

    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_switch_to_the_wal_that_never_works_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialects, "_BUSY_TIMEOUT_S", 0.05)
    connection = _BusyConnection(tmp_path / "control.db")
    connection.failures_left = 10**9

    with pytest.raises(sqlite3.OperationalError):
        dialects.prepare_sqlite(connection)
    connection.close()


@pytest.mark.parametrize("control_url", ["sqlite"], indirect=True)
def test_a_reader_does_not_wait_for_a_writer(control: Control) -> None:
    with control.writing() as connection:
        connection.execute(ORGANIZATIONS.insert().values(name="a", created_at=NOON))
        with control.reading() as other:
            assert other.execute(select(ORGANIZATIONS.c.name)).all() == []


def test_transactions_that_read_first_and_write_later_do_not_fail_one_another(
    control: Control,
) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def write(writer: int) -> None:
        start.wait()
        try:
            for turn in range(10):
                with control.writing() as connection:
                    connection.execute(select(ORGANIZATIONS.c.name)).all()
                    connection.execute(
                        ORGANIZATIONS.insert().values(name=f"{writer}-{turn}", created_at=NOON)
                    )
        except ControlUnavailableError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    with control.reading() as connection:
        assert len(connection.execute(select(ORGANIZATIONS.c.name)).all()) == 40


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that lets clients in and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(("query", "limit_s"), [("", 5), ("?connect_timeout=2", 2)])
def test_a_silent_server_is_given_up_after_5_s_or_what_the_address_says(
    silent_port: int, query: str, limit_s: int
) -> None:
    control = open_control(f"postgresql://127.0.0.1:{silent_port}/opstrail{query}")
    started_at_s = time.monotonic()

    with pytest.raises(ControlUnavailableError):
        control.ping()

    assert limit_s - 1 <= time.monotonic() - started_at_s < limit_s + 2
