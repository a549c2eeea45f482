"""Databases of a test's own, on chDB and on a ClickHouse server."""

import uuid
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from tests.timeline.stores import named_store
from tests.upgrades.old_timeline import store_beside
from timeline.store import Store

NewStore: TypeAlias = Callable[[], Store]


@pytest.fixture(scope="module", params=["embedded", "server"])
def engine(request: pytest.FixtureRequest) -> Store:
    """Where the databases are; the process has one of each."""
    url = request.getfixturevalue("clickhouse_url") if request.param == "server" else ""
    return named_store(request.param, url)


@pytest.fixture(scope="module")
def new_store(engine: Store) -> Iterator[NewStore]:
    """Makes stores whose databases are not there yet; drops these in the end."""
    made: list[Store] = []

    def make() -> Store:
        store = store_beside(engine, f"upgrade_{uuid.uuid4().hex}")
        made.append(store)
        return store

    yield make
    for store in made:
        database = store.database
        store.close()
        engine.write_now(lambda c: c.command(f"DROP DATABASE IF EXISTS {database}"))  # noqa: B023
