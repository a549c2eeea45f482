"""A data folder of `opstrail up` as an earlier version left it, made of frozen texts.

    python -m tests.upgrades.old_folder FOLDER VERSION

makes it; a process of its own, because chDB allows one folder in each.
"""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any, Final

from sqlalchemy import create_engine

from runtime.settings import load_settings
from tests.upgrades.old_control import ADMIN_KEY, insert_old_rows
from tests.upgrades.old_messages import old_message
from tests.upgrades.old_timeline import FROZEN, make_old_timeline, statements
from timeline.store import open_store

# The versions that made a folder otherwise than the one before: by their newest migration of the
# timeline, the revision of the control database and whether there was an access log.
_FOLDERS: Final = {1: ("0001", False), 2: ("0001", False), 4: ("0002", True)}
FOLDER_VERSIONS: Final = tuple(_FOLDERS)
# Offset of the newest envelope.
LAST_OFFSET: Final = 7
_LAST_ACCESS: Final = 1
_MAKE_TIMEOUT_S: Final = 60.0


def make_old_folder(folder: Path, version: int) -> None:
    """`folder` is not there yet."""
    subprocess.run(
        [sys.executable, "-m", "tests.upgrades.old_folder", str(folder), str(version)],
        check=True,
        timeout=_MAKE_TIMEOUT_S,
    )


def _make(folder: Path, version: int) -> None:
    revision, has_access_log = _FOLDERS[version]
    folder.mkdir(parents=True)
    (folder / "admin.key").write_text(f"{ADMIN_KEY}\n")
    _make_database(
        folder / "log.db",
        "log",
        {"envelopes": [(row.pop("offset"), old_message(row)) for row in _read("log")]},
    )
    _make_database(
        folder / "correlate.db",
        "state",
        {
            "applied": [
                (bytes.fromhex(row.pop("key")), old_message(row)) for row in _read("state")
            ],
            "dead_letters": [
                (row.pop("offset"), row.pop("place"), old_message(row))
                for row in _read("dead-letters")
            ],
            "progress": [(1, LAST_OFFSET, LAST_OFFSET)],
        },
    )
    if has_access_log:
        _make_database(
            folder / "access.db",
            "log",
            {"envelopes": [(row.pop("offset"), old_message(row)) for row in _read("access")]},
        )
        _make_database(
            folder / "access-progress.db", "access-progress", {"progress": [(1, _LAST_ACCESS)]}
        )
    _make_database(folder / "control.db", f"control-{revision}", {"alembic_version": [(revision,)]})
    engine = create_engine(f"sqlite:///{folder / 'control.db'}")
    with engine.begin() as connection:
        insert_old_rows(connection)
    engine.dispose()
    store = open_store(load_settings(data_dir=folder))
    make_old_timeline(store, version)
    store.close()


def _make_database(path: Path, tables: str, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    with closing(connect(path)) as database, database:
        database.execute("PRAGMA journal_mode=WAL")
        for statement in statements(tables):
            database.execute(statement)
        for table, values in rows.items():
            places = ", ".join("?" * len(values[0]))
            database.executemany(f"INSERT INTO {table} VALUES ({places})", values)


def _read(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((FROZEN / f"{name}.json").read_text(encoding="utf-8"))
    return rows


if __name__ == "__main__":
    _make(Path(sys.argv[1]), int(sys.argv[2]))
