from tests.query.problems import problem
from tests.query.world import OTHER, World
from tests.timeline.trail import at_us


def seen(world: World) -> None:
    world.trail.observe(
        {
            "cli_instance_id": "cli-8f3891b2",
            "observed_at": at_us("10:00"),
            "is_sighting": True,
            "hostname": "laptop",
            "os": "linux",
            "arch": "amd64",
            "cli_version": "0.18.0",
            "actor": "alice",
        }
    )


def test_register_is_listed_and_read_by_id(world: World) -> None:
    seen(world)

    body = world.json("/v1/cli-instances?version=0.18.0")
    assert set(body) == {"items", "next_cursor", "watermark"}
    (item,) = body["items"]
    assert (item["id"], item["actors"]) == ("cli-8f3891b2", ["alice"])
    assert world.json("/v1/cli-instances/cli-8f3891b2") == item
    assert world.json("/v1/cli-instances/cli-8F3891B2") == item


def test_what_is_not_there_or_anothers_is_not_found(world: World) -> None:
    seen(world)

    problem(world.get("/v1/cli-instances/cli-00000000"), 404, "not_found")
    problem(world.get("/v1/cli-instances/nonsense"), 404, "not_found")
    problem(world.get("/v1/cli-instances/cli-8f3891b2", OTHER), 404, "not_found")
    assert world.json("/v1/cli-instances", OTHER)["items"] == []


def test_instances_below_a_version_are_listed(world: World) -> None:
    seen(world)

    assert len(world.json("/v1/cli-instances?version_below=0.18.1")["items"]) == 1
    assert world.json("/v1/cli-instances?version_below=0.18.0")["items"] == []
    refused = problem(world.get("/v1/cli-instances?version_below=latest"), 400, "bad_value")
    assert refused["field"] == "version_below"
    assert world.json("/v1/cli-instances?version_below=9", OTHER)["items"] == []
