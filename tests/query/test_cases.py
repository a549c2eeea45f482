from typing import Any

import pytest

from schemas.kinds import Kind
from tests.query.around import LAPTOP, SERVER, arrived, numbers, promise
from tests.query.problems import problem
from tests.query.world import NARROW, OTHER, READER, World
from tests.timeline.trail import at_us, id_of, link_row, run_entry, session_entry, sync_entry

LISTS = ("before", "during", "after")


def case(world: World, kind: str, number: int, key: str = READER) -> Any:
    return world.json(f"/v1/cases/{kind}/{id_of(number)}", key)


def around(world: World, kind: str, number: int, key: str = READER) -> list[list[int]]:
    """Numbers of the entries before, during and after."""
    found = case(world, kind, number, key)
    return [numbers(found[name]) for name in LISTS]


def linked(kind: str, **links: list[int]) -> list[dict[str, Any]]:
    return [
        link_row(rule, target, target_kind=kind, gap_ms=None if rule == "during" else 1)
        for rule, targets in links.items()
        for target in targets
    ]


# --- one record -----------------------------------------------------------------------------------


def test_a_record_with_nothing_around_it_is_still_a_case(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise(world, monkeypatch, None)
    world.trail.put(session_entry(1))

    assert case(world, "ssh_session", 1) == {
        "entry": world.json(f"/v1/records/ssh_session/{id_of(1)}"),
        "configuration": None,
        "before": [],
        "during": [],
        "after": [],
        "tool": {"version": None, "observed_at": None, "source": None},
        "machine": {"hostname": None, "source": None},
        "actor_work": [],
        "gaps": [],
        "omitted": dict.fromkeys((*LISTS, "actor_work", "gaps"), False),
        "complete": False,
        "watermark": {"complete_until": None},
    }


def test_an_id_in_several_workspaces_is_a_conflict_until_one_is_named(world: World) -> None:
    for workspace in ("acme", "other"):
        world.trail.put(session_entry(1), workspace=workspace)
    path = f"/v1/cases/ssh_session/{id_of(1)}"

    assert problem(world.get(path), 409, "conflict")["workspaces"] == ["acme", "other"]
    assert world.json(f"{path}?workspace=other")["entry"]["workspace"] == "other"
    assert world.json(path, NARROW)["entry"]["workspace"] == "acme"
    problem(world.get(f"{path}?workspace=none"), 404, "not_found")
    assert problem(world.get(f"{path}?at=1"), 400, "unknown_parameter")["field"] == "at"


@pytest.mark.parametrize("path", [f"ssh_session/{id_of(1)}", "cli_instance/1", "action_run/x"])
def test_what_is_not_there_is_not_found(world: World, path: str) -> None:
    world.other.put(session_entry(1))
    problem(world.get(f"/v1/cases/{path}"), 404, "not_found")


# --- before, during, after ------------------------------------------------------------------------


def test_neighbours_stand_before_during_or_after_up_to_an_hour_away(world: World) -> None:
    world.trail.put(
        session_entry(1, "10:00", "10:30"),
        run_entry(2, "08:00", "08:59:59"),  # just outside
        run_entry(3, "08:00", "09:00"),  # exactly an hour
        run_entry(4, "09:30", "10:00"),  # touches
        run_entry(5, "09:30", "10:00:01"),
        session_entry(6, "10:29:59", "10:40"),
        run_entry(7, "10:30", "10:40"),  # touches
        session_entry(8, "11:30", "11:40"),  # exactly an hour
        run_entry(9, "11:30:01", "11:40"),  # just outside
        run_entry(10, "07:00", "12:00"),
        sync_entry(11, "10:10"),
    )
    assert around(world, "ssh_session", 1) == [[3, 4], [10, 5, 6], [7, 8]]


def test_moments_touch_as_the_links_say(world: World) -> None:
    world.trail.put(
        run_entry(1, "10:00", "10:00"),
        session_entry(2, "09:50", "10:00"),
        session_entry(3, "10:00", "10:10"),
        session_entry(4, "10:00", "10:00"),
        session_entry(5, "09:50", "10:10"),
        session_entry(6, "10:00:01", "10:00:01"),
    )
    assert around(world, "action_run", 1) == [[2], [5, 3, 4], [6]]
    # Seen from [10:00, 10:10): its start is in, its end is not.
    assert around(world, "ssh_session", 3) == [[2], [5, 1, 4, 6], []]
    assert around(world, "ssh_session", 2) == [[], [5], [1, 3, 4, 6]]


def test_an_open_record_has_no_after_and_is_over_when_it_counts_as_lost(world: World) -> None:
    world.trail.put(
        session_entry(1, "2026-03-23T10:00:00Z", None),
        run_entry(2, "2026-03-24T09:59:59Z", "2026-03-24T12:00:00Z"),
        run_entry(3, "2026-03-24T10:00:00Z", "2026-03-24T12:00:00Z"),
    )
    assert around(world, "ssh_session", 1) == [[], [2], []]
    # An open neighbour neither ended before nor runs for ever.
    assert around(world, "action_run", 2) == [[], [1, 3], []]
    assert around(world, "action_run", 3) == [[], [2], []]


def test_a_sync_has_a_case_of_its_own(world: World) -> None:
    world.trail.put(
        sync_entry(1, "10:00", git_after_sha="abcdef0"),
        sync_entry(2, "09:59"),
        run_entry(3, "09:00", "09:30"),
        run_entry(4, "09:00", "10:30"),
        run_entry(5, "10:10", "10:30"),
    )
    assert around(world, "workspace_sync", 1) == [[3], [4], [5]]
    assert case(world, "workspace_sync", 1)["configuration"] is None


def test_each_neighbour_carries_the_records_own_link_to_it(world: World) -> None:
    links = linked("action_run", after=[2], during=[3], before=[4])
    world.trail.put(
        session_entry(1, "10:00", "10:30", links=links),
        run_entry(2, "09:00", "09:50"),
        run_entry(3, "10:10", "10:20"),
        run_entry(4, "10:40", "10:50"),
        session_entry(5, "10:10", "10:20"),
    )
    found = case(world, "ssh_session", 1)

    (before,), (during, unlinked), (after,) = (found[name] for name in LISTS)
    own = {link["target"]["id"]: link for link in found["entry"]["links"]}
    for neighbour, rule in ((before, "after"), (during, "during"), (after, "before")):
        link = own[neighbour["id"]]
        assert link["rule"] == rule
        assert neighbour.pop("link") == {n: link[n] for n in link if n != "target"}
        path = f"/v1/records/action_run/{neighbour['id']}"
        assert neighbour == world.json(path)
    assert "gap_ms" in own[id_of(2)]
    assert "gap_ms" not in own[id_of(3)]
    assert (unlinked["id"], unlinked["link"]) == (id_of(5), None)


def test_the_nearest_are_kept_and_whoever_is_linked_before_them(world: World) -> None:
    world.trail.put(
        session_entry(1, "10:00", "10:30", links=linked("action_run", during=[2])),
        run_entry(2, "09:00", "10:20"),
        *(run_entry(n, f"10:00:{n % 60:02}", "10:10") for n in range(100, 203)),
    )
    found = case(world, "ssh_session", 1)

    assert len(found["during"]) == 100
    assert numbers(found["during"])[0] == 2
    times = [entry["occurred_at"] for entry in found["during"]]
    assert times == sorted(times)
    assert times[-1] == "2026-03-24T10:00:57.000000Z"
    assert found["omitted"] == {
        "before": False,
        "during": True,
        "after": False,
        "actor_work": True,
        "gaps": False,
    }


def test_whom_a_link_names_is_shown_however_long_it_ran(world: World) -> None:
    world.trail.put(
        run_entry(1, links=linked("ssh_session", during=[2, 3])),
        session_entry(2, "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        session_entry(3, "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
    )
    found = case(world, "action_run", 1)
    assert numbers(found["during"]) == [2, 3]
    assert all(entry["link"] for entry in found["during"])


def test_the_newest_revision_of_a_neighbour_counts(world: World) -> None:
    world.trail.put(session_entry(1, "10:00", "10:30"), run_entry(2, "09:00", None))
    assert around(world, "ssh_session", 1) == [[], [2], []]

    world.trail.put(run_entry(2, "09:00", "09:10", revision=2))
    assert around(world, "ssh_session", 1) == [[2], [], []]

    world.trail.put(run_entry(3, "08:00", None), run_entry(3, "08:00", "08:10", revision=2))
    world.trail.put(run_entry(3, "08:00", None))
    assert around(world, "ssh_session", 1) == [[2], [], []]


def test_other_workspaces_and_organizations_are_not_around(world: World) -> None:
    world.trail.put(session_entry(1), run_entry(2))
    world.trail.put(run_entry(3), workspace="acme-b")
    world.other.put(session_entry(1), run_entry(4))

    assert around(world, "ssh_session", 1) == [[], [2], []]
    assert around(world, "ssh_session", 1, OTHER) == [[], [4], []]


# --- the actor's work -----------------------------------------------------------------------------


def test_the_actors_other_work_is_shown_from_everywhere(world: World) -> None:
    world.trail.put(
        session_entry(1, "10:00", "10:30"),
        run_entry(2, "10:10", "10:20", actor="bob"),
        sync_entry(3, "09:00"),  # exactly an hour
        sync_entry(4, "08:59:59"),
    )
    world.trail.put(
        run_entry(5, "11:30", "12:00"),  # exactly an hour
        run_entry(6, "11:30:01", "12:00"),
        session_entry(7, "2026-03-23T12:00:00Z", None),  # not lost yet
        session_entry(8, "2026-03-23T08:59:59Z", None),  # lost
        session_entry(1, "10:00", "10:30"),
        workspace="other",
    )
    world.other.put(run_entry(9))

    path = f"/v1/cases/ssh_session/{id_of(1)}?workspace=acme"
    assert numbers(world.json(path)["actor_work"]) == [7, 3, 1, 5]
    assert numbers(world.json(path, NARROW)["actor_work"]) == [3]


# --- configuration --------------------------------------------------------------------------------


def test_configuration_names_the_sync_and_who_brought_it(world: World) -> None:
    configured = {
        "sync_id": id_of(2),
        "commit": "abcdef0",
        "branch": "main",
        "confidence": "likely",
        "behind": True,
        "explanation": "last successful sync",
    }
    world.trail.put(
        run_entry(1, "10:00", configured_by=configured),
        sync_entry(2, "09:00", actor="carol", git_after_sha="abcdef0", git_branch="main"),
        run_entry(3, "10:00", configured_by={**configured, "sync_id": id_of(4)}),
    )
    sync = world.json(f"/v1/records/workspace_sync/{id_of(2)}")
    assert case(world, "action_run", 1)["configuration"] == {
        **configured,
        "sync": sync,
        "brought_by": "carol",
        "synced_at": "2026-03-24T09:00:00.000000Z",
    }
    # A sync that cannot be shown takes nothing from what the entry says of it.
    unknown = case(world, "action_run", 3)["configuration"]
    assert unknown == {
        **configured,
        "sync_id": id_of(4),
        "sync": None,
        "brought_by": None,
        "synced_at": None,
    }


# --- the tool -------------------------------------------------------------------------------------


def test_the_records_own_version_comes_first_then_the_registers(world: World) -> None:
    world.trail.put(
        run_entry(1, cli_instance_id=LAPTOP, cli_version="0.18.0"),
        run_entry(2, cli_instance_id=LAPTOP),
        run_entry(3, cli_instance_id=SERVER),
    )
    sightings: list[Any] = [
        {
            "cli_instance_id": LAPTOP,
            "observed_at": at_us(clock),
            "is_sighting": True,
            "actor": "alice",
            "cli_version": version,
        }
        for clock, version in (("09:00", "0.16.0"), ("09:30", "0.17.0"), ("10:01", "0.19.0"))
    ]
    world.trail.observe(*sightings)
    tools = [case(world, "action_run", number)["tool"] for number in (1, 2, 3)]
    assert tools == [
        {"version": "0.18.0", "observed_at": "2026-03-24T10:00:00.000000Z", "source": "record"},
        {
            "version": "0.17.0",
            "observed_at": "2026-03-24T09:30:00.000000Z",
            "source": "cli_instance",
        },
        {"version": None, "observed_at": None, "source": None},
    ]


def test_the_machine_is_the_records_own_or_the_one_the_instance_was_on_by_then(
    world: World,
) -> None:
    world.trail.put(
        run_entry(1, cli_instance_id=LAPTOP, hostname="desk-1"),
        run_entry(2, cli_instance_id=LAPTOP),
        run_entry(3, cli_instance_id=SERVER),
    )
    sightings: list[Any] = [
        {
            "cli_instance_id": LAPTOP,
            "observed_at": at_us(clock),
            "is_sighting": True,
            "actor": "alice",
            "hostname": hostname,
        }
        for clock, hostname in (("09:00", "old"), ("09:30", "laptop"), ("10:01", "new"))
    ]
    world.trail.observe(*sightings)
    machines = [case(world, "action_run", number)["machine"] for number in (1, 2, 3)]
    assert machines == [
        {"hostname": "desk-1", "source": "record"},
        {"hostname": "laptop", "source": "cli_instance"},
        {"hostname": None, "source": None},
    ]


# --- gaps and completeness ------------------------------------------------------------------------


def test_gaps_of_every_instance_seen_there_are_shown(world: World) -> None:
    world.trail.put(
        session_entry(1, "10:00", "10:30", cli_instance_id=LAPTOP),
        run_entry(2, "09:10", "09:20", cli_instance_id=SERVER),
        run_entry(3, "12:10", "12:20", cli_instance_id="cli-33333333"),
    )
    arrived(world.trail, LAPTOP, {7: "08:00", 8: "10:00", 12: "10:30", 13: "10:40"})
    arrived(world.trail, LAPTOP, {8: "10:00", 13: "10:40"})
    arrived(world.trail, SERVER, {1: "08:00", 3: "09:00"})
    arrived(world.trail, "cli-33333333", {1: "10:00", 3: "10:20"})
    arrived(world.other, LAPTOP, {1: "10:00", 3: "10:20"})

    found = case(world, "ssh_session", 1)
    assert found["gaps"] == [
        {
            "cli_instance_id": SERVER,
            "first_missing": 2,
            "last_missing": 2,
            "missing": 1,
            "from": "2026-03-24T08:00:00.000000Z",
            "to": "2026-03-24T09:00:00.000000Z",
        },
        {
            "cli_instance_id": LAPTOP,
            "first_missing": 9,
            "last_missing": 11,
            "missing": 3,
            "from": "2026-03-24T10:00:00.000000Z",
            "to": "2026-03-24T10:30:00.000000Z",
        },
    ]


@pytest.mark.parametrize(
    ("counts", "touches"),
    [
        ({1: "08:00", 3: "08:59:59"}, False),
        ({1: "08:00", 3: "09:00"}, True),
        ({1: "11:30", 3: "12:00"}, True),
        ({1: "11:30:01", 3: "12:00"}, False),
        ({1: "08:00", 3: "12:00"}, True),
        ({1: "12:00", 3: "08:00"}, True),  # a clock that was put back
        ({1: "10:00", 2: "10:10"}, False),
        ({5: "10:00"}, False),
        ({0: "10:00", 2**63 - 1: "10:10"}, True),
    ],
)
def test_a_gap_counts_when_it_touches_the_hour_around_the_record(
    world: World, monkeypatch: pytest.MonkeyPatch, counts: dict[int, str], touches: bool
) -> None:
    promise(world, monkeypatch, "11:30")
    world.trail.put(session_entry(1, "10:00", "10:30", cli_instance_id=LAPTOP))
    arrived(world.trail, LAPTOP, counts)

    found = case(world, "ssh_session", 1)
    assert bool(found["gaps"]) is touches
    assert found["complete"] is not touches
    assert all(gap["missing"] == max(counts) - min(counts) - 1 for gap in found["gaps"])


@pytest.mark.parametrize("until", ["11:30", "11:29:59", None])
def test_a_case_is_complete_an_hour_after_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch, until: str | None
) -> None:
    promise(world, monkeypatch, until)
    world.trail.put(session_entry(1, "10:00", "10:30"), sync_entry(2, "10:30"))

    assert case(world, "ssh_session", 1)["complete"] is (until == "11:30")
    assert case(world, "workspace_sync", 2)["complete"] is (until == "11:30")


def test_a_case_of_an_open_record_is_never_complete(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise(world, monkeypatch, "2027-01-01T00:00:00Z")
    world.trail.put(session_entry(1, end=None))
    found = case(world, "ssh_session", 1)
    assert found["complete"] is False
    assert found["watermark"] == {"complete_until": "2027-01-01T00:00:00.000000Z"}


@pytest.mark.parametrize("kind", Kind)
def test_the_first_and_the_last_moment_have_cases(world: World, kind: Kind) -> None:
    build = {"action_run": run_entry, "ssh_session": session_entry}.get(kind.value)
    for number, time in ((1, "1970-01-01T00:00:00Z"), (2, "2199-12-31T23:59:59.999999Z")):
        entry = build(number, time, time) if build else sync_entry(number, time)
        world.trail.put(entry)
        assert case(world, kind.value, number)["before"] == []
