"""Organizations by HTTP."""

from typing import Any

import pytest

from control.roles import Role
from schemas.times import format_us, to_us
from tests.control.world import NOON
from tests.query.office import Office
from tests.query.problems import problem

PATH = "/v1/organizations"
TOKEN = "ghp_" + "a1B2" * 9


@pytest.fixture
def operator(office: Office) -> str:
    return office.key(Role.OPERATOR)


def test_an_organization_comes_with_its_first_admin_key(office: Office, operator: str) -> None:
    made = office.post(PATH, {"name": "initech"}, operator)

    first = made.pop("admin")
    assert made == {"name": "initech", "created_at": format_us(to_us(NOON))}
    listed = office.get("/v1/keys", first["key"])["items"]
    assert [(key["key_id"], key["principal"], key["roles"]) for key in listed] == [
        (first["key_id"], "admin", ["admin"])
    ]
    assert first["principal"] == "admin"
    assert made in office.get(PATH, operator)["items"]
    # It administers its own organization, and nothing beyond.
    problem(office.ask("GET", PATH, first["key"]), 403, "forbidden")


def test_a_name_is_taken_once_and_gives_no_second_key(office: Office, operator: str) -> None:
    before = office.key_ids()

    refused = office.ask("POST", PATH, operator, {"name": "acme"})

    assert problem(refused, 409, "already_exists")["field"] == "name"
    assert office.key_ids() == before


def test_list_goes_on_where_a_page_ended(office: Office, operator: str) -> None:
    first = office.get(f"{PATH}?limit=1", operator)
    rest = office.get(f"{PATH}?limit=1&cursor={first['next_cursor']}", operator)

    items = first["items"] + rest["items"]
    assert [item["name"] for item in items] == ["acme", "globex"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "name"),
        ({"name": 1}, "wrong_type", "name"),
        ({"name": "a b"}, "bad_value", "name"),
        ({"name": "x" * 129}, "bad_value", "name"),
        ({"name": TOKEN}, "looks_like_secret", "name"),
        ({"name": "initech", "admin": "me"}, "unknown_field", "admin"),
    ],
)
def test_a_bad_organization_is_refused_by_its_field_and_not_made(
    office: Office, operator: str, body: Any, code: str, field: str
) -> None:
    refused = office.ask("POST", PATH, operator, body)

    assert problem(refused, 400, code)["field"] == field
    assert TOKEN not in refused.text
    assert len(office.get(PATH, operator)["items"]) == 2


def test_only_operators_see_and_make_organizations(office: Office) -> None:
    for key in (office.admin, office.key(Role.ANALYST), office.key(Role.SUBMIT)):
        for method in ("GET", "POST"):
            detail = problem(office.ask(method, PATH, key), 403, "forbidden")["detail"]
            assert "`operator`" in detail


def test_an_operator_sees_nothing_of_an_organization(office: Office, operator: str) -> None:
    for path in ("/v1/timeline", "/v1/keys", "/v1/principals", "/v1/workspaces"):
        problem(office.ask("GET", path, operator), 403, "forbidden")
