"""Fixtures that hand out real services, and the line of the run's summary that names them.

The address fixtures are for most tests. A test that stops or kills a server takes the `..._service`
fixture and leaves the server running for the tests after it.
"""

from collections.abc import Iterator

import pytest

from tests.support import clickhouse_service as clickhouse
from tests.support import kafka_service as kafka
from tests.support import postgres_service as postgres
from tests.support.memory_folder import use_memory_folder
from tests.support.services import MISSING, Recipe, Service, require

# By name of the service, how it was found.
_FOUND = pytest.StashKey[dict[str, str]]()


def pytest_configure() -> None:
    # Before anything asks where temporary folders are.
    use_memory_folder()


@pytest.fixture(scope="session")
def kafka_service(pytestconfig: pytest.Config) -> Iterator[Service]:
    """One Kafka broker for the whole run."""
    yield from _running(kafka.RECIPE, pytestconfig)


@pytest.fixture(scope="session")
def clickhouse_service(pytestconfig: pytest.Config) -> Iterator[Service]:
    """One ClickHouse server for the whole run."""
    yield from _running(clickhouse.RECIPE, pytestconfig)


@pytest.fixture(scope="session")
def postgres_service(pytestconfig: pytest.Config) -> Iterator[Service]:
    """One PostgreSQL server for the whole run."""
    yield from _running(postgres.RECIPE, pytestconfig)


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_service: Service) -> str:
    """`host:port`."""
    return kafka_service.address


@pytest.fixture(scope="session")
def clickhouse_url(clickhouse_service: Service) -> str:
    """`http://user:password@host:port/`, of a user who may do everything."""
    return clickhouse_service.address


@pytest.fixture(scope="session")
def clickhouse_reader_url(clickhouse_url: str) -> str:
    """`http://user:password@host:port/`, of a user who may only read."""
    return clickhouse.reader_url(clickhouse_url)


@pytest.fixture(scope="session")
def postgres_url(postgres_service: Service) -> str:
    """`postgresql+psycopg://user@host:port/database`, of a user who may make databases."""
    return postgres_service.address


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which services the tests ran against, and how many tests had none."""
    found = config.stash.get(_FOUND, {})
    skipped = sum(
        MISSING in str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])
    )
    if found or skipped:
        names = ", ".join(f"{name} ({how})" for name, how in found.items()) or "none"
        terminalreporter.write_line(
            f"services: {names}; {skipped} tests skipped for a missing service"
        )


def _running(recipe: Recipe, config: pytest.Config) -> Iterator[Service]:
    found = config.stash.setdefault(_FOUND, {})
    found[recipe.name] = "missing"
    service = require(recipe)
    found[recipe.name] = service.source
    yield service
    service.close()
