"""Each test that takes `store` or `trail` runs against chDB and against a ClickHouse server."""

import pytest

from tests.timeline.stores import named_store
from tests.timeline.trail import Trail
from timeline.store import Store


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest) -> Store:
    url = request.getfixturevalue("clickhouse_url") if request.param == "server" else ""
    return named_store(request.param, url)


@pytest.fixture
def trail(store: Store) -> Trail:
    """An organization of its own."""
    return Trail(store)
