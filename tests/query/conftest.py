"""Each test that takes `world` runs against chDB and against a ClickHouse server."""

from collections.abc import Iterator

import pytest

from tests.query.world import World
from tests.timeline.stores import named_store
from timeline.store import Store


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest) -> Store:
    url = request.getfixturevalue("clickhouse_url") if request.param == "server" else ""
    return named_store(request.param, url)


@pytest.fixture
def world(store: Store) -> Iterator[World]:
    with World(store) as world:
        yield world
