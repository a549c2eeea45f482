import json
from typing import Any

import pytest

from schemas.entry import SnapshotRow
from tests.query.problems import problem
from tests.query.world import (
    ADMIN,
    ANALYST,
    NARROW_ADMIN,
    OTHER,
    OTHER_ADMIN,
    READER,
    World,
)
from tests.timeline.trail import id_of, run_entry, session_entry, snapshot_row

PATH = "/v1/dead-letters"


def dead(
    number: int, index: int = 0, *, reason: str = "conflicting_snapshot", entry: Any = None
) -> SnapshotRow:
    return snapshot_row(entry or run_entry(number), index, dead_reason=reason)


def found(world: World, query: str = "", key: str = ADMIN) -> list[int]:
    """Numbers of the records whose snapshots are listed, in order."""
    items = world.json(f"{PATH}?{query}", key)["items"]
    return [int(item["record_id"][-12:], 16) for item in items]


def test_a_dead_letter_says_what_it_was_and_why_it_was_not_used(world: World) -> None:
    world.trail.receive(snapshot_row(run_entry(1)), dead(2, 1), offset=17, partition=3, actor="bob")

    body = world.json(PATH, ADMIN)

    assert set(body) == {"items", "next_cursor", "watermark"}
    (item,) = body["items"]
    assert "contradicts an earlier closed snapshot" in item.pop("detail")
    assert item == {
        "id": "3-17-1",
        "received_at": "2026-03-24T11:00:00.000000Z",
        "workspace": "acme",
        "kind": "action_run",
        "record_id": id_of(2),
        "reason": "conflicting_snapshot",
        "actor": "bob",
        "actor_kind": "person",
        "key_id": "key of bob",
        "resent_at": None,
        "resent_position": None,
        "event": json.loads(dead(2, 1)["event"]),
    }


def test_the_newest_come_first_and_each_once(world: World) -> None:
    for _ in range(2):
        world.trail.receive(dead(1, 0), dead(2, 1), offset=1, received_at="10:00")
        world.trail.receive(dead(3), offset=2, received_at="12:00")
        # Received before, but behind in the log.
        world.trail.receive(dead(4), offset=3, received_at="09:00")
        world.trail.receive(dead(5), offset=1, partition=1, received_at="10:00")

    assert found(world) == [3, 5, 2, 1, 4]


def test_pages_follow_each_other_while_more_arrives(world: World) -> None:
    world.trail.receive(*(dead(n, n) for n in range(1, 6)), received_at="10:00")

    first = world.json(f"{PATH}?limit=2", ADMIN)
    world.trail.receive(dead(9), offset=2, received_at="11:00")
    cursor = first["next_cursor"]
    second = world.json(f"{PATH}?limit=2&cursor={cursor}", ADMIN)

    assert [item["id"] for item in first["items"]] == ["0-1-5", "0-1-4"]
    assert [item["id"] for item in second["items"]] == ["0-1-3", "0-1-2"]
    assert found(world, f"limit=2&cursor={second['next_cursor']}") == [1]
    assert found(world, "limit=1") == [9]
    assert world.json(f"{PATH}?limit=6", ADMIN)["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("from=2026-03-24T10:00:00Z", [3, 2]),
        ("from=2026-03-24T10:00:00.000001Z", [3]),
        ("to=2026-03-24T10:00:00Z", [1]),
        ("from=2026-03-24T11:00:00%2B01:00&to=2026-03-24T12:00:00Z", [2]),
        ("reason=foreign_snapshot", [2]),
        ("reason=foreign_snapshot&reason=conflicting_snapshot", [3, 2, 1]),
        ("workspace=acme", [2, 1]),
        ("workspace=acme&workspace=other", [3, 2, 1]),
        ("workspace=none", []),
        ("kind=ssh_session", [3]),
        ("kind=workspace_sync", []),
        (f"id={id_of(1)}", [1]),
        (f"id={id_of(1)}&id={id_of(3)}", [3, 1]),
        (f"id={id_of(1)}&kind=ssh_session", []),
    ],
)
def test_filters_narrow_the_list(world: World, query: str, numbers: list[int]) -> None:
    world.trail.receive(dead(1), offset=1, received_at="09:59:59.999999")
    world.trail.receive(dead(2, reason="foreign_snapshot"), offset=2, received_at="10:00")
    session = dead(3, entry=session_entry(3))
    world.trail.receive(session, offset=3, received_at="12:00", workspace="other")

    assert found(world, query) == numbers


def test_only_ones_own_organization_and_workspaces_are_seen(world: World) -> None:
    world.trail.receive(dead(1), workspace="acme-a", offset=1)
    world.trail.receive(dead(2), workspace="other", offset=2)
    world.other.receive(dead(3), workspace="acme-a", offset=3)

    assert found(world) == [2, 1]
    assert found(world, key=NARROW_ADMIN) == [1]
    assert found(world, "workspace=other", NARROW_ADMIN) == []


@pytest.mark.parametrize("key", [READER, ANALYST, OTHER])
def test_dead_letters_take_an_administrator(world: World, key: str) -> None:
    problem(world.get(PATH, key), 403, "forbidden")


@pytest.mark.parametrize(
    "query",
    [
        *("from=yesterday", "to=2026-03-24T10:00:00", "reason=undecodable", "kind=cli_instance"),
        *("id=nonsense", "workspace=-", "limit=0", "cursor=abc", "cursor="),
    ],
)
def test_a_bad_value_is_named(world: World, query: str) -> None:
    body = problem(world.get(f"{PATH}?{query}", ADMIN), 400, "bad_value")
    assert body["field"] == query.partition("=")[0]


def test_a_period_that_ends_before_it_begins_is_refused(world: World) -> None:
    query = "from=2026-03-24T10:00:00Z&to=2026-03-24T09:59:59Z"
    assert problem(world.get(f"{PATH}?{query}", ADMIN), 400, "bad_value")["field"] == "to"


def test_an_unknown_parameter_is_refused(world: World) -> None:
    problem(world.get(f"{PATH}?actor=alice", ADMIN), 400, "unknown_parameter")


def test_one_is_shown_with_where_it_stands_and_what_can_be_done(world: World) -> None:
    world.trail.receive(dead(2, 1), offset=17, partition=3, actor="bob")
    (listed,) = world.json(PATH, ADMIN)["items"]

    shown = world.json(f"{PATH}/{listed['id']}", ADMIN)

    assert shown.pop("source") == {
        "topic": "audit.events",
        "partition": 3,
        "offset": 17,
        "index": 1,
    }
    assert "under an id of its own" in shown["remedy"]
    assert "force=true" in shown.pop("remedy")
    assert shown.pop("resend_takes_force") is True
    assert shown == listed


def test_a_reason_of_a_newer_version_is_shown_as_it_is(world: World) -> None:
    world.trail.receive(dead(1, reason="of_the_future"))

    shown = world.json(f"{PATH}/0-1-0", ADMIN)

    assert (shown["reason"], shown["detail"]) == ("of_the_future", None)
    assert "after an upgrade" in shown["remedy"]
    assert shown["resend_takes_force"] is False


@pytest.mark.parametrize(
    "place",
    [
        *("0-1-1", "0-2-0", "1-1-0", "00-1-0", "0-1", "0-1-0-0", "0--1-0", "x", "0-1-0%0A"),
        *(f"{2**32}-1-0", f"0-{2**63}-0", f"0-1-{2**32}", "0-1-" + "9" * 100, "0-1-%D9%A0"),
    ],
)
def test_what_is_no_place_of_a_dead_letter_is_not_there(world: World, place: str) -> None:
    world.trail.receive(dead(1))
    assert world.get(f"{PATH}/0-1-0", ADMIN).status_code == 200

    body = problem(world.get(f"{PATH}/{place}", ADMIN), 404, "not_found")

    assert body["detail"] == "there is no such dead letter"


def test_one_is_shown_only_to_its_own_administrators(world: World) -> None:
    # What was used stands beside it.
    world.trail.receive(dead(1), snapshot_row(run_entry(2), 1), workspace="other", offset=5)

    assert world.get(f"{PATH}/0-5-0", ADMIN).status_code == 200
    for key in (NARROW_ADMIN, OTHER_ADMIN):
        problem(world.get(f"{PATH}/0-5-0", key), 404, "not_found")
    problem(world.get(f"{PATH}/0-5-1", ADMIN), 404, "not_found")
    for key in (READER, ANALYST):
        problem(world.get(f"{PATH}/0-5-0", key), 403, "forbidden")
    problem(world.get(f"{PATH}/0-5-0?force=true", ADMIN), 400, "unknown_parameter")
