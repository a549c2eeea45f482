"""The stores tests share: one embedded one per process, because chDB allows no second."""

import atexit
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from runtime.settings import Settings, load_settings
from tests.support.clickhouse_service import DATABASE, SQL_PASSWORD
from timeline.migrations import migrate
from timeline.sql_user import make_sql_user
from timeline.store import Store, open_store


def store_settings(**chosen: Any) -> Settings:
    return load_settings(clickhouse_database=DATABASE, **chosen)


@cache
def embedded_store() -> Store:
    folder = tempfile.TemporaryDirectory(prefix="opstrail-store-")
    store = open_store(store_settings(data_dir=Path(folder.name)))
    migrate(store)
    atexit.register(folder.cleanup)
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
