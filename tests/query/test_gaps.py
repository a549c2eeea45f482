import itertools
import json
from typing import Any

import pytest

from tests.query.around import LAPTOP, SERVER, arrived
from tests.query.problems import problem
from tests.query.world import ANALYST, NARROW, OTHER, READER, World
from tests.timeline.trail import at_us, run_entry

LATER = "cli-33333333"


def gaps(world: World, query: str = "", key: str = READER) -> list[tuple[str, int, int]]:
    items = world.json(f"/v1/gaps{query}", key)["items"]
    return [
        (each["cli_instance_id"], each["first_missing"], each["last_missing"]) for each in items
    ]


def paged(world: World, query: str = "?limit=1") -> list[tuple[str, int, int]]:
    found, cursor = [], ""
    while True:
        page: dict[str, Any] = world.json(f"/v1/gaps{query}{cursor}")
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    return [
        (each["cli_instance_id"], each["first_missing"], each["last_missing"]) for each in found
    ]


def test_a_gap_is_an_interval_between_what_arrived(world: World) -> None:
    arrived(world.trail, LAPTOP, {7: "08:00", 8: "10:00", 12: "10:30", 13: "10:40"})
    arrived(world.trail, LAPTOP, {8: "10:00"})
    arrived(world.other, SERVER, {1: "10:00", 3: "10:20"})

    body = world.json("/v1/gaps")

    assert set(body) == {"items", "next_cursor", "watermark"}
    assert body["items"] == [
        {
            "cli_instance_id": LAPTOP,
            "first_missing": 9,
            "last_missing": 11,
            "missing": 3,
            "from": "2026-03-24T10:00:00.000000Z",
            "to": "2026-03-24T10:30:00.000000Z",
        }
    ]
    assert gaps(world, key=OTHER) == [(SERVER, 2, 2)]


def test_what_arrives_late_closes_a_gap_or_cuts_it(world: World) -> None:
    arrived(world.trail, LAPTOP, {1: "08:00", 5: "10:00"})
    assert gaps(world) == [(LAPTOP, 2, 4)]

    arrived(world.trail, LAPTOP, {3: "09:00"})
    assert gaps(world) == [(LAPTOP, 2, 2), (LAPTOP, 4, 4)]

    arrived(world.trail, LAPTOP, {2: "08:30", 4: "09:30"})
    assert gaps(world) == []


def test_gaps_are_sorted_by_instance_and_count_whenever_they_happened(world: World) -> None:
    arrived(world.trail, SERVER, {1: "08:00", 3: "09:00"})
    arrived(
        world.trail, LAPTOP, {1: "12:00", 3: "11:00", 5: "10:00", 3_000: "13:00", 3_002: "09:00"}
    )

    assert gaps(world) == [
        (LAPTOP, 2, 2),
        (LAPTOP, 4, 4),
        (LAPTOP, 6, 2_999),
        (LAPTOP, 3_001, 3_001),
        (SERVER, 2, 2),
    ]


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("?from=2026-03-24T10:30:00Z", True),
        ("?from=2026-03-24T10:30:00.000001Z", False),
        ("?to=2026-03-24T10:00:00Z", False),
        ("?to=2026-03-24T10:00:00.000001Z", True),
        ("?from=2026-03-24T10:10:00Z&to=2026-03-24T10:20:00Z", True),
    ],
)
def test_a_period_holds_the_gaps_that_may_have_happened_in_it(
    world: World, query: str, is_found: bool
) -> None:
    arrived(world.trail, LAPTOP, {1: "10:00", 3: "10:30"})

    assert gaps(world, query) == ([(LAPTOP, 2, 2)] if is_found else [])


def test_instances_are_chosen_by_their_ids_in_any_case(world: World) -> None:
    letters = "cli-abcdef01"
    for instance in (LAPTOP, SERVER, letters):
        arrived(world.trail, instance, {1: "10:00", 3: "10:30"})

    query = f"?cli_instance_id={letters.upper().replace('CLI', 'cli')}&cli_instance_id={SERVER}"
    assert gaps(world, query) == [(SERVER, 2, 2), (letters, 2, 2)]
    assert gaps(world, f"?cli_instance_id={LATER}") == []


def test_pages_hold_every_gap_once(world: World) -> None:
    # Inside of a block, between blocks, at the edge of one, and across several.
    counts = [0, 2, 1_022, 1_024, 1_026, 2_047, 2_048, 9_000, 9_001, 2**63 - 1]
    for instance in (LAPTOP, SERVER):
        arrived(world.trail, instance, dict.fromkeys(counts, "10:00"))
    whole = gaps(world)

    assert whole == [
        (instance, before + 1, count - 1)
        for instance in (LAPTOP, SERVER)
        for before, count in itertools.pairwise(counts)
        if count - before > 1
    ]
    for limit in (1, 2, 3, 5, len(whole), len(whole) + 1):
        assert paged(world, f"?limit={limit}") == whole


def test_a_cursor_stays_valid_while_gaps_close(world: World) -> None:
    arrived(world.trail, LAPTOP, {1: "10:00", 5: "10:30", 9: "11:00", 11: "11:10"})
    cursor = world.json("/v1/gaps?limit=1")["next_cursor"]

    arrived(world.trail, LAPTOP, {3: "10:10", 7: "10:40"})

    after = f"?cursor={cursor}"
    assert gaps(world, after) == [(LAPTOP, 6, 6), (LAPTOP, 8, 8), (LAPTOP, 10, 10)]
    arrived(world.trail, LAPTOP, {10: "11:05"})
    assert gaps(world, after) == [(LAPTOP, 6, 6), (LAPTOP, 8, 8)]


def test_blocks_without_a_gap_in_the_period_do_not_end_the_list(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeline.gap_query._BLOCKS_MAX", 1)
    # Of the first, both ends lie inside the period's reach, but the hole does not.
    arrived(world.trail, LAPTOP, {1: "08:00", 3: "08:10", 4: "12:00", 6: "12:10"})
    arrived(world.trail, SERVER, {1: "09:00", 3: "11:00"})

    period = "?from=2026-03-24T09:30:00Z&to=2026-03-24T10:30:00Z"
    assert gaps(world, period) == [(SERVER, 2, 2)]


def test_a_narrowed_key_sees_the_gaps_of_who_was_at_work_in_its_workspaces(world: World) -> None:
    for instance in (LAPTOP, SERVER):
        arrived(world.trail, instance, {1: "10:00", 3: "10:30"})
    world.trail.put(run_entry(1, cli_instance_id=LAPTOP))
    world.trail.put(run_entry(2, cli_instance_id=SERVER), workspace="other")

    assert gaps(world) == [(LAPTOP, 2, 2), (SERVER, 2, 2)]
    assert gaps(world, key=NARROW) == [(LAPTOP, 2, 2)]
    assert gaps(world, f"?cli_instance_id={SERVER}", NARROW) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?from=yesterday", "from"),
        ("?from=2026-03-24T10:00:00Z&to=2026-03-24T09:00:00Z", "to"),
        ("?cli_instance_id=laptop", "cli_instance_id"),
        ("?cursor=x", "cursor"),
        ("?limit=0", "limit"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_parameter(
    world: World, query: str, field: str
) -> None:
    assert problem(world.get(f"/v1/gaps{query}"), 400, "bad_value")["field"] == field


def test_a_cursor_of_another_list_is_refused(world: World) -> None:
    for number in (1, 2):
        observed: Any = {
            "cli_instance_id": f"cli-0000000{number}",
            "observed_at": at_us("10:00"),
            "is_sighting": True,
            "actor": "alice",
        }
        world.trail.observe(observed)
    cursor = world.json("/v1/cli-instances?limit=1")["next_cursor"]

    problem(world.get(f"/v1/gaps?cursor={cursor}"), 400, "bad_value")


def test_gaps_come_as_a_file(world: World) -> None:
    arrived(world.trail, LAPTOP, {1: "10:00", 3: "10:30", 6: "11:00"})

    answer = world.get("/v1/gaps?format=csv", ANALYST)

    assert answer.text.splitlines() == [
        "cli_instance_id,first_missing,last_missing,missing,from,to",
        f"{LAPTOP},2,2,1,2026-03-24T10:00:00.000000Z,2026-03-24T10:30:00.000000Z",
        f"{LAPTOP},4,5,2,2026-03-24T10:30:00.000000Z,2026-03-24T11:00:00.000000Z",
    ]
    lines = world.get("/v1/gaps?format=ndjson", ANALYST).text.splitlines()
    assert len(lines) == 2


def test_a_file_holds_all_gaps_however_many(world: World) -> None:
    counts = range(0, 2 * 1_301, 2)
    arrived(world.trail, LAPTOP, dict.fromkeys(counts, "10:00"))

    lines = world.get("/v1/gaps?format=ndjson", ANALYST).text.splitlines()

    assert [json.loads(line)["first_missing"] for line in lines] == [n + 1 for n in counts[:-1]]
