"""The user that analysts' SQL runs as, on a ClickHouse server; here nobody checks its queries."""

import asyncio
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import clickhouse_connect
import pytest
from click.testing import CliRunner, Result
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from sqlalchemy import update
from structlog.testing import capture_logs

from control.database import open_control
from control.tables import INSTALLATION
from opstrail.main import cli
from tests.support.clickhouse_service import DATABASE, SQL_PASSWORD, SQL_PROFILE, WRITER, url_of
from tests.timeline.stores import server_store, store_settings
from tests.timeline.trail import Trail, run_entry
from timeline.connection import Connection
from timeline.environment_query import WorkspaceRow, mirror_workspaces
from timeline.sql_execution import run_sql
from timeline.sql_user import (
    ROWS_OF_THE_ASKING,
    make_sql_user,
    new_query_id,
    query_id_stem,
    sql_user_name,
    sql_user_password,
    sql_user_statements,
    wall_gap,
)
from timeline.sql_views import BASE_TABLES
from timeline.statement import Statement
from timeline.store import Store, open_store

USER: Final = sql_user_name(DATABASE)
# What the started program answers to a statement that it understood: it keeps no users.
KEEPS_NO_USERS: Final = {495, 514, 523}
DOCS: Final = Path(__file__).parents[2] / "docs" / "sql.md"


@pytest.fixture
def owner(clickhouse_url: str) -> Store:
    return server_store(clickhouse_url)


@pytest.fixture
def mine(owner: Store) -> Trail:
    return _filled(owner)


@pytest.fixture
def other(owner: Store) -> Trail:
    return _filled(owner)


@pytest.fixture
def user(owner: Store, clickhouse_url: str) -> Iterator[Client]:
    with _client(clickhouse_url, f"{USER}:{SQL_PASSWORD}") as client:
        yield client


def _filled(store: Store) -> Trail:
    """A row in each table of the views."""
    trail = Trail(store)
    trail.put(run_entry(1), run_entry(2, "11:00", "11:01"))
    sighted = {"hostname": "", "os": "", "arch": "", "cli_version": "1", "actor": "alice"}
    trail.observe({"cli_instance_id": "cli-1", "observed_at": 1, "is_sighting": True, **sighted})  # type: ignore[typeddict-item]
    label = WorkspaceRow(
        organization=trail.organization,
        name="acme",
        environment="production",
        labels={},
        deploy_actions=None,
        registered_at=1,
        version=1,
    )
    asyncio.run(mirror_workspaces(store, [label], token=uuid.uuid4().hex))
    return trail


def _client(url: str, login: str) -> Client:
    return clickhouse_connect.get_client(dsn=url_of(login, url), autogenerate_session_id=False)


def ask(client: Client, sql: str, organization: str | None = None, **settings: Any) -> list[Any]:
    if organization is not None:
        settings["query_id"] = new_query_id(query_id_stem(organization))
    return list(client.query(sql, settings=settings).result_rows)


def refusal(client: Client, sql: str, **settings: Any) -> int:
    """ClickHouse's number for it."""
    with pytest.raises(ClickHouseError) as caught:
        ask(client, sql, **settings)
    return int(caught.value.code or 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("table", BASE_TABLES)
def test_it_sees_the_rows_of_the_organization_that_asks(
    user: Client, mine: Trail, other: Trail, table: str
) -> None:
    sql = f"SELECT DISTINCT organization FROM {DATABASE}.{table}"

    for trail in (mine, other):
        assert ask(user, sql, trail.organization) == [(trail.organization,)]


@pytest.mark.parametrize("table", BASE_TABLES)
@pytest.mark.parametrize(
    "query_id", [None, "", "x", "opstrail/", "opstrail//1", "{}", "{}/1", "x/{}/1", "/opstrail/{}/"]
)
def test_it_sees_nothing_where_the_id_names_no_organization(
    user: Client, mine: Trail, table: str, query_id: str | None
) -> None:
    settings = {}
    if query_id:
        settings["query_id"] = f"{query_id.format(mine.organization)}"
        if "1" in query_id:
            settings["query_id"] += uuid.uuid4().hex

    assert user.query(f"SELECT * FROM {DATABASE}.{table}", settings=settings).result_rows == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT organization FROM {t} WHERE organization != {o} OR 1",
        "SELECT organization FROM (SELECT * FROM {t} SETTINGS additional_table_filters = {{}})",
        "SELECT organization FROM (SELECT * FROM {t} SETTINGS readonly = 0, log_comment = {o})",
        "SELECT organization FROM (SELECT * FROM {t} SETTINGS query_id = 'opstrail/x/1')",
        "SELECT organization FROM {t} FINAL PREWHERE organization = {o}",
        "SELECT organization FROM merge('{d}', '^entries$')",
        "SELECT organization FROM merge(REGEXP('.*'), '^entries$')",
        "SELECT organization FROM view(SELECT * FROM {t})",
        "SELECT organization FROM {t} WHERE organization IN (SELECT organization FROM {t})",
        "WITH {o} AS organization SELECT t.organization FROM {t} AS t",
        "SELECT arrayJoin(groupUniqArray(organization)) FROM {t}",
    ],
)
def test_no_text_of_a_query_shows_rows_of_others(
    user: Client, mine: Trail, other: Trail, sql: str
) -> None:
    """As `run_sql` asks, and with nothing but the wall to hold it."""
    filled = sql.format(t=f"{DATABASE}.entries", d=DATABASE, o=f"'{other.organization}'")
    try:
        found = ask(user, filled, mine.organization, readonly=1)
    except ClickHouseError:
        return

    assert {organization for (organization,) in found} <= {mine.organization}


def test_a_subquery_lifts_the_filter_that_is_a_setting(
    user: Client, owner: Store, mine: Trail, other: Trail, clickhouse_url: str
) -> None:
    """Why there is a wall of policies: ClickHouse does not check the SETTINGS of a subquery."""
    query = Statement(
        f"SELECT DISTINCT organization FROM (SELECT * FROM {DATABASE}.entries"
        f" SETTINGS additional_table_filters = {{}}) WHERE organization IN"
        f" ('{mine.organization}', '{other.organization}')"
    )
    unwalled = open_store(store_settings(clickhouse_url=clickhouse_url))
    try:
        assert len(_run_sql(unwalled, query, mine.organization)) == 2
    finally:
        unwalled.close()

    assert _run_sql(owner, query, mine.organization) == [(mine.organization,)]


def _run_sql(store: Store, statement: Statement, organization: str) -> Any:
    return asyncio.run(run_sql(store, statement, organization)).rows


@pytest.mark.parametrize(
    "sql",
    [
        *(
            f"SELECT count() FROM {DATABASE}.{table}"
            for table in ("entry_ids", "snapshots", "dead_letters", "watermarks", "migrations")
        ),
        "SELECT * FROM system.processes",
        "SELECT * FROM system.users",
        "SELECT * FROM system.row_policies",
        "SELECT * FROM system.parts",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        f"SELECT * FROM remote('127.0.0.1', {DATABASE}.entries)",
        f"INSERT INTO {DATABASE}.workspace_register (organization) VALUES ('x')",
        f"INSERT INTO FUNCTION file('x.csv') SELECT * FROM {DATABASE}.entries",
        f"ALTER TABLE {DATABASE}.entries DELETE WHERE 1",
        f"ALTER TABLE {DATABASE}.entries DROP COLUMN actor",
        f"TRUNCATE TABLE {DATABASE}.entries",
        f"DROP TABLE {DATABASE}.entries",
        f"OPTIMIZE TABLE {DATABASE}.entries FINAL",
        f"CREATE TABLE {DATABASE}.mine (x Int8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE mine (x Int8)",
        "CREATE DATABASE mine",
        "CREATE USER mine",
        "CREATE FUNCTION mine AS x -> x",
        f"CREATE ROW POLICY mine ON {DATABASE}.entries USING 1 TO {USER}",
        f"ALTER USER {USER} SETTINGS readonly = 0",
        f"GRANT SELECT ON *.* TO {USER}",
        "KILL QUERY WHERE 1",
        "SYSTEM FLUSH LOGS",
        "SYSTEM SHUTDOWN",
    ],
)
def test_it_may_do_nothing_else(user: Client, mine: Trail, sql: str) -> None:
    """Also where a request does not say that it is to change nothing."""
    with pytest.raises(ClickHouseError) as caught:
        user.command(sql)

    # ACCESS_DENIED, QUERY_IS_PROHIBITED
    assert caught.value.code in (497, 392)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("max_execution_time", 0, 452),
        ("max_execution_time", 601, 452),
        ("max_memory_usage", 0, 452),
    ],
)
def test_it_cannot_lift_a_limit(user: Client, setting: str, value: int, code: int) -> None:
    assert refusal(user, f"SELECT 1 SETTINGS {setting} = {value}") == code
    assert refusal(user, "SELECT 1", **{setting: value}) == code
    assert refusal(user, "SELECT 1 SETTINGS allow_ddl = 1") == 392


@pytest.mark.parametrize(
    "setting", ["readonly = 0", "readonly = 2", "max_execution_time = 20", "max_threads = 64"]
)
def test_a_query_cannot_take_back_what_its_request_says(user: Client, setting: str) -> None:
    sql = f"SELECT 1 SETTINGS {setting}"

    assert refusal(user, sql, readonly=1, max_execution_time=10) == 164  # READONLY


def test_everybody_else_goes_on_seeing_every_row(owner: Store, mine: Trail, other: Trail) -> None:
    for table in BASE_TABLES:
        sql = (
            f"SELECT uniqExact(organization) FROM {table} WHERE organization IN"
            " ({mine:String}, {other:String})"
        )
        names = {"mine": mine.organization, "other": other.organization}
        assert asyncio.run(owner.rows(Statement(sql, names))) == [(2,)]


def _make(connection: Connection) -> str | None:
    return make_sql_user(connection, DATABASE, SQL_PASSWORD)


def test_it_may_be_made_again(owner: Store, user: Client, mine: Trail) -> None:
    first, second = owner.write_now(_make), owner.write_now(_make)

    assert first == second
    assert first in (None, "ACCESS_STORAGE_READONLY", "ACCESS_STORAGE_FOR_INSERTION_NOT_FOUND")
    found = ask(user, f"SELECT count() FROM {DATABASE}.entries", mine.organization)
    assert found == [(2,)]


def test_the_server_understands_every_statement(owner: Store, clickhouse_url: str) -> None:
    with clickhouse_connect.get_client(dsn=clickhouse_url) as client:
        for statement in sql_user_statements(DATABASE, SQL_PASSWORD):
            try:
                client.command(statement)
            except ClickHouseError as error:
                assert error.code in KEEPS_NO_USERS, error  # type: ignore[attr-defined]


def test_who_may_not_make_users_is_told_so(owner: Store, clickhouse_url: str) -> None:
    store = open_store(store_settings(clickhouse_url=url_of(WRITER, clickhouse_url)))
    try:
        assert store.write_now(_make) == "ACCESS_DENIED"
    finally:
        store.close()


def test_a_user_without_policies_is_no_wall(user: Client, mine: Trail, clickhouse_url: str) -> None:
    assert wall_gap(user, DATABASE) is None
    with _client(clickhouse_url, WRITER) as writer:
        assert wall_gap(writer, DATABASE) == "no policy hides rows of entries from it"


def test_sql_runs_as_it(owner: Store, mine: Trail) -> None:
    who = Statement("SELECT currentUser(), getSetting('readonly')")

    assert _run_sql(owner, who, mine.organization) == [(USER, 1)]


def test_without_it_sql_runs_as_the_owner_and_a_warning_says_so_once(
    owner: Store, mine: Trail, other: Trail, clickhouse_url: str
) -> None:
    settings = store_settings(clickhouse_url=clickhouse_url)
    store = open_store(settings, sql_password=sql_user_password(b"of somebody else"))
    query = Statement(f"SELECT DISTINCT organization FROM {DATABASE}.entries")
    try:
        with capture_logs() as logs:
            for _ in range(5):
                assert _run_sql(store, query, mine.organization) == [(mine.organization,)]
    finally:
        store.close()

    assert [line["event"] for line in logs] == ["sql_without_second_wall"]


def test_init_and_check_say_how_it_stands(
    owner: Store, clickhouse_url: str, tmp_path: Path
) -> None:
    variables = {
        "OPSTRAIL_CLICKHOUSE_URL": clickhouse_url,
        "OPSTRAIL_CLICKHOUSE_DATABASE": f"opstrail_{uuid.uuid4().hex[:12]}",
        "OPSTRAIL_DATA_DIR": str(tmp_path),
    }
    first, second, check = (_cli(command, variables) for command in ("init", "init", "check"))

    assert (first.exit_code, second.exit_code, check.exit_code) == (0, 0, 0)
    assert re.fullmatch(r"opstrail_\w+\n", first.stdout)
    assert second.stdout == ""
    for output in (first.stderr, second.stderr):
        assert re.search(
            r"(?m)^sql user: (opstrail_sql_\w+ reads|not made, .*docs/sql\.md)", output
        )
    assert re.search(r"(?m)^(ok   |note ) sql: runs (as|without) a user", check.stdout)


def test_check_finds_the_wall(
    owner: Store, user: Client, clickhouse_url: str, tmp_path: Path
) -> None:
    variables = {
        "OPSTRAIL_CLICKHOUSE_URL": clickhouse_url,
        "OPSTRAIL_CLICKHOUSE_DATABASE": DATABASE,
        "OPSTRAIL_DATA_DIR": str(tmp_path),
    }
    control = open_control(f"sqlite:///{tmp_path / 'control.db'}")
    control.migrate()
    with control.writing() as connection:
        connection.execute(update(INSTALLATION).values(pepper=b"a secret of the tests"))
    control.close()

    check = _cli("check", variables)

    assert "ok    sql: runs as a user that reads one organization" in check.stdout


def _cli(command: str, variables: dict[str, str]) -> Result:
    return CliRunner().invoke(cli, [command], env=variables)


def test_the_page_shows_the_statements_that_are_run() -> None:
    shown = re.search(r"```sql\n(CREATE USER.*?)```", DOCS.read_text(), re.DOTALL)
    assert shown is not None
    found = [" ".join(statement.split()) for statement in shown[1].split(";") if statement.strip()]

    digest = r"(?<=BY ')[0-9a-f]{64}(?=')"
    statements = [re.sub(digest, "…", s) for s in sql_user_statements("opstrail", "password")]
    # The others change what an older version made.
    run = [statement for statement in statements if not statement.startswith("ALTER")]
    assert found == [statement.replace("`", "") for statement in run]


def test_the_page_shows_the_same_for_a_server_whose_users_are_in_xml() -> None:
    shown = re.search(r"```xml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert shown is not None
    users = ET.fromstring(shown[1])

    user = users.find("users/opstrail_sql_opstrail")
    assert user is not None
    granted = [f"GRANT SELECT ON opstrail.{table}" for table in BASE_TABLES]
    assert [query.text for query in user.findall("grants/query")] == granted
    tables = {table.tag: table.findtext("filter") for table in user.findall("databases/opstrail/*")}
    assert tables == dict.fromkeys(BASE_TABLES, ROWS_OF_THE_ASKING)
    profile = ET.fromstring(SQL_PROFILE)
    shown_profile = users.find("profiles/opstrail_sql")
    assert shown_profile is not None
    assert [(part.tag, (part.text or "").strip()) for part in shown_profile.iter()][1:] == [
        (part.tag, (part.text or "").strip()) for part in profile.iter()
    ][1:]
