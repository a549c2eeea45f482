"""The control database of every earlier revision, brought to the present one."""

import asyncio
import contextlib
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, text

from control.authenticator import Authenticator
from control.bootstrap import bootstrap
from control.database import Control, open_control
from control.organizations import create_organization, list_organizations
from control.roles import Role
from control.tables import METADATA
from control.workspaces import get_workspace
from tests.control.conftest import control_url as control_url
from tests.control.conftest import empty_control as empty_control
from tests.control.conftest import postgresql_url as postgresql_url
from tests.control.conftest import sqlite_url as sqlite_url
from tests.control.test_migration import at_once
from tests.upgrades.old_control import ADMIN_KEY, POSITION_SECRET, REVISIONS, insert_old_rows
from tests.upgrades.old_timeline import ORGANIZATION, statements

_MIGRATE = """
import sys
from control.bootstrap import bootstrap
from control.database import open_control
control = open_control(sys.argv[1])
sys.stdin.readline()
print(bootstrap(control), control.installation().position_secret.decode())
"""
NOW = datetime(2026, 3, 30, tzinfo=UTC)


@pytest.fixture(params=REVISIONS)
def revision(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def old(empty_control: Control, revision: str) -> Control:
    make_tables(empty_control, revision)
    with empty_control.writing() as connection:
        insert_old_rows(connection)
    return empty_control


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", "control:migrations")
    return made


def make_tables(control: Control, revision: str) -> None:
    """By the revisions' own migrations."""
    with control.writing() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, revision)


def assert_reads_on(control: Control) -> None:
    """The same organization, key, secrets and labels; and there is room for more."""
    assert bootstrap(control) is None  # there is a key
    assert control.installation().position_secret == POSITION_SECRET
    with control.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) == []
        workspace = get_workspace(connection, organization=ORGANIZATION, name="acme-prod")
    assert workspace is not None
    assert (workspace.label.environment, workspace.label.labels) == ("production", {"team": "web"})
    principal = asyncio.run(_authenticated(control))
    assert (principal.organization, principal.actor) == (ORGANIZATION, "admin")
    assert Role.ADMIN in principal.roles
    assert Role.OPERATOR not in principal.roles
    with control.writing() as connection:
        create_organization(connection, "globex", now=NOW)
        names = {organization.name for organization in list_organizations(connection)}
    assert names == {ORGANIZATION, "globex"}


async def _authenticated(control: Control) -> Any:
    authenticator = Authenticator(control, monotonic_s=time.monotonic, utc_now=lambda: NOW)
    try:
        return await authenticator.authenticate(ADMIN_KEY)
    finally:
        await authenticator.close()


def test_every_revision_has_its_frozen_tables() -> None:
    """The newest one's too, which is an earlier one some day."""
    made = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}

    assert made == set(REVISIONS)


def test_a_revision_still_makes_the_tables_it_made_then(sqlite_url: str, revision: str) -> None:
    control = open_control(sqlite_url)
    make_tables(control, revision)
    assert control.file is not None
    with contextlib.closing(sqlite3.connect(control.file)) as made:
        found = {row[0] for row in made.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")}
    control.close()

    assert {_squeezed(sql) for sql in found} == set(
        map(_squeezed, statements(f"control-{revision}"))
    )


def test_what_an_earlier_revision_held_is_held_on(old: Control) -> None:
    old.migrate()
    old.migrate()

    assert_reads_on(old)


def test_two_processes_that_start_at_once_bring_it_up_once(old: Control, control_url: str) -> None:
    said = at_once(_MIGRATE, control_url, 2)

    assert said == [f"None {POSITION_SECRET.decode()}"] * 2
    assert_reads_on(old)


class PowerWentError(BaseException):
    """Nothing catches it, as nothing catches a power cut."""


def test_an_upgrade_that_ends_after_any_of_its_statements_leaves_the_old_and_is_done_anew(
    old: Control, revision: str
) -> None:
    for allowed in range(1, 1_000):
        if _migrate_cut_off(old, allowed):
            break
        with old.reading() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version"))
            assert found.scalars().all() == [revision]

    assert allowed > 1
    assert_reads_on(old)


def _migrate_cut_off(control: Control, allowed: int) -> bool:
    """Whether so many statements were enough."""
    left = allowed

    def count(*_: Any) -> None:
        nonlocal left
        if left == 0:
            raise PowerWentError
        left -= 1

    event.listen(control._engine, "before_cursor_execute", count)
    try:
        control.migrate()
    except PowerWentError:
        return False
    finally:
        event.remove(control._engine, "before_cursor_execute", count)
    return True


def _squeezed(sql: str) -> str:
    return " ".join(sql.split())
