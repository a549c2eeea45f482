"""The stores tests share: one embedded one per process, because chDB allows no second."""

import atexit
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from runtime.settings import Settings, load_settings
from timeline.migrations import migrate
from timeline.store import Store, open_store

DATABASE = "opstrail_test"


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
    store = open_store(store_settings(clickhouse_url=url))
    migrate(store)
    atexit.register(store.close)
    return store


def named_store(name: str, server_url: str) -> Store:
    return embedded_store() if name == "embedded" else server_store(server_url)
