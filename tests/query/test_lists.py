import uuid
from urllib.parse import quote

import pytest

from query.watermark_view import WatermarkView
from runtime.errors import TimelineUnavailableError
from tests.query.problems import problem
from tests.query.world import NARROW, OTHER, World
from tests.timeline.trail import (
    DAY,
    id_of,
    link_row,
    run,
    run_entry,
    session_entry,
    sync_entry,
)
from timeline.environment_query import WorkspaceRow, mirror_workspaces
from timeline.timeline_query import read_page


def ids(body: object) -> list[int]:
    return [int(item["id"][-12:], 16) for item in body["items"]]  # type: ignore[index]


def test_timeline_shows_runs_sessions_and_syncs_with_their_links(world: World) -> None:
    session = session_entry(2, "10:12:03", "10:27:45", links=[link_row(target=1)])
    world.trail.put(run_entry(1), session, sync_entry(3, "08:02", git_after_sha="a42b9e1"))

    body = world.json("/v1/timeline")

    assert set(body) == {"items", "next_cursor", "watermark"}
    assert (ids(body), body["next_cursor"]) == ([2, 1, 3], None)
    entry = body["items"][0]
    assert entry["organization"] == world.trail.organization
    assert (entry["kind"], entry["status"]) == ("ssh_session", "ended")
    assert entry["occurred_at"] == f"{DAY}T10:12:03.000000Z"
    assert entry["host"]["inventory_name"] == "server01"
    assert entry["links"][0]["target"]["id"] == id_of(1)
    assert body["items"][2]["git"]["after_sha"] == "a42b9e1"


def test_each_kind_has_a_list_of_its_own(world: World) -> None:
    world.trail.put(run_entry(1), session_entry(2), sync_entry(3))

    for path, number in (("action-runs", 1), ("ssh-sessions", 2), ("workspace-syncs", 3)):
        assert ids(world.json(f"/v1/{path}")) == [number]
    assert ids(world.json("/v1/ssh-sessions?kind=ssh_session&kind=action_run")) == [2]
    assert ids(world.json("/v1/ssh-sessions?kind=action_run")) == []


def test_cursor_leads_through_all_pages(world: World) -> None:
    world.trail.put(*[run_entry(n, f"10:{n:02}") for n in range(5)])

    seen, path = [], "/v1/timeline?limit=2"
    while True:
        body = world.json(path)
        seen += ids(body)
        if body["next_cursor"] is None:
            break
        path = f"/v1/timeline?limit=2&cursor={body['next_cursor']}"
    assert seen == [4, 3, 2, 1, 0]


def test_a_plus_that_was_not_encoded_is_understood(world: World) -> None:
    world.trail.put(run_entry(1))
    for plus in ("+", "%2B"):
        assert ids(world.json(f"/v1/timeline?from={DAY}T12:00:00{plus}02:00")) == [1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-03-24T10:00:00", "from"),
        ("limit=0", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=x", "cursor"),
        ("format=xml", "format"),
        ("colour=red", "colour"),
        ("kind=cli_instance", "kind"),
    ],
)
def test_a_bad_filter_is_named(world: World, query: str, field: str) -> None:
    body = problem(
        world.get(f"/v1/timeline?{query}"),
        400,
        "unknown_parameter" if field == "colour" else "bad_value",
    )
    assert body["field"] == field


def test_environment_comes_from_the_label_of_the_workspace(world: World) -> None:
    world.trail.put(run_entry(1), workspace="shop")
    world.trail.put(run_entry(2), workspace="production")
    label = WorkspaceRow(
        organization=world.trail.organization,
        name="shop",
        environment="production",
        registered_at=1,
        version=1,
    )
    run(mirror_workspaces(world.trail.store, [label], token=uuid.uuid4().hex))

    items = world.json("/v1/timeline")["items"]
    assert {item["workspace"]: item["environment"] for item in items} == {
        "shop": "production",
        "production": None,
    }
    assert ids(world.json("/v1/timeline?environment=production")) == [1]


def test_only_the_keys_organization_and_workspaces_are_shown(world: World) -> None:
    world.trail.put(run_entry(1), workspace="acme-infra")
    world.trail.put(run_entry(2), workspace="other")
    world.other.put(run_entry(3))

    assert ids(world.json("/v1/timeline")) == [2, 1]
    assert ids(world.json("/v1/timeline", NARROW)) == [1]
    assert ids(world.json("/v1/timeline", OTHER)) == [3]
    assert ids(world.json(f"/v1/timeline?workspace={quote('acme')}", OTHER)) == [3]


def test_the_watermark_is_read_before_the_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the watermark promises has to be in the page; one that lands in between may be, too."""
    order: list[str] = []
    real_current = WatermarkView.current

    async def page(*args: object) -> object:
        order.append("rows")
        return await read_page(*args)  # type: ignore[arg-type]

    async def current(view: WatermarkView) -> object:
        found = await real_current(view)
        order.append("watermark")
        return found

    monkeypatch.setattr("query.lists.read_page", page)
    monkeypatch.setattr(WatermarkView, "current", current)
    world.json("/v1/timeline")
    assert order == ["watermark", "rows"]


def test_a_store_that_is_away_is_said_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise TimelineUnavailableError("reading at 10.0.0.7 failed")

    monkeypatch.setattr("query.lists.read_page", away)
    refused = world.get("/v1/timeline")
    problem(refused, 503, "timeline_unavailable")
    assert "10.0.0.7" not in refused.text
