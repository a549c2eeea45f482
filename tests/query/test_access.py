import pytest

from schemas.position import write_position
from tests.query.problems import problem
from tests.query.world import ANALYST, AWAY, POSITION_SECRET, SENDER, World
from tests.timeline.trail import id_of

PATHS = [
    "/v1/timeline",
    "/v1/action-runs",
    "/v1/ssh-sessions",
    "/v1/workspace-syncs",
    f"/v1/records/action_run/{id_of(1)}",
    "/v1/cli-instances",
    "/v1/cli-instances/cli-8f3891b2",
    f"/v1/positions/{write_position(POSITION_SECRET, 'x', {0: 1})}",
]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_read_without_a_good_key_that_may_read(world: World, path: str) -> None:
    for key in (None, "unknown"):
        refused = world.get(path, key)
        problem(refused, 401, "unauthenticated")
        assert refused.headers["www-authenticate"] == "Bearer"
    problem(world.get(path, SENDER), 403, "forbidden")
    assert world.get(path, ANALYST).status_code in (200, 404)


@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_parameter_is_named_on_every_path(world: World, path: str) -> None:
    assert problem(world.get(f"{path}?colour=red"), 400, "unknown_parameter")["field"] == "colour"


def test_the_key_comes_before_the_parameters(world: World) -> None:
    problem(world.get("/v1/timeline?colour=red", None), 401, "unauthenticated")


def test_a_control_database_that_is_away_is_not_a_bad_key(world: World) -> None:
    refused = world.get("/v1/timeline", AWAY)
    problem(refused, 503, "unavailable")
    assert int(refused.headers["retry-after"]) > 0


def test_unknown_paths_and_methods_are_problems(world: World) -> None:
    problem(world.get("/v1/nothing"), 404, "not_found")
    problem(world.send("POST", "/v1/timeline"), 405, "method_not_allowed")
