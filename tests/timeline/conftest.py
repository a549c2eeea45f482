"""Each test that takes `store` or `trail` runs against chDB and against a ClickHouse server."""

from collections.abc import Iterator

import pytest

from tests.timeline.stores import named_store, own_store
from tests.timeline.trail import Trail
from timeline.store import Store


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest) -> Store:
    url = request.getfixturevalue("clickhouse_url") if request.param == "server" else ""
    return named_store(request.param, url)


@pytest.fixture(params=["embedded", "server"])
def alone(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store of the test's own."""
    url = request.getfixturevalue("clickhouse_url") if request.param == "server" else ""
    with own_store(request.param, url) as store:
        yield store


@pytest.fixture
def trail(store: Store) -> Trail:
    """An organization of its own."""
    return Trail(store)
