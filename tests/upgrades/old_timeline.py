"""A timeline store as an earlier version left it: that version's tables and rows, as text.

Must stay true: nothing here comes from the product's own tables or writer, which change. The texts
in `frozen/` were taken from what those versions made, and are never changed; when a migration is
added, `timeline-N.sql` of the one before it is added too.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from timeline.connection import Connection
from timeline.statement import Statement
from timeline.store import Store

FROZEN: Final = Path(__file__).parent / "frozen"
# By the number of the newest migration that was run.
VERSIONS: Final = tuple(
    sorted(int(path.stem.rpartition("-")[2]) for path in FROZEN.glob("timeline-*.sql"))
)
# Whose rows the frozen ones are.
ORGANIZATION: Final = "default"
# What a version wrote itself; the other tables were filled by views.
_WRITTEN_SINCE: Final = {
    "migrations": 1,
    "entries": 1,
    "cli_observations": 1,
    "workspaces": 1,
    "watermarks": 1,
    "snapshots": 2,
    "access_log": 4,
}
_COLUMNS: Final = (
    "SELECT name, type FROM system.columns"
    " WHERE database = currentDatabase() AND table = {table:String} ORDER BY position"
)
_MEMORY_BYTES_MAX: Final = 1024**3
# Encloses text that is not read as SQL; stands in none of the rows.
_QUOTE: Final = "$frozen$"


def store_beside(store: Store, database: str) -> Store:
    """Another database of the same engine, which may be missing; chDB allows no second engine."""
    beside = Store(
        store._connect, database=database, memory_bytes_max=_MEMORY_BYTES_MAX, name=store.name
    )
    beside.is_embedded = store.is_embedded
    return beside


def make_old_timeline(store: Store, version: int, organization: str = ORGANIZATION) -> None:
    """As `version` left it, in a database that is not there yet."""

    def make(connection: Connection) -> None:
        connection.create_database()
        for statement in statements(f"timeline-{version}"):
            connection.command(statement)
        for table, since in _WRITTEN_SINCE.items():
            if since <= version:
                _insert(connection, table, _rows(table, version, organization))

    store.write_now(make)


def insert_rows(store: Store, organization: str = ORGANIZATION) -> None:
    """All that was ever written, into tables of the present version."""

    def insert(connection: Connection) -> None:
        for table in _WRITTEN_SINCE.keys() - {"migrations"}:
            _insert(connection, table, _rows(table, VERSIONS[-1], organization))

    store.write_now(insert)


def statements(name: str) -> list[str]:
    """Those of a frozen text."""
    return (FROZEN / f"{name}.sql").read_text(encoding="utf-8").rstrip(";\n").split(";\n\n")


def _rows(table: str, version: int, organization: str) -> list[dict[str, Any]]:
    rows = [
        {**row, "organization": organization} if "organization" in row else row
        for row in _frozen_rows()[table]
    ]
    return [row for row in rows if table != "migrations" or row["number"] <= version]


@cache
def _frozen_rows() -> Mapping[str, Sequence[dict[str, Any]]]:
    rows: Mapping[str, Sequence[dict[str, Any]]]
    rows = json.loads((FROZEN / "timeline-rows.json").read_text(encoding="utf-8"))
    return rows


def _insert(connection: Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = connection.rows(Statement(_COLUMNS, {"table": table}))
    structure = ", ".join(
        f"`{name}` {kind}" for name, kind in columns if all(name in row for row in rows)
    )
    names = ", ".join(f"`{name}`" for name in rows[0])
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    connection.command(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM"
        f" format(JSONEachRow, {_QUOTE}{structure}{_QUOTE}, {_QUOTE}{lines}{_QUOTE})"
    )
