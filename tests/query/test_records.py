import pytest

from tests.query.problems import problem
from tests.query.world import NARROW, OTHER, World
from tests.timeline.trail import id_of, run_entry, session_entry


def test_one_record_is_the_entry_itself(world: World) -> None:
    world.trail.put(run_entry(1))

    entry = world.json(f"/v1/records/action_run/{id_of(1)}")
    assert entry == world.json("/v1/timeline")["items"][0]
    assert world.json(f"/v1/records/action_run/{id_of(1).upper()}") == entry


def test_an_id_in_several_workspaces_is_a_conflict_until_one_is_named(world: World) -> None:
    for workspace in ("acme-b", "acme-a", "other"):
        world.trail.put(session_entry(1), workspace=workspace)
    path = f"/v1/records/ssh_session/{id_of(1)}"

    body = problem(world.get(path), 409, "conflict")
    assert body["workspaces"] == ["acme-a", "acme-b", "other"]
    assert problem(world.get(path, NARROW), 409, "conflict")["workspaces"] == ["acme-a", "acme-b"]
    assert world.json(f"{path}?workspace=other")["workspace"] == "other"
    problem(world.get(f"{path}?workspace=other", NARROW), 404, "not_found")
    problem(world.get(f"{path}?workspace=none"), 404, "not_found")
    assert problem(world.get(f"{path}?workspace="), 400, "bad_value")["field"] == "workspace"
    twice = world.get(f"{path}?workspace=a&workspace=b")
    assert problem(twice, 400, "bad_value")["field"] == "workspace"


@pytest.mark.parametrize(
    "path",
    [
        f"action_run/{id_of(2)}",
        f"ssh_session/{id_of(1)}",
        f"cli_instance/{id_of(1)}",
        "action_run/nonsense",
        "action_run/00000000-0000-0000-0000-000000000000",
    ],
)
def test_what_is_not_there_is_not_found(world: World, path: str) -> None:
    world.trail.put(run_entry(1))
    problem(world.get(f"/v1/records/{path}"), 404, "not_found")


def test_another_organizations_record_is_answered_like_none(world: World) -> None:
    world.trail.put(run_entry(1))
    theirs = world.get(f"/v1/records/action_run/{id_of(1)}", OTHER)
    none = world.get(f"/v1/records/action_run/{id_of(2)}", OTHER)
    assert (theirs.status_code, theirs.content) == (none.status_code, none.content)
