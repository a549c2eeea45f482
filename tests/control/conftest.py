"""Everything that touches a database is run on SQLite and on PostgreSQL."""

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from control.database import Control, open_control


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def sqlite_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="opstrail-control-") as folder:
        yield f"sqlite:///{Path(folder, 'control.db')}"


@pytest.fixture
def postgresql_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of this test's own."""
    server_url: str = request.getfixturevalue("postgres_url")
    name = f"control_{secrets.token_hex(6)}"
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def control_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database, once on each."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def empty_control(control_url: str) -> Iterator[Control]:
    control = open_control(control_url)
    yield control
    control.close()


@pytest.fixture
def control(empty_control: Control) -> Control:
    empty_control.migrate()
    return empty_control
