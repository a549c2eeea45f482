"""Brings the store to the present schema: forward only, numbered, safe to repeat and to race.

Must stay true: each statement does nothing where its work is done already, so a migration that was
cut off, or that two processes run at the same time, ends in the same schema. A number that was
released is never changed; the next change is the next number.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from runtime.errors import SettingsError, TimelineUnavailableError
from timeline import ddl
from timeline.access_ddl import ACCESS_LOG
from timeline.column import TIME, ZSTD, Column, Table
from timeline.connection import Connection
from timeline.entry_times import (
    ENTRY_TIMES,
    ENTRY_TIMES_VIEW,
    ENTRY_TIMES_VIEW_AGAIN,
    fill_entry_times,
    is_view_current,
)
from timeline.generation import GENERATIONS, generation_database, read_generations
from timeline.host_workspaces import (
    HOST_WORKSPACES,
    HOST_WORKSPACES_FILL,
    HOST_WORKSPACES_VIEW,
)
from timeline.long_entries import LONG_ENTRIES, LONG_ENTRIES_FILL, LONG_ENTRIES_VIEW
from timeline.statement import Statement
from timeline.store import Store

# Two processes that alter one table at the same moment may each be told to come again.
_ATTEMPTS: Final = 5
_RETRY_DELAY_S: Final = 0.2

_MIGRATIONS_TABLE: Final = Table(
    name="migrations",
    comment="Which migrations were run",
    columns=(
        Column("number", "UInt32", "Number of the migration", ZSTD),
        Column("name", "String", "What it was about", ZSTD),
        Column("applied_at", TIME, "When it was first run", ZSTD),
    ),
    engine="ReplacingMergeTree",
    order_by="number",
    settings={"non_replicated_deduplication_window": ddl.DEDUPLICATION_WINDOW},
    settings_embedded={"fsync_after_insert": 1, "fsync_part_directory": 1},
)


Step: TypeAlias = Table | str | Callable[[Connection], None]


class Migration(NamedTuple):
    number: int
    name: str
    steps: Sequence[Step]


def _add_columns(connection: Connection) -> None:
    """What an entry has that an older version did not know: a new kind brings its own, too."""
    present = {row[0] for row in connection.rows(_COLUMNS)}
    missing = [column for column in ddl.ENTRIES.columns if column.name not in present]
    if missing:
        added = ", ".join(f"ADD COLUMN IF NOT EXISTS {column.ddl}" for column in missing)
        _command(connection, f"ALTER TABLE {ddl.ENTRIES.name} {added}")


_COLUMNS: Final = Statement(
    "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}",
    {"table": ddl.ENTRIES.name},
)


MIGRATIONS: Final = (
    Migration(
        1,
        "first tables",
        (
            ddl.ENTRIES,
            ddl.ENTRY_IDS,
            ddl.ENTRY_IDS_VIEW,
            ddl.OBSERVATIONS,
            ddl.INSTANCES,
            ddl.INSTANCES_VIEW,
            ddl.WORKSPACES,
            ddl.WATERMARKS,
        ),
    ),
    Migration(
        2,
        "what was received, and the register of workspaces",
        (
            ddl.SNAPSHOTS,
            ddl.CLIENT_SEQS,
            ddl.CLIENT_SEQS_VIEW,
            ddl.DEAD_LETTERS,
            ddl.DEAD_LETTERS_VIEW,
            ddl.WORKSPACE_REGISTER,
            ddl.WORKSPACE_REGISTER_VIEW,
            ddl.WORKSPACE_REGISTER_FILL,
        ),
    ),
    Migration(
        3,
        "entries by time",
        # A document holds every column, of kinds that are new here as well.
        (_add_columns, ENTRY_TIMES, ENTRY_TIMES_VIEW, fill_entry_times),
    ),
    Migration(4, "the access log", (ACCESS_LOG,)),
    Migration(5, "generations", (GENERATIONS,)),
    Migration(
        6,
        "workspaces of hosts",
        (HOST_WORKSPACES, HOST_WORKSPACES_VIEW, HOST_WORKSPACES_FILL),
    ),
    # The number keeps older versions away: they would show links without a sentence.
    Migration(7, "what linked records have in common", (_add_columns, ddl.ENTRY_IDS_SMALL_BLOCKS)),
    Migration(8, "long entries", (LONG_ENTRIES, LONG_ENTRIES_VIEW, LONG_ENTRIES_FILL)),
)


def migrate(store: Store) -> list[int]:
    """Make or complete the schema in every generation; the numbers of the migrations run now.

    Raises TimelineUnavailableError; SettingsError when a newer version was here before.
    """
    done = migrate_generation(store, 0)
    present = store.read_now(read_generations, database=store.database).present
    for generation in present[1:]:
        done += migrate_generation(store, generation)
    return sorted(set(done))


def migrate_generation(store: Store, generation: int) -> list[int]:
    """The same in the database of one generation, which is made if need be."""
    return store.write_now(
        lambda connection: _migrate(connection, is_embedded=store.is_embedded),
        database=generation_database(store.database, generation),
    )


def _migrate(connection: Connection, *, is_embedded: bool) -> list[int]:
    connection.create_database()
    connection.command(_MIGRATIONS_TABLE.create(is_embedded=is_embedded))
    done = {number for (number,) in connection.rows(Statement("SELECT number FROM migrations"))}
    newest = MIGRATIONS[-1].number
    if done and max(done) > newest:
        raise SettingsError(
            f"OPSTRAIL_CLICKHOUSE_DATABASE: the timeline's tables are at migration {max(done)},"
            f" this version knows {newest}; run the newer version"
        )
    pending = [migration for migration in MIGRATIONS if migration.number not in done]
    for migration in pending:
        for step in migration.steps:
            _run(connection, step, is_embedded=is_embedded)
        connection.insert(
            _MIGRATIONS_TABLE,
            {
                "number": [migration.number],
                "name": [migration.name],
                "applied_at": [time.time_ns() // 1_000],
            },
            token=f"migration:{migration.number}",
        )
    _add_columns(connection)
    complete_view(connection)
    return [migration.number for migration in pending]


def complete_view(connection: Connection) -> None:
    """A kind or a field that is new belongs into the documents."""
    if not is_view_current(connection):
        _command(connection, ENTRY_TIMES_VIEW_AGAIN)


def _run(connection: Connection, step: Step, *, is_embedded: bool) -> None:
    match step:
        case Table():
            _command(connection, step.create(is_embedded=is_embedded))
        case str():
            _command(connection, step)
        case _:
            step(connection)


def _command(connection: Connection, statement: str) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            connection.command(statement)
            return
        except TimelineUnavailableError:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(_RETRY_DELAY_S * attempt)
