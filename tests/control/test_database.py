"""The control database as a process sees it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, make_url, select, text

from control.database import Control, open_control
from control.dialects import open_engine
from control.errors import ControlUnavailableError
from control.organizations import create_organization
from control.tables import ORGANIZATIONS
from tests.control.world import NOON, FlakyControl


def names(control: Control) -> list[str]:
    with control.reading() as connection:
        return list(connection.execute(select(ORGANIZATIONS.c.name)).scalars())


def test_what_a_writing_transaction_did_is_there_for_others(
    control: Control, control_url: str
) -> None:
    with control.writing() as connection:
        create_organization(connection, "acme", now=NOON)

    other = open_control(control_url)
    assert names(other) == ["acme"]
    other.close()


def test_a_writing_transaction_that_raises_did_nothing(control: Control) -> None:
    with pytest.raises(RuntimeError), control.writing() as connection:
        create_organization(connection, "acme", now=NOON)
        raise RuntimeError

    assert names(control) == []


def test_ping_is_silent_while_the_database_answers(empty_control: Control) -> None:
    empty_control.ping()


def test_a_database_nobody_listens_for_is_unavailable() -> None:
    control = open_control("postgresql://anna:hunter2@127.0.0.1:1/opstrail")

    with pytest.raises(ControlUnavailableError) as away:
        control.ping()

    assert "hunter2" not in f"{away.value} {away.value.__cause__}"


def test_the_secrets_of_a_database_never_prepared_are_unavailable_with_the_way_out(
    empty_control: Control,
) -> None:
    with pytest.raises(ControlUnavailableError, match="opstrail init"):
        empty_control.installation()


def test_the_secrets_are_read_once(control_url: str) -> None:
    control = FlakyControl(open_engine(control_url))
    control.migrate()

    first = control.installation()
    control.is_away = True

    assert control.installation() is first
    control.close()


def test_the_secrets_do_not_show_in_a_log_of_the_object(control: Control) -> None:
    assert repr(control.installation()) == "Installation()"


def test_a_statement_that_fails_shows_no_parameters(control: Control) -> None:
    with pytest.raises(Exception, match="hidden") as failed, control.writing() as connection:
        for _ in range(2):
            connection.execute(ORGANIZATIONS.insert().values(name="hunter2", created_at=NOON))

    assert "[parameters" not in str(failed.value)


@pytest.fixture
def server(postgresql_url: str) -> Iterator[Connection]:
    """The administrator's connection to the server of `postgresql_url`."""
    url = make_url(postgresql_url).set(database="postgres")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def hang_up(server: Connection, database: str | None) -> None:
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
    server.execute(text(query), {"name": database})


def test_a_connection_that_broke_while_idle_is_replaced_unnoticed(
    postgresql_url: str, server: Connection
) -> None:
    control = open_control(postgresql_url)
    control.ping()
    hang_up(server, make_url(postgresql_url).database)

    control.ping()
    control.close()


def test_after_an_outage_the_same_control_works_again(
    postgresql_url: str, server: Connection
) -> None:
    control = open_control(postgresql_url)
    control.ping()
    database = make_url(postgresql_url).database
    server.execute(text(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false"))
    hang_up(server, database)
    with pytest.raises(ControlUnavailableError):
        control.ping()

    server.execute(text(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true"))
    control.ping()
    control.close()


def test_a_connection_that_breaks_inside_a_transaction_is_an_outage(
    postgresql_url: str, server: Connection
) -> None:
    control = open_control(postgresql_url)
    with pytest.raises(ControlUnavailableError), control.writing() as connection:
        connection.execute(text("SELECT 1"))
        hang_up(server, make_url(postgresql_url).database)
        connection.execute(text("SELECT 1"))
    control.close()
