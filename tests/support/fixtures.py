"""Fixtures that hand out real services, and the line of the run's summary that names them.

The address fixtures are for most tests. A test that stops or kills a server takes the `..._service`
fixture and leaves the server running for the tests after it.

Where tests run in several processes (tests/support/workers.py), "the whole run" is that of one of
them: each starts services of its own, and tells the one that writes the summary what it found.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import xdist

from tests.support import clickhouse_service as clickhouse
from tests.support import kafka_service as kafka
from tests.support import postgres_service as postgres
from tests.support.memory_folder import use_memory_folder
from tests.support.services import MISSING, Recipe, Service, require

# By name of the service, how it was found.
_FOUND = pytest.StashKey[dict[str, str]]()
_FOUND_BY_WORKER: Final = "opstrail_services"  # the same, in what a worker hands over
_NOT_FOUND: Final = "missing"
_SHOWN: Final = "opstrail_shown"

Show = Callable[[str], None]


def pytest_configure() -> None:
    # Before anything asks where temporary folders are.
    use_memory_folder()


@pytest.fixture
def show(record_property: Callable[[str, object], None]) -> Show:
    """Takes text for the end of the run: what a worker prints itself, nobody sees."""
    return lambda text: record_property(_SHOWN, text)


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


def pytest_sessionfinish(session: pytest.Session) -> None:
    if xdist.is_xdist_worker(session):
        output: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined]
        found = session.config.stash.get(_FOUND, {})
        output[_FOUND_BY_WORKER] = {name: str(how) for name, how in found.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker found; one that crashed says nothing."""
    found = node.config.stash.setdefault(_FOUND, {})
    for name, how in getattr(node, "workeroutput", {}).get(_FOUND_BY_WORKER, {}).items():
        # What one of them did not find is not hidden by another one's luck.
        if found.get(name) != _NOT_FOUND:
            found[name] = how


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what tests have to show, which services they ran against, and how many had none."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if report.when == "call":
            for text in [value for name, value in report.user_properties if name == _SHOWN]:
                terminalreporter.write_line(text)
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
    found[recipe.name] = _NOT_FOUND
    service = require(recipe)
    found[recipe.name] = service.source
    yield service
    service.close()
