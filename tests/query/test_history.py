import json

import pytest

from schemas.entry import SnapshotRow
from tests.query.problems import problem
from tests.query.world import NARROW, OTHER, SENDER, World
from tests.timeline.trail import id_of, run_entry, session_entry, snapshot_row

PATH = f"/v1/records/action_run/{id_of(1)}/history"


def snapshot(index: int = 0, **more: str) -> SnapshotRow:
    return snapshot_row(run_entry(1), index, **more)


def reasons(body: dict) -> list[str]:  # type: ignore[type-arg]
    return [item["event"]["reason"] for item in body["items"]]


def test_a_history_is_what_was_received_in_the_order_of_the_log_dead_ones_too(
    world: World,
) -> None:
    world.trail.put(run_entry(1))
    # Neither the time of arrival nor the order of insertion decides.
    foreign = snapshot(3, dead_reason="foreign_snapshot")
    world.trail.receive(foreign, offset=8, received_at="09:00", actor="bob")
    world.trail.receive(snapshot(2), snapshot(1), offset=7)
    world.trail.receive(snapshot(9), offset=2, partition=1)

    body = world.json(PATH)

    assert set(body) == {"items", "next_cursor", "watermark"}
    assert reasons(body) == ["snapshot 1", "snapshot 2", "snapshot 3", "snapshot 9"]
    assert body["items"][0] == {
        "received_at": "2026-03-24T11:00:00.000000Z",
        "actor": "alice",
        "actor_kind": "person",
        "key_id": "key of alice",
        "dead_reason": None,
        "detail": None,
        "event": json.loads(snapshot(1)["event"]),
    }
    dead = body["items"][2]
    assert (dead["actor"], dead["dead_reason"]) == ("bob", "foreign_snapshot")
    assert "belongs to another actor" in dead["detail"]


def test_a_history_is_read_page_by_page_while_more_arrives(world: World) -> None:
    world.trail.put(run_entry(1))
    for offset in (1, 2):
        world.trail.receive(*(snapshot(10 * offset + n) for n in range(3)), offset=offset)
        world.trail.receive(*(snapshot(10 * offset + n) for n in range(3)), offset=offset)

    first = world.json(f"{PATH}?limit=4")
    world.trail.receive(snapshot(30), offset=3)
    second = world.json(f"{PATH}?limit=4&cursor={first['next_cursor']}")

    assert reasons(first) == [f"snapshot {n}" for n in (10, 11, 12, 20)]
    assert reasons(second) == [f"snapshot {n}" for n in (21, 22, 30)]
    assert second["next_cursor"] is None
    assert world.json(f"{PATH}?limit=7")["next_cursor"] is None


def test_only_the_record_that_is_asked_for_has_its_history_told(world: World) -> None:
    world.trail.put(run_entry(1), run_entry(2), session_entry(1))
    world.trail.put(run_entry(2), workspace="other")
    world.other.put(run_entry(1))
    other_id, other_kind = snapshot_row(run_entry(2), 2), snapshot_row(session_entry(1), 3)
    world.trail.receive(snapshot(1), other_id, other_kind)
    world.trail.receive(snapshot(4), workspace="other", offset=2)
    world.other.receive(snapshot(5), offset=3)

    assert reasons(world.json(PATH)) == ["snapshot 1"]
    assert reasons(world.json(PATH, OTHER)) == ["snapshot 5"]


def test_a_record_without_what_was_received_of_it_has_an_empty_history(world: World) -> None:
    world.trail.put(run_entry(1))

    assert world.json(PATH)["items"] == []


def test_the_workspace_is_asked_for_as_for_the_record(world: World) -> None:
    for offset, workspace in enumerate(("acme-b", "acme-a", "other")):
        world.trail.put(run_entry(1), workspace=workspace)
        world.trail.receive(snapshot(offset), workspace=workspace, offset=offset)

    assert problem(world.get(PATH), 409, "conflict")["workspaces"] == ["acme-a", "acme-b", "other"]
    assert problem(world.get(PATH, NARROW), 409, "conflict")["workspaces"] == ["acme-a", "acme-b"]
    assert reasons(world.json(f"{PATH}?workspace=other")) == ["snapshot 2"]
    problem(world.get(f"{PATH}?workspace=other", NARROW), 404, "not_found")
    assert problem(world.get(f"{PATH}?workspace="), 400, "bad_value")["field"] == "workspace"


@pytest.mark.parametrize(
    "record",
    [f"action_run/{id_of(2)}", f"ssh_session/{id_of(1)}", "action_run/nonsense", "cli_instance/x"],
)
def test_what_is_not_there_has_no_history(world: World, record: str) -> None:
    world.trail.put(run_entry(1))
    world.trail.receive(snapshot(1))

    problem(world.get(f"/v1/records/{record}/history"), 404, "not_found")
    problem(world.get(PATH, OTHER), 404, "not_found")


def test_a_history_takes_the_role_to_read(world: World) -> None:
    problem(world.get(PATH, SENDER), 403, "forbidden")
    problem(world.get(PATH, None), 401, "unauthenticated")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "cursor=", "cursor=abc", "cursor=!", "limit=1&limit=2", "cursor=lMA"],
)
def test_a_bad_parameter_is_named(world: World, query: str) -> None:
    world.trail.put(run_entry(1))

    body = problem(world.get(f"{PATH}?{query}"), 400, "bad_value")
    assert body["field"] == query.partition("=")[0]


def test_an_unknown_parameter_is_refused(world: World) -> None:
    problem(world.get(f"{PATH}?reason=x"), 400, "unknown_parameter")


def test_a_cursor_of_another_list_is_refused(world: World) -> None:
    world.trail.put(run_entry(1), run_entry(2))
    elsewhere = world.json("/v1/timeline?limit=1")["next_cursor"]

    body = problem(world.get(f"{PATH}?cursor={elsewhere}"), 400, "bad_value")
    assert body["field"] == "cursor"
