"""The attacks on SQL, on the whole product: every one is refused, and nothing of others is seen."""

import uuid
from typing import Any

import pytest

from tests.contracts.month.company import Company
from tests.query.problems import problem
from tests.query.sql_attacks import ATTACKS

VIEWS = ("timeline", "action_runs", "ssh_sessions", "workspace_syncs", "links")


@pytest.mark.parametrize(("what", "query"), ATTACKS, ids=[what for what, _ in ATTACKS])
def test_an_attack_is_refused(company: Company, what: str, query: str) -> None:
    answer = company.sql_answer(query.replace("DATABASE", company.database))

    body = problem(answer, 400, "sql_refused")
    assert "Exception" not in body["detail"]  # the engine's own words


def test_there_are_at_least_sixty_attacks() -> None:
    assert len(ATTACKS) >= 60


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_holds_ones_own_organization_only(company: Company, view: str) -> None:
    """The installation has another organization with records of the same workspace."""
    assert company.sql(f"SELECT DISTINCT organization FROM {view}") == [[company.organization]]
    others = f"SELECT count() FROM {view} WHERE organization != {{own:String}} OR 1 = 1 AND id = ''"
    assert company.sql(others, own=company.organization) == [[0]]


def test_the_records_of_others_are_nowhere(company: Company) -> None:
    theirs = company.record_of_others
    for query in (
        "SELECT count() FROM timeline WHERE id = {id:String}",
        "SELECT count() FROM links AS l JOIN timeline AS t ON 1 = 1 WHERE t.id = {id:String}",
        "SELECT count() FROM links WHERE source_id = {id:String} OR target_id = {id:String}",
        "WITH ids AS (SELECT id FROM action_runs) SELECT count() FROM ids WHERE id = {id:String}",
        "SELECT sum(id IN (SELECT id FROM timeline WHERE id = {id:String})) FROM action_runs",
    ):
        assert company.sql(query, id=theirs) == [[0]]


@pytest.mark.parametrize(
    "value",
    ["'", "\\", "' OR 1=1 --", "\\' OR 1=1 --", "{organization:String}", "x\n', 1); DROP TABLE e"],
)
def test_a_parameter_is_a_value_and_stays_one(company: Company, value: str) -> None:
    assert company.sql("SELECT {value:String}", value=value) == [[value]]
    assert company.sql("SELECT count() FROM timeline WHERE actor = {v:String}", v=value) == [[0]]


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("SELECT count() > 1000 FROM timeline", {}),
        ("SELECT count() > 0 FROM timeline WHERE id IN (SELECT source_id FROM links)", {}),
        ("WITH a AS (SELECT id FROM action_runs) SELECT count() > 0 FROM a", {}),
        ("SELECT {list:Array(String)} = ['a', 'b']", {"list": ["a", "b"]}),
        ("SELECT count() = 4 FROM workspaces", {}),
        ("SELECT count() = 7 FROM cli_instances;", {}),
        ("SELECT 'SELECT * FROM system.tables; -- SETTINGS' != ''", {}),
    ],
)
def test_what_looks_like_an_attack_and_is_none_is_answered(
    company: Company, query: str, parameters: dict[str, Any]
) -> None:
    ((is_right,),) = company.sql(query, **parameters)
    assert is_right in (1, True)


def test_a_key_that_may_only_read_has_no_sql(company: Company) -> None:
    answer = company.sql_answer("SELECT 1", key=company.reader_key)

    problem(answer, 403, "forbidden")
    nobody = company.sql_answer("SELECT 1", key=f"none-{uuid.uuid4().hex}")
    assert nobody.status_code == 401
