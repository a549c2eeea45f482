"""Bringing a control database to the newest version."""

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from control import migration
from control.database import Control, open_control
from control.tables import INSTALLATION, METADATA
from runtime.errors import SettingsError

_MIGRATE = """
import sys
from control.database import open_control
control = open_control(sys.argv[1])
sys.stdin.readline()
control.migrate()
print(control.installation().pepper.hex())
"""


def at_once(program: str, url: str, processes: int) -> list[str]:
    """What each of the processes says; all are loaded and waiting before the first goes on."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * processes
    return said


def test_the_migrations_lead_to_the_tables_of_the_code(control: Control) -> None:
    with control.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) == []


def test_migrating_again_changes_nothing(control: Control, control_url: str) -> None:
    before = control.installation()
    again = open_control(control_url)
    again.migrate()

    assert again.installation() == before
    again.close()


def test_four_processes_at_once_make_one_installation(control_url: str) -> None:
    assert len(set(at_once(_MIGRATE, control_url, 4))) == 1


def test_a_migration_that_fails_leaves_nothing_behind(
    empty_control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_connection: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(migration, "_make_secrets", fail)
    with pytest.raises(RuntimeError):
        empty_control.migrate()

    with empty_control.reading() as connection:
        assert inspect(connection).get_table_names() == []


def test_a_database_from_a_newer_version_is_left_as_it_is(control: Control) -> None:
    with control.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SettingsError, match="newer version"):
        control.migrate()

    with control.reading() as connection:
        assert connection.execute(text("SELECT * FROM alembic_version")).scalars().all() == ["9999"]
        assert connection.execute(INSTALLATION.select()).one() is not None


def test_two_installations_share_no_secret(sqlite_url: str) -> None:
    one, two = open_control(sqlite_url), open_control(f"{sqlite_url}.other")
    one.migrate()
    two.migrate()
    secrets = [
        secret
        for installation in (one.installation(), two.installation())
        for secret in (installation.pepper, installation.position_secret)
    ]

    assert len(set(secrets)) == 4
    assert {len(secret) for secret in secrets} == {32}
    one.close()
    two.close()
