from typing import Any

import pytest

from runtime.errors import TimelineUnavailableError
from schemas.times import format_us
from tests.query.problems import problem
from tests.query.world import (
    ADMIN,
    ANALYST,
    NARROW,
    NARROW_ADMIN,
    OTHER,
    READER,
    SENDER,
    World,
)
from tests.timeline.trail import NOW_US, at_us, run_entry

SHOP = "/v1/workspaces/shop"
LABEL: Any = {
    "environment": "production",
    "labels": {"team": "shop", "Größe": "klein"},
    "deploy_actions": ["roll-out"],
}


def numbers(world: World, query: str) -> list[int]:
    items = world.json(f"/v1/timeline?{query}")["items"]
    return [int(item["id"][-12:], 16) for item in items]


def test_a_label_is_answered_and_read_as_it_was_said(world: World) -> None:
    world.trail.put(run_entry(1, "10:00"), workspace="shop")

    answer = world.put(SHOP, LABEL)

    assert answer.status_code == 200, answer.text
    expected = {
        "name": "shop",
        **LABEL,
        "registered_at": format_us(at_us("10:00")),
        "updated_at": format_us(NOW_US),
    }
    assert answer.json() == expected
    assert world.json(SHOP) == expected
    body = world.json("/v1/workspaces?environment=production")
    assert set(body) == {"items", "next_cursor", "watermark"}
    assert (body["items"], body["next_cursor"]) == ([expected], None)


def test_what_is_left_out_or_null_was_not_said(world: World) -> None:
    silent: Any = {"environment": None, "labels": {}, "deploy_actions": None}
    for body in ({}, {"environment": None, "labels": None, "deploy_actions": None}):
        assert world.put(SHOP, LABEL).status_code == 200
        answer = world.put(SHOP, body).json()
        assert {name: answer[name] for name in silent} == silent
    assert world.put(SHOP, {"deploy_actions": []}).json()["deploy_actions"] == []


def test_a_workspace_may_be_labelled_before_its_first_event(world: World) -> None:
    world.put(SHOP, LABEL)

    assert world.json(SHOP)["registered_at"] is None
    world.trail.put(run_entry(1, "10:00"), workspace="shop")
    assert world.json(SHOP)["registered_at"] == format_us(at_us("10:00"))
    assert numbers(world, "environment=production") == [1]


def test_timeline_follows_a_new_label_at_once_and_never_the_name(world: World) -> None:
    world.trail.put(run_entry(1), workspace="shop")
    world.trail.put(run_entry(2), workspace="production")

    assert numbers(world, "environment=production") == []
    # Each at the same moment of a clock that stands still.
    for environment, in_production in (("production", [1]), ("staging", []), ("production", [1])):
        assert world.put(SHOP, {"environment": environment}).status_code == 200
        assert numbers(world, "environment=production") == in_production
        entry = world.json("/v1/timeline?workspace=shop")["items"][0]
        assert entry["environment"] == environment
    assert world.json("/v1/timeline?workspace=production")["items"][0]["environment"] is None


def test_list_goes_on_where_a_page_ended(world: World) -> None:
    for name in ("c", "a", "b"):
        world.put(f"/v1/workspaces/{name}", {})

    first = world.json("/v1/workspaces?limit=2")
    rest = world.json(f"/v1/workspaces?limit=2&cursor={first['next_cursor']}")
    assert [item["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None


def test_what_is_not_there_or_anothers_is_not_found(world: World) -> None:
    world.put(SHOP, LABEL)

    problem(world.get("/v1/workspaces/web"), 404, "not_found")
    problem(world.get("/v1/workspaces/a%20b"), 404, "not_found")
    problem(world.get(SHOP, OTHER), 404, "not_found")
    assert world.json("/v1/workspaces", OTHER)["items"] == []


def test_a_narrowed_key_sees_and_labels_its_workspaces_only(world: World) -> None:
    world.put(SHOP, LABEL)
    world.trail.put(run_entry(1), workspace="acme-infra")

    problem(world.get(SHOP, NARROW), 404, "not_found")
    problem(world.put(SHOP, {}, NARROW_ADMIN), 404, "not_found")
    problem(world.put("/v1/workspaces/web", {}, NARROW_ADMIN), 404, "not_found")
    assert world.put("/v1/workspaces/acme-infra", LABEL, NARROW_ADMIN).status_code == 200
    listed = world.json("/v1/workspaces", NARROW)["items"]
    assert [item["name"] for item in listed] == ["acme-infra"]
    assert world.json(SHOP)["environment"] == "production"


def test_only_administrators_say_what_a_workspace_is(world: World) -> None:
    for key in (READER, ANALYST, SENDER, OTHER):
        problem(world.put(SHOP, LABEL, key), 403, "forbidden")
    problem(world.get(SHOP, SENDER), 403, "forbidden")
    problem(world.put(SHOP, LABEL, "unknown"), 401, "unauthenticated")
    problem(world.get(SHOP), 404, "not_found")


TOKEN = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"enviroment": "production"}, "unknown_field", "enviroment"),
        ({"a secret\n": "x"}, "unknown_field", None),
        ({"name": "shop"}, "unknown_field", "name"),
        ({"environment": 1}, "wrong_type", "environment"),
        ({"environment": ["production"]}, "wrong_type", "environment"),
        ({"environment": ""}, "bad_value", "environment"),
        ({"environment": "x" * 257}, "bad_value", "environment"),
        ({"environment": "a\nb"}, "bad_value", "environment"),
        ({"environment": "a\u202eb"}, "bad_value", "environment"),
        ({"environment": TOKEN}, "looks_like_secret", "environment"),
        ({"labels": []}, "wrong_type", "labels"),
        ({"labels": {"team": 7}}, "wrong_type", "labels.team"),
        ({"labels": {"team": None}}, "wrong_type", "labels.team"),
        ({"labels": {"no\nname": 7}}, "wrong_type", "labels"),
        ({"labels": {"": "x"}}, "bad_value", "labels"),
        ({"labels": {"team": ""}}, "bad_value", "labels"),
        ({"labels": {"team": TOKEN}}, "looks_like_secret", "labels"),
        ({"labels": {TOKEN: "x"}}, "looks_like_secret", "labels"),
        ({"labels": {str(n): "x" for n in range(65)}}, "bad_value", "labels"),
        ({"deploy_actions": "deploy"}, "wrong_type", "deploy_actions"),
        ({"deploy_actions": ["deploy", None]}, "wrong_type", "deploy_actions"),
        ({"deploy_actions": [""]}, "bad_value", "deploy_actions"),
        ({"deploy_actions": ["x"] * 65}, "bad_value", "deploy_actions"),
        ([], "not_an_object", None),
        (None, "not_an_object", None),
        (b"", "not_json", None),
        (b"{", "not_json", None),
        (b'{"environment": NaN}', "not_json", None),
        (b'{"environment": "\\ud800"}', "not_json", None),
        (b'{"environment": "\xff"}', "not_json", None),
        (b"[" * 60_000, "not_json", None),
    ],
)
def test_a_bad_label_is_refused_by_its_field_and_changes_nothing(
    world: World, body: Any, code: str, field: str | None
) -> None:
    refused = world.put(SHOP, body)

    assert problem(refused, 400, code).get("field") == field
    assert TOKEN not in refused.text
    problem(world.get(SHOP), 404, "not_found")


def test_a_body_of_another_kind_or_size_is_refused(world: World) -> None:
    largest = b'{"environment": "production"' + b" " * (64 * 1024 - 29) + b"}"
    assert len(largest) == 64 * 1024
    assert world.put(SHOP, largest).status_code == 200
    problem(world.put(SHOP, largest + b" "), 413, "body_too_large")
    for headers in (
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ):
        told = {"Authorization": f"Bearer {ADMIN}", **headers}
        assert world.send("PUT", SHOP, told, b"{}").status_code == 415
    told = {"Authorization": f"Bearer {ADMIN}", "Content-Type": 'application/JSON; charset="UTF-8"'}
    assert world.send("PUT", SHOP, told, b"{}").status_code == 200


@pytest.mark.parametrize(
    "name", ["a%20b", ".hidden", "-x", "x" * 129, "ghp_a1B2a1B2a1B2a1B2a1B2a1B2"]
)
def test_what_can_be_no_workspace_cannot_be_labelled(world: World, name: str) -> None:
    problem(world.put(f"/v1/workspaces/{name}", {}), 404, "not_found")


def test_unknown_parameters_are_refused(world: World) -> None:
    for path in ("/v1/workspaces?name=x", f"{SHOP}?x=1"):
        problem(world.get(path), 400, "unknown_parameter")
    problem(world.put(f"{SHOP}?x=1", {}), 400, "unknown_parameter")


def test_a_label_that_cannot_be_shown_yet_is_kept_and_said_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.trail.put(run_entry(1), workspace="shop")

    async def away(*_: object, **__: object) -> None:
        raise TimelineUnavailableError("inserting at 10.0.0.7 failed")

    with monkeypatch.context() as patched:
        patched.setattr("query.label_mirror.mirror_workspaces", away)
        refused = world.put(SHOP, LABEL)
    body = problem(refused, 503, "timeline_unavailable")
    assert "kept" in body["detail"]
    assert (refused.headers["Retry-After"], "10.0.0.7" in refused.text) == ("5", False)
    assert numbers(world, "environment=production") == []

    assert world.run(world.services.label_mirror.look()) == 1
    assert numbers(world, "environment=production") == [1]
    assert world.json(SHOP)["labels"] == LABEL["labels"]
