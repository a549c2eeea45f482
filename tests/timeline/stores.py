"""The stores tests share: one embedded one per process, because chDB allows no second."""

import atexit
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from runtime.settings import Settings, load_settings
from tests.support.clickhouse_service import DATABASE, SQL_PASSWORD
from timeline.generation import generation_database, read_generations
from timeline.migrations import migrate
from timeline.sql_user import make_sql_user
from timeline.store import Store, open_store


def store_settings(**chosen: Any) -> Settings:
    return load_settings(clickhouse_database=DATABASE, **chosen)


@cache
def _embedded_folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="opstrail-store-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


@cache
def embedded_store() -> Store:
    store = open_store(store_settings(data_dir=_embedded_folder()))
    migrate(store)
    atexit.register(store.close)
    return store


@cache
def server_store(url: str) -> Store:
    """With the user for SQL where the server has one."""
    store = open_store(store_settings(clickhouse_url=url), sql_password=SQL_PASSWORD)
    migrate(store)
    store.write_now(lambda connection: make_sql_user(connection, DATABASE, SQL_PASSWORD))
    atexit.register(store.close)
    return store


def named_store(name: str, server_url: str) -> Store:
    return embedded_store() if name == "embedded" else server_store(server_url)


@contextmanager
def own_store(name: str, server_url: str) -> Iterator[Store]:
    """With a database of its own, for what concerns a whole installation."""
    shared = named_store(name, server_url)  # the embedded engine stays with it
    place: dict[str, Any] = (
        {"data_dir": _embedded_folder()} if name == "embedded" else {"clickhouse_url": server_url}
    )
    database = f"{DATABASE}_{uuid.uuid4().hex[:12]}"
    store = open_store(load_settings(clickhouse_database=database, **place))
    migrate(store)
    try:
        yield store
    finally:
        present = store.read_now(read_generations, database=database).present
        store.close()
        for generation in present:
            drop = f"DROP DATABASE IF EXISTS `{generation_database(database, generation)}`"
            shared.write_now(lambda connection, drop=drop: connection.command(drop))  # type: ignore[misc]
