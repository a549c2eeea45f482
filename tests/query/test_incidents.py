from collections.abc import Sequence
from typing import Any

import pytest

from tests.query.around import LAPTOP, SERVER, arrived, numbers, promise
from tests.query.problems import problem
from tests.query.world import NARROW, OTHER, READER, World
from tests.timeline.trail import at_us, id_of, run_entry, session_entry, sync_entry
from timeline.environment_query import WorkspaceRow, mirror_workspaces
from timeline.incident_query import ROWS_MAX

AT = "2026-03-24T20:00:00Z"


def incident(world: World, more: str = "", key: str = READER) -> Any:
    return world.json(f"/v1/incidents?at={AT}{more}", key)


def found(world: World, more: str = "", key: str = READER) -> list[list[int]]:
    """Numbers of the entries before and during."""
    answer = incident(world, more, key)
    return [numbers(answer["before"]), numbers(answer["during"])]


def observed(instance: str, clock: str, version: str) -> Any:
    return {
        "cli_instance_id": instance,
        "observed_at": at_us(clock),
        "is_sighting": True,
        "actor": "alice",
        "cli_version": version,
    }


# --- what happened --------------------------------------------------------------------------------


def test_an_incident_without_any_record_is_answered_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise(world, monkeypatch, None)
    assert incident(world) == {
        "at": "2026-03-24T20:00:00.000000Z",
        "from": "2026-03-24T12:00:00.000000Z",
        "before": [],
        "during": [],
        "configuration": [],
        "tools": [],
        "actors": [],
        "gaps": [],
        "omitted": dict.fromkeys(("before", "during", "tools", "actors", "gaps"), False),
        "complete": False,
        "watermark": {"complete_until": None},
    }


def test_all_that_was_over_by_then_and_all_that_still_ran_is_shown_the_newest_first(
    world: World,
) -> None:
    world.trail.put(
        run_entry(1, "11:00", "11:59:59"),  # over before the period
        run_entry(2, "11:00", "12:00"),
        run_entry(3, "12:00", "12:10"),
        session_entry(4, "11:00", "13:00"),
        sync_entry(5, "12:00"),
        sync_entry(6, "11:59:59"),
        session_entry(7, "19:00", "20:00"),  # over just then
        session_entry(8, "19:00", "20:00:01"),
        run_entry(9, "20:00", "20:10"),  # starts just then
        sync_entry(10, "20:00"),
        run_entry(11, "20:00:01", "20:10"),
        run_entry(12, "19:00", None),
    )
    assert found(world) == [[7, 5, 3, 4, 2], [10, 9, 8, 12]]
    entries = world.json(f"/v1/timeline?active_at={AT}")["items"]
    assert incident(world)["during"] == entries


def test_an_open_record_is_over_when_it_counts_as_lost(world: World) -> None:
    world.trail.put(
        run_entry(1, "2026-03-23T20:00:01Z", None),
        run_entry(2, "2026-03-23T20:00:00Z", None),
        run_entry(3, "2026-03-23T12:00:00Z", None),
        run_entry(4, "2026-03-23T11:59:59Z", None),
    )
    assert found(world) == [[2, 3], [1]]


def test_what_runs_for_weeks_is_still_met(world: World) -> None:
    world.trail.put(session_entry(1, "2026-02-22T00:00:00Z", "2026-03-24T21:00:00Z"))
    world.trail.put(session_entry(2, "2026-02-22T00:00:00Z", "2026-03-24T19:00:00Z"))
    assert found(world) == [[2], [1]]


def test_the_newest_revision_counts(world: World) -> None:
    world.trail.put(run_entry(1, "10:00", None), run_entry(2, "19:00", None))
    assert found(world) == [[], [2, 1]]
    world.trail.put(run_entry(1, "10:00", "10:10", revision=2))
    world.trail.put(run_entry(2, "19:00", "19:10", revision=2, actor_kind="service"))
    assert found(world) == [[2], []]
    assert incident(world)["actors"] == [
        {"actor": "alice", "actor_kind": "service", "runs": 1, "sessions": 0, "syncs": 0}
    ]


@pytest.mark.parametrize(
    ("before", "expected"),
    [("10m", [1]), ("20m", [1, 2]), ("8h", [1, 2, 3]), ("1d", [1, 2, 3, 4]), ("31d", [1, 2, 3, 4])],
)
def test_the_period_is_as_long_as_asked_for(world: World, before: str, expected: list[int]) -> None:
    world.trail.put(
        run_entry(1, "19:55", "19:56"),
        run_entry(2, "19:45", "19:46"),
        run_entry(3, "13:00", "13:01"),
        run_entry(4, "2026-03-23T21:00:00Z", "2026-03-23T21:01:00Z"),
    )
    assert found(world, f"&before={before}") == [expected, []]


def test_lists_are_cut_after_the_newest(world: World) -> None:
    world.trail.put(*(run_entry(n, f"19:{n:02}", f"19:{n:02}") for n in range(10)))
    world.trail.put(*(session_entry(n, f"19:{n:02}", "21:00") for n in range(20, 23)))

    answer = incident(world, "&limit=3")
    assert numbers(answer["before"]) == [9, 8, 7]
    assert numbers(answer["during"]) == [22, 21, 20]
    assert (answer["omitted"]["before"], answer["omitted"]["during"]) == (True, False)
    # Counted over all, shown or not.
    assert answer["actors"][0] == {
        "actor": "alice",
        "actor_kind": "person",
        "runs": 10,
        "sessions": 3,
        "syncs": 0,
    }


def test_workspaces_and_environments_can_be_chosen(world: World) -> None:
    world.trail.put(run_entry(1, "19:00", "19:10"))
    world.trail.put(run_entry(2, "19:01", "19:10"), workspace="acme-b")
    world.trail.put(run_entry(3, "19:02", "19:10"), workspace="other")
    world.other.put(run_entry(4, "19:00", "19:10"))
    labels = [("acme", "production"), ("acme-b", "staging"), ("other", "production")]
    rows = [
        WorkspaceRow(
            organization=world.trail.organization,
            name=name,
            environment=environment,
            registered_at=1,
            version=1,
        )
        for name, environment in labels
    ]
    world.run(mirror_workspaces(world.trail.store, rows, token=world.trail.organization))

    assert found(world) == [[3, 2, 1], []]
    assert found(world, "&workspace=acme&workspace=acme-b") == [[2, 1], []]
    assert found(world, "&environment=production") == [[3, 1], []]
    assert found(world, "&environment=production&workspace=acme") == [[1], []]
    assert found(world, "&workspace=none") == [[], []]
    assert found(world, key=NARROW) == [[2, 1], []]
    assert found(world, "&workspace=other", NARROW) == [[], []]
    assert found(world, key=OTHER) == [[4], []]


# --- the rest of the answer -----------------------------------------------------------------------


def sync_of(number: int, start: str, commit: str = "abcdef0", **more: Any) -> Any:
    return sync_entry(number, start, git_after_sha=commit, git_branch="main", **more)


def test_configuration_is_the_last_successful_sync_of_each_workspace_shown(world: World) -> None:
    old = "2024-01-01T00:00:00Z"
    world.trail.put(
        run_entry(1, "19:00", "19:10"),
        sync_of(2, "18:00", "aaaaaaa"),
        sync_of(3, "20:00", "bbbbbbb", actor="carol"),
        sync_of(4, "20:00:01", "ccccccc"),
        sync_of(5, "20:00", "ddddddd", status="failed"),
        sync_entry(6, "20:00"),
    )
    world.trail.put(run_entry(7, "19:00", "19:10"), sync_of(8, old), workspace="acme-b")
    world.trail.put(run_entry(9, "19:00", "19:10"), workspace="acme-c")
    world.trail.put(sync_of(10, "11:00"), workspace="acme-d")

    shown = {
        "environment": None,
        "branch": "main",
        "synced_at": "2026-03-24T20:00:00.000000Z",
    }
    assert incident(world)["configuration"] == [
        {
            "workspace": "acme",
            "commit": "bbbbbbb",
            "sync_id": id_of(3),
            "brought_by": "carol",
            **shown,
        },
        {
            "workspace": "acme-b",
            "commit": "abcdef0",
            "sync_id": id_of(8),
            "brought_by": "alice",
            **shown,
            "synced_at": "2024-01-01T00:00:00.000000Z",
        },
    ]


def test_of_two_syncs_at_one_moment_the_higher_id_is_in_force(world: World) -> None:
    world.trail.put(
        sync_of(2, "18:00", "bbbbbbb"), sync_of(1, "18:00", "aaaaaaa"), run_entry(3, "19:00")
    )
    world.trail.put(sync_of(2, "18:00", "ccccccc", revision=2))
    assert [state["commit"] for state in incident(world)["configuration"]] == ["ccccccc"]


def test_tools_are_the_versions_of_the_instances_at_that_moment(world: World) -> None:
    third, fourth = "cli-33333333", "cli-44444444"
    world.trail.put(
        run_entry(1, "18:00", "18:10", cli_instance_id=LAPTOP, hostname="laptop"),
        run_entry(2, "19:00", "19:10", cli_instance_id=LAPTOP),
        run_entry(3, "18:30", None, cli_instance_id=SERVER),
        run_entry(4, "17:00", "17:10", cli_instance_id=third),
        run_entry(5, "10:00", "11:00", cli_instance_id=fourth),
        run_entry(6, "19:00", "19:30"),
    )
    world.trail.observe(
        observed(LAPTOP, "19:00", "0.17.0"),
        observed(LAPTOP, "20:00", "0.18.0"),
        observed(LAPTOP, "20:00:01", "0.19.0"),
        observed(SERVER, "2026-01-01T00:00:00Z", "0.16.0"),
        observed(third, "21:00", "0.16.0"),
    )
    world.other.observe(observed(third, "19:00", "0.1.0"))
    assert incident(world)["tools"] == [
        {
            "cli_instance_id": SERVER,
            "version": "0.16.0",
            "observed_at": "2026-01-01T00:00:00.000000Z",
            "hostname": None,
        },
        {
            "cli_instance_id": LAPTOP,
            "version": "0.18.0",
            "observed_at": "2026-03-24T20:00:00.000000Z",
            "hostname": "laptop",
        },
        {"cli_instance_id": third, "version": None, "observed_at": None, "hostname": None},
    ]


def test_actors_and_tools_are_cut_too(world: World) -> None:
    world.trail.put(
        *(
            run_entry(n, "19:00", "19:10", actor=f"actor-{n}", cli_instance_id=f"cli-{n:08}")
            for n in range(ROWS_MAX + 1)
        ),
        sync_entry(1_000, "19:00", actor="actor-7"),
    )
    answer = incident(world)
    assert (len(answer["actors"]), len(answer["tools"])) == (ROWS_MAX, ROWS_MAX)
    assert (answer["omitted"]["actors"], answer["omitted"]["tools"]) == (True, True)
    assert answer["actors"][0]["actor"] == "actor-7"


@pytest.mark.parametrize(
    ("counts", "touches"),
    [
        ({1: "11:00", 3: "11:59:59"}, False),
        ({1: "11:00", 3: "12:00"}, True),
        ({1: "20:00", 3: "21:00"}, True),
        ({1: "20:00:01", 3: "21:00"}, False),
    ],
)
def test_gaps_in_the_period_make_an_incident_incomplete(
    world: World, monkeypatch: pytest.MonkeyPatch, counts: dict[int, str], touches: bool
) -> None:
    promise(world, monkeypatch, "20:00")
    world.trail.put(run_entry(1, "19:00", "19:10", cli_instance_id=LAPTOP))
    arrived(world.trail, LAPTOP, counts)
    arrived(world.trail, SERVER, {1: "19:00", 3: "19:10"})  # not seen there

    answer = incident(world)
    assert [gap["cli_instance_id"] for gap in answer["gaps"]] == [LAPTOP] * touches
    assert answer["complete"] is not touches


@pytest.mark.parametrize("until", ["20:00", "19:59:59", None])
def test_an_incident_is_complete_when_the_watermark_has_reached_it(
    world: World, monkeypatch: pytest.MonkeyPatch, until: str | None
) -> None:
    promise(world, monkeypatch, until)
    world.trail.put(run_entry(1, "19:00", None))
    assert incident(world)["complete"] is (until == "20:00")


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "field"),
    [
        ((), "at"),
        (("at=yesterday",), "at"),
        (("at=2026-03-24T20:00:00",), "at"),
        *(
            ((f"at={AT}", f"before={before}"), "before")
            for before in ("", "8", "h", "0m", "32d", "745h", "1w", "-8h", "1.5h", "99999999999d")
        ),
        ((f"at={AT}", "workspace="), "workspace"),
        ((f"at={AT}", "environment="), "environment"),
        ((f"at={AT}", "limit=0"), "limit"),
        ((f"at={AT}", "limit=1001"), "limit"),
        ((f"at={AT}", f"at={AT}"), "at"),
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(
    world: World, pairs: Sequence[str], field: str
) -> None:
    response = world.get(f"/v1/incidents?{'&'.join(pairs)}")
    assert problem(response, 400, "bad_value")["field"] == field


def test_an_unknown_parameter_is_refused(world: World) -> None:
    response = world.get(f"/v1/incidents?at={AT}&kind=action_run")
    assert problem(response, 400, "unknown_parameter")["field"] == "kind"


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z"])
def test_the_first_and_the_last_moment_can_be_asked_for(world: World, at: str) -> None:
    assert world.json(f"/v1/incidents?at={at}&before=31d")["before"] == []
