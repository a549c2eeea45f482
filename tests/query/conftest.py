"""Each test that takes `world` runs against chDB and against a ClickHouse server."""

from collections.abc import Iterator

import pytest

from control.database import Control
from tests.control.conftest import control as control
from tests.control.conftest import control_url as control_url
from tests.control.conftest import empty_control as empty_control
from tests.control.conftest import postgresql_url as postgresql_url
from tests.control.conftest import sqlite_url as sqlite_url
from tests.query.office import Office
from tests.query.world import World
from tests.timeline.stores import named_store
from timeline.store import Store

STORES = ("embedded", "server")


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    return _named_store(request)


@pytest.fixture(scope="module", params=STORES)
def shared_store(request: pytest.FixtureRequest) -> Store:
    """For a world that is filled once for the tests of a file that only read."""
    return _named_store(request)


@pytest.fixture
def world(store: Store) -> Iterator[World]:
    with World(store) as world:
        yield world


@pytest.fixture
def office(control: Control) -> Iterator[Office]:
    """On each of the two control databases."""
    with Office(control) as office:
        yield office


def _named_store(request: pytest.FixtureRequest) -> Store:
    url = request.getfixturevalue("clickhouse_url") if request.param == "server" else ""
    return named_store(request.param, url)
