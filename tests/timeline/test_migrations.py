import multiprocessing
import uuid
from dataclasses import replace
from multiprocessing.queues import Queue

import pytest

from runtime.errors import SettingsError
from runtime.settings import load_settings
from tests.timeline.trail import Trail, run_entry
from timeline import ddl, migrations
from timeline.column import Column
from timeline.migrations import MIGRATIONS, migrate
from timeline.statement import Statement
from timeline.store import Store, open_store

TABLES = Statement("SELECT name FROM system.tables WHERE database = currentDatabase()")
COLUMNS = Statement(
    "SELECT name, comment FROM system.columns"
    " WHERE database = currentDatabase() AND table = 'entries'"
)


def test_migrating_again_does_nothing(store: Store) -> None:
    assert migrate(store) == []
    assert migrate(store) == []


def test_numbers_rise_one_by_one() -> None:
    assert [migration.number for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_migration_that_was_cut_off_is_completed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The record of it is missing, and one of its tables.
    store.write_now(lambda connection: connection.command("DROP TABLE entry_ids_view"))
    store.write_now(lambda connection: connection.command("TRUNCATE TABLE migrations"))

    # Its record may not be taken for a repetition of the one that is gone.
    assert migrate(store) == [each.number for each in MIGRATIONS]
    assert ("entry_ids_view",) in [tuple(row) for row in store.read_now(lambda c: c.rows(TABLES))]


def test_a_new_kind_brings_its_columns_along(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"new_{uuid.uuid4().hex}"
    trail.put(run_entry(1))
    added = Column(name, "Nullable(Int64)", "It's new")
    monkeypatch.setattr(ddl, "ENTRIES", replace(ddl.ENTRIES, columns=(*ddl.ENTRIES.columns, added)))

    migrate(trail.store)
    migrate(trail.store)

    rows = trail.store.read_now(lambda connection: connection.rows(COLUMNS))
    columns = {row[0]: row[1] for row in rows}
    assert columns[name] == "It's new"
    assert trail.found() == [1]
    trail.store.write_now(lambda c: c.command(f"ALTER TABLE entries DROP COLUMN {name}"))


def test_every_column_says_what_it_holds(store: Store) -> None:
    rows = store.read_now(
        lambda connection: connection.rows(
            Statement(
                "SELECT table, name FROM system.columns WHERE database = currentDatabase()"
                " AND comment = '' AND table NOT LIKE '%\\_view'"
            )
        )
    )
    assert rows == []


def test_a_store_of_a_newer_version_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (MIGRATIONS[0]._replace(number=0, steps=()),))
    with pytest.raises(SettingsError, match="newer version"):
        migrate(store)


def test_two_processes_may_migrate_at_once(clickhouse_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    databases = [f"race_{uuid.uuid4().hex}" for _ in range(3)]
    answers: Queue[str] = context.Queue()
    barrier = context.Barrier(3)
    racers = [
        context.Process(target=_race, args=(clickhouse_url, databases, barrier, answers))
        for _ in range(3)
    ]
    for racer in racers:
        racer.start()
    outcomes = [answers.get(timeout=60) for _ in racers for _ in databases]
    for racer in racers:
        racer.join(60)

    assert outcomes == ["done"] * 9
    for database in databases:
        store = open_store(
            load_settings(clickhouse_url=clickhouse_url, clickhouse_database=database)
        )
        tables = {row[0] for row in store.read_now(lambda connection: connection.rows(TABLES))}
        store.close()
        assert {"entries", "entry_ids", "watermarks", "cli_instances_view"} <= tables


def _race(url: str, databases: list[str], barrier: object, answers: "Queue[str]") -> None:
    for database in databases:
        store = open_store(load_settings(clickhouse_url=url, clickhouse_database=database))
        try:
            barrier.wait(60)  # type: ignore[attr-defined]
            migrate(store)
            answers.put("done")
        except BaseException as error:  # not raised: the others wait for this one at the barrier
            answers.put(f"{error!r} from {error.__cause__!r}")
        finally:
            store.close()
