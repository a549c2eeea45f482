"""People and service accounts by HTTP."""

from typing import Any

import pytest

from control.roles import Role
from schemas.times import format_us, to_us
from tests.control.world import NOON
from tests.query.office import GLOBEX, Office
from tests.query.problems import problem

PATH = "/v1/principals"
TOKEN = "ghp_" + "a1B2" * 9


def names(listed: Any) -> list[str]:
    return [item["name"] for item in listed["items"]]


def test_a_principal_is_made_and_listed_in_its_organization_only(office: Office) -> None:
    other = office.key(Role.ADMIN, organization=GLOBEX)

    made = office.post(PATH, {"name": "Zoë Müller <zoe@example.com>", "kind": "person"})

    assert made == {
        "name": "Zoë Müller <zoe@example.com>",
        "kind": "person",
        "created_at": format_us(to_us(NOON)),
    }
    listed = office.get(PATH)
    assert made in listed["items"]
    assert set(listed) == {"items", "next_cursor"}
    assert made["name"] not in names(office.get(PATH, other))


def test_a_name_is_taken_once_in_each_organization(office: Office) -> None:
    other = office.key(Role.ADMIN, organization=GLOBEX)
    bob = {"name": "bob", "kind": "person"}
    office.post(PATH, bob)

    refused = office.ask("POST", PATH, body={"name": "bob", "kind": "service"})
    assert problem(refused, 409, "already_exists")["field"] == "name"
    assert "bob" not in refused.text
    office.post(PATH, bob, other)


def test_list_goes_on_where_a_page_ended(office: Office) -> None:
    office.post(PATH, {"name": "Ä" * 128, "kind": "person"})
    pages, cursor = [], ""
    while True:
        page = office.get(f"{PATH}?limit=1{cursor}")
        pages.append(names(page))
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert pages == [["anna"], ["ci"], ["Ä" * 128]]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"kind": "person"}, "missing_field", "name"),
        ({"name": 1, "kind": "person"}, "wrong_type", "name"),
        ({"name": "", "kind": "person"}, "bad_value", "name"),
        ({"name": "bob ", "kind": "person"}, "bad_value", "name"),
        ({"name": "x" * 129, "kind": "person"}, "bad_value", "name"),
        ({"name": TOKEN, "kind": "person"}, "looks_like_secret", "name"),
        ({"name": "bob"}, "missing_field", "kind"),
        ({"name": "bob", "kind": TOKEN}, "bad_value", "kind"),
        ({"name": "bob", "kind": ["person"]}, "wrong_type", "kind"),
        ({"name": "bob", "kind": "person", "roles": []}, "unknown_field", "roles"),
        ([], "not_an_object", None),
        (b"{", "not_json", None),
    ],
)
def test_a_bad_principal_is_refused_by_its_field_and_not_made(
    office: Office, body: Any, code: str, field: str | None
) -> None:
    refused = office.ask("POST", PATH, body=body)

    assert problem(refused, 400, code).get("field") == field
    assert TOKEN not in refused.text
    assert names(office.get(PATH)) == ["anna", "ci"]


def test_a_body_of_another_kind_is_refused(office: Office) -> None:
    problem(office.ask("POST", PATH), 415, "unsupported_media_type")


def test_only_administrators_manage_principals(office: Office) -> None:
    for role in (Role.SUBMIT, Role.READ, Role.ANALYST, Role.OPERATOR):
        key = office.key(role)
        for method in ("GET", "POST"):
            detail = problem(office.ask(method, PATH, key), 403, "forbidden")["detail"]
            assert "`admin`" in detail


def test_unknown_parameters_are_refused(office: Office) -> None:
    for method in ("GET", "POST"):
        problem(office.ask(method, f"{PATH}?name=x"), 400, "unknown_parameter")
