"""Making, listing and revoking keys by HTTP."""

import re
from datetime import timedelta
from typing import Any

import pytest

from control.api_key import is_well_formed
from control.errors import ControlUnavailableError
from control.roles import Role
from schemas.times import format_us, to_us
from tests.control.world import NOON, issue, keys_of
from tests.query.office import ACME, GLOBEX, Office
from tests.query.problems import problem

KEYS = "/v1/keys"
NOON_TEXT = format_us(to_us(NOON))
WANTED: Any = {"principal": "ci", "name": "deploys", "roles": ["submit"]}
TOKEN = "ghp_" + "a1B2" * 9


def ids(listed: Any) -> set[str]:
    return {item["key_id"] for item in listed["items"]}


def test_a_key_is_made_as_asked_and_its_text_is_shown_once(office: Office) -> None:
    made = office.post(
        KEYS,
        {
            **WANTED,
            "roles": ["submit", "read"],
            "workspaces": ["shop", "team-*"],
            "expires_at": "2026-03-25T13:00:00+01:00",
        },
    )

    text = made.pop("key")
    assert is_well_formed(text)
    assert re.fullmatch("key-[0-9a-f]{12}", made["key_id"])
    assert made == {
        "key_id": made["key_id"],
        "principal": "ci",
        "principal_kind": "service",
        "name": "deploys",
        "roles": ["read", "submit"],
        "workspaces": ["shop", "team-*"],
        "active": True,
        "created_at": NOON_TEXT,
        "last_used_on": None,
        "expires_at": "2026-03-25T12:00:00.000000Z",
        "revoked_at": None,
    }
    assert office.get(f"{KEYS}/{made['key_id']}") == made
    listed = office.ask("GET", KEYS)
    assert made in listed.json()["items"]
    assert text not in listed.text


def test_the_access_log_tells_of_a_new_key_and_does_not_hold_it(office: Office) -> None:
    made = office.post(KEYS, WANTED)

    told = "".join(event.target for event in office.access_log.events)
    assert made["key_id"] in told
    assert made["key"] not in told
    assert made["key"][9:30] not in told


def test_what_is_left_out_or_null_is_every_workspace_and_no_end(office: Office) -> None:
    for more in ({}, {"workspaces": None, "expires_at": None}):
        made = office.post(KEYS, {**WANTED, **more})
        assert (made["workspaces"], made["expires_at"]) == (None, None)


def test_a_new_key_does_what_its_roles_say_at_once(office: Office) -> None:
    admin = office.post(KEYS, {**WANTED, "roles": ["admin"]})["key"]
    reader = office.post(KEYS, {**WANTED, "roles": ["read"]}, admin)["key"]

    assert len(office.get(KEYS, admin)["items"]) == 3
    problem(office.ask("GET", KEYS, reader), 403, "forbidden")


def test_a_revoked_key_is_refused_within_10_s(office: Office) -> None:
    made = office.post(KEYS, {**WANTED, "roles": ["admin"]})
    assert office.get(KEYS, made["key"])

    revoked = office.delete(f"{KEYS}/{made['key_id']}")
    office.clocks.passed_s += 10

    assert (revoked["active"], revoked["revoked_at"]) == (False, NOON_TEXT)
    problem(office.ask("GET", KEYS, made["key"]), 401, "unauthenticated")
    # Again, later: the same.
    assert office.delete(f"{KEYS}/{made['key_id']}") == revoked
    assert office.get(f"{KEYS}/{made['key_id']}") == revoked


def test_what_is_not_there_or_anothers_is_not_found(office: Office) -> None:
    other = issue(office.control, GLOBEX).key.key_id
    for key_id in (other, "key-000000000000", "key-1", "KEY-000000000000", office.admin):
        for method in ("GET", "DELETE"):
            answer = office.ask(method, f"{KEYS}/{key_id}")
            assert problem(answer, 404, "not_found")["detail"] == "there is no such key"
            assert key_id not in answer.text

    assert keys_of(office.control, GLOBEX)[0].revoked_at is None
    assert other not in ids(office.get(KEYS))


def test_list_goes_on_where_a_page_ended(office: Office) -> None:
    made = {office.post(KEYS, WANTED)["key_id"] for _ in range(3)}

    first = office.get(f"{KEYS}?limit=2")
    rest = office.get(f"{KEYS}?limit=2&cursor={first['next_cursor']}")

    listed = [item["key_id"] for item in first["items"] + rest["items"]]
    assert listed == sorted(listed)
    assert made < set(listed)
    assert (len(listed), rest["next_cursor"]) == (4, None)
    assert set(first) == {"items", "next_cursor"}


def test_a_page_takes_up_to_1000(office: Office) -> None:
    assert office.get(f"{KEYS}?limit=1000")["next_cursor"] is None
    assert problem(office.ask("GET", f"{KEYS}?limit=1001"), 400, "bad_value")["field"] == "limit"


def test_keys_are_listed_by_principal_and_by_whether_they_are_good(office: Office) -> None:
    anna = office.post(KEYS, {**WANTED, "principal": "anna"})["key_id"]
    short = office.post(KEYS, {**WANTED, "expires_at": "2026-03-24T12:00:10Z"})["key_id"]
    revoked = office.post(KEYS, WANTED)["key_id"]
    office.delete(f"{KEYS}/{revoked}")

    assert ids(office.get(f"{KEYS}?principal=anna")) == {anna}
    assert ids(office.get(f"{KEYS}?principal=anna&principal=ci")) == ids(office.get(KEYS))
    assert ids(office.get(f"{KEYS}?principal=nobody")) == set()
    assert ids(office.get(f"{KEYS}?active=false")) == {revoked}
    office.clocks.passed_s += 9.999
    assert short in ids(office.get(f"{KEYS}?active=true"))
    office.clocks.passed_s += 0.001
    assert ids(office.get(f"{KEYS}?active=false")) == {revoked, short}
    good = office.get(f"{KEYS}?active=true")
    assert anna in ids(good)
    assert ids(good) == ids(office.get(KEYS)) - {revoked, short}
    assert all(item["active"] for item in good["items"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("active=yes", "active"),
        ("limit=0", "limit"),
        ("cursor=x", "cursor"),
        ("principal=", "principal"),
        ("principal=a%00b", "principal"),
    ],
)
def test_a_bad_filter_is_named(office: Office, query: str, field: str) -> None:
    assert problem(office.ask("GET", f"{KEYS}?{query}"), 400, "bad_value")["field"] == field


def test_another_lists_cursor_is_refused(office: Office) -> None:
    cursor = office.get("/v1/principals?limit=1")["next_cursor"]

    problem(office.ask("GET", f"{KEYS}?cursor={cursor}"), 400, "bad_value")


def test_unknown_parameters_are_refused_and_change_nothing(office: Office) -> None:
    key_id = office.post(KEYS, WANTED)["key_id"]

    problem(office.ask("GET", f"{KEYS}?colour=red"), 400, "unknown_parameter")
    problem(office.ask("POST", f"{KEYS}?x=1", body=WANTED), 400, "unknown_parameter")
    problem(office.ask("DELETE", f"{KEYS}/{key_id}?forc=true"), 400, "unknown_parameter")
    problem(office.ask("DELETE", f"{KEYS}/{key_id}?force=1"), 400, "bad_value")
    assert office.get(f"{KEYS}/{key_id}")["active"]


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"principal": None}, "missing_field", "principal"),
        ({"principal": 7}, "wrong_type", "principal"),
        ({"principal": "nobody"}, "unknown_principal", "principal"),
        ({"principal": "a\0b"}, "bad_value", "principal"),
        ({"principal": TOKEN}, "looks_like_secret", "principal"),
        ({"name": None}, "missing_field", "name"),
        ({"name": ""}, "bad_value", "name"),
        ({"name": "x" * 257}, "bad_value", "name"),
        ({"name": "a\nb"}, "bad_value", "name"),
        ({"name": TOKEN}, "looks_like_secret", "name"),
        ({"roles": None}, "missing_field", "roles"),
        ({"roles": "submit"}, "wrong_type", "roles"),
        ({"roles": ["submit", 1]}, "wrong_type", "roles"),
        ({"roles": []}, "bad_value", "roles"),
        ({"roles": [TOKEN]}, "bad_value", "roles"),
        ({"workspaces": "shop"}, "wrong_type", "workspaces"),
        ({"workspaces": []}, "bad_value", "workspaces"),
        ({"workspaces": ["*"]}, "bad_value", "workspaces"),
        ({"workspaces": ["a*b"]}, "bad_value", "workspaces"),
        ({"workspaces": ["x"] * 101}, "bad_value", "workspaces"),
        ({"expires_at": 1}, "wrong_type", "expires_at"),
        ({"expires_at": "2026-03-25"}, "bad_value", "expires_at"),
        ({"expires_at": "2026-03-25T12:00:00"}, "bad_value", "expires_at"),
        ({"expires_at": NOON_TEXT}, "bad_value", "expires_at"),
        ({"organization": "globex"}, "unknown_field", "organization"),
        ({TOKEN: "x"}, "unknown_field", None),
    ],
)
def test_a_bad_key_is_refused_by_its_field_and_not_made(
    office: Office, change: Any, code: str, field: str | None
) -> None:
    before = office.key_ids()

    refused = office.ask("POST", KEYS, body={**WANTED, **change})

    assert problem(refused, 400, code).get("field") == field
    assert TOKEN not in refused.text
    assert office.key_ids() == before


def test_who_lacks_the_principal_is_told_how_to_make_it(office: Office) -> None:
    refused = office.ask("POST", KEYS, body={**WANTED, "principal": "nobody"})

    detail = problem(refused, 400, "unknown_principal")["detail"]
    assert "POST /v1/principals" in detail
    assert "`opstrail principals create`" in detail


def test_only_an_operator_grants_operator(office: Office) -> None:
    both = office.key(Role.ADMIN, Role.OPERATOR)

    refused = office.ask("POST", KEYS, body={**WANTED, "roles": ["read", "operator"]})
    assert "`operator`" in problem(refused, 403, "forbidden")["detail"]
    made = office.post(KEYS, {**WANTED, "roles": ["operator"]}, both)
    assert made["roles"] == ["operator"]


def test_a_narrowed_key_manages_nothing(office: Office) -> None:
    narrow = office.key(Role.ADMIN, Role.OPERATOR, workspaces=["shop"])
    key_id = office.post(KEYS, WANTED)["key_id"]

    for method, path, body in (
        ("GET", KEYS, None),
        ("POST", KEYS, WANTED),
        ("GET", f"{KEYS}/{key_id}", None),
        ("DELETE", f"{KEYS}/{key_id}", None),
        ("GET", "/v1/principals", None),
        ("POST", "/v1/principals", {"name": "bob", "kind": "person"}),
        ("GET", "/v1/organizations", None),
        ("POST", "/v1/organizations", {"name": "initech"}),
    ):
        detail = problem(office.ask(method, path, narrow, body), 403, "forbidden")["detail"]
        assert "narrowed to workspaces" in detail
    assert office.get(f"{KEYS}/{key_id}")["active"]


@pytest.mark.parametrize(
    "roles", [{Role.SUBMIT}, {Role.READ}, {Role.ANALYST}, {Role.OPERATOR}], ids=str
)
def test_only_administrators_manage_keys(office: Office, roles: set[Role]) -> None:
    key = office.key(*roles)
    for method, path in (
        ("GET", KEYS),
        ("POST", KEYS),
        ("GET", f"{KEYS}/key-000000000000"),
        ("DELETE", f"{KEYS}/key-000000000000"),
    ):
        detail = problem(office.ask(method, path, key), 403, "forbidden")["detail"]
        assert "`admin`" in detail


def test_the_last_admin_key_is_not_revoked_unless_by_force(office: Office) -> None:
    (own,) = office.key_ids()
    # None of these can take its place.
    office.key(Role.ADMIN, workspaces=["shop"])
    office.key(Role.OPERATOR)
    office.key(Role.ADMIN, organization=GLOBEX)
    issue(office.control, ACME, roles={Role.ADMIN}, expires_at=NOON + timedelta(seconds=10))
    office.clocks.passed_s += 10
    path = f"{KEYS}/{own}"

    refused = problem(office.ask("DELETE", path), 409, "last_admin_key")
    assert "?force=true" in refused["detail"]
    problem(office.ask("DELETE", f"{path}?force=false"), 409, "last_admin_key")
    assert office.get(path)["active"]

    assert not office.delete(f"{path}?force=true")["active"]


def test_an_admin_key_that_is_not_the_last_is_revoked(office: Office) -> None:
    (own,) = office.key_ids()
    second = office.key(Role.ADMIN)
    path = f"{KEYS}/{own}"

    assert not office.delete(path)["active"]
    # Revoked already: no longer the last good one, and nothing changes.
    assert not office.delete(path, second)["active"]


def test_only_good_whole_admin_keys_are_guarded(office: Office) -> None:
    narrow = issue(office.control, ACME, roles={Role.ADMIN}, workspace_patterns=["shop"]).key.key_id
    reader = office.post(KEYS, {**WANTED, "roles": ["analyst", "submit"]})["key_id"]

    for key_id in (narrow, reader):
        assert not office.delete(f"{KEYS}/{key_id}")["active"]


def test_a_control_database_that_is_away_is_503_and_tells_no_address(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.get(KEYS)

    def away(*_: object, **__: object) -> None:
        raise ControlUnavailableError("no answer from 10.0.0.7")

    for name in ("list_keys", "create_key", "get_key", "revoke_key"):
        monkeypatch.setattr(f"query.keys.{name}", away)
    for method, path, body in (
        ("GET", KEYS, None),
        ("POST", KEYS, WANTED),
        ("GET", f"{KEYS}/key-000000000000", None),
        ("DELETE", f"{KEYS}/key-000000000000", None),
    ):
        refused = office.ask(method, path, body=body)
        problem(refused, 503, "unavailable")
        assert int(refused.headers["retry-after"]) > 0
        assert "10.0.0.7" not in refused.text
