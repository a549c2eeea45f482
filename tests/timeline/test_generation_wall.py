"""Behind analysts' SQL stands the same wall in every generation."""

from collections.abc import Iterator

import pytest

from tests.support.clickhouse_service import DATABASE, SQL_PASSWORD
from tests.timeline.stores import server_store, store_settings
from tests.timeline.trail import Trail, run, run_entry
from timeline.generation import generation_database
from timeline.migrations import migrate_generation
from timeline.sql_execution import run_sql
from timeline.sql_user import make_sql_user, sql_user_name, sql_user_statements
from timeline.sql_views import BASE_TABLES
from timeline.statement import Statement
from timeline.store import Store, sql_wall_gap
from timeline.writer import insert_into

REBUILT = generation_database(DATABASE, 1)


@pytest.fixture
def rebuilt(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store whose readers have its generation 1; which the others of its server do not see."""
    store = server_store(clickhouse_url)
    migrate_generation(store, 1)
    store.write_now(lambda c: make_sql_user(c, DATABASE, SQL_PASSWORD, [REBUILT]))

    async def living_database() -> str:
        return REBUILT

    monkeypatch.setattr(store, "living_database", living_database)
    yield store
    store.write_now(lambda c: c.command(f"DROP DATABASE IF EXISTS `{REBUILT}`"))
    store.write_now(lambda c: make_sql_user(c, DATABASE, SQL_PASSWORD))


def filled(store: Store, generation: int, count: int) -> Trail:
    trail = Trail(store)
    entries = [run_entry(number) for number in range(count)]
    run(insert_into(store, generation, [trail.batch(*entries)], token=trail.organization))
    return trail


def organizations(store: Store, asking: Trail, sql: str) -> list[str]:
    result = run(run_sql(store, Statement(sql), asking.organization))
    return [str(row[0]) for row in result.rows]


def test_rights_and_policies_are_for_every_generation_and_rights_come_last() -> None:
    statements = sql_user_statements("opstrail", "secret", ["opstrail_g1", "opstrail_g2"])

    places = [
        f"`{database}`.{table}"
        for database in ("opstrail", "opstrail_g1", "opstrail_g2")
        for table in BASE_TABLES
    ]
    for place in places:
        with_it = [number for number, text in enumerate(statements) if place in text]
        assert with_it == [2, 3, 4, 5, 6]
        assert f"SELECT ON {place}" in statements[6]
    assert [text.split()[0] for text in statements[-3:]] == ["CREATE", "ALTER", "GRANT"]
    # One user for all: its name is that of the installation.
    assert all(sql_user_name("opstrail") in text for text in statements)
    assert sql_user_name("opstrail_g1") not in " ".join(statements)


def test_the_user_for_sql_is_a_wall_in_a_rebuilt_generation(
    rebuilt: Store, clickhouse_url: str
) -> None:
    filled(rebuilt, 1, 2)

    settings = store_settings(clickhouse_url=clickhouse_url)
    assert sql_wall_gap(settings, SQL_PASSWORD, REBUILT) is None


@pytest.mark.parametrize(
    "lifted",
    ["", " SETTINGS additional_table_filters = ''", " SETTINGS additional_table_filters = '{}'"],
)
def test_nobody_sees_another_organizations_rows_in_it(rebuilt: Store, lifted: str) -> None:
    mine, other = filled(rebuilt, 1, 2), filled(rebuilt, 1, 3)
    before = filled(rebuilt, 0, 1)

    for trail, count in ((mine, 2), (other, 3), (before, 0)):
        sql = f"SELECT organization FROM (SELECT organization FROM {REBUILT}.entries{lifted})"
        assert organizations(rebuilt, trail, sql) == [trail.organization] * count
        # By its plain name a table is of the generation that is read.
        assert organizations(rebuilt, trail, "SELECT organization FROM entries") == (
            [trail.organization] * count
        )
