"""GET /v1/access-log over HTTP: who may read it, and that reading it is on record too."""

import csv
import io
import uuid
from typing import Any

import pytest

from tests.query.problems import problem
from tests.query.world import (
    ADMIN,
    ANALYST,
    NARROW_ADMIN,
    OPERATOR,
    OTHER_ADMIN,
    READER,
    SENDER,
    World,
)
from timeline.access_writer import AccessWriter

PATH = "/v1/access-log"


def drain(world: World) -> None:
    """What the log holds, brought into the table."""
    events, world.access_log.events = world.access_log.events, []
    writer = AccessWriter(world.services.store)
    world.run(writer.insert(events, token=uuid.uuid4().hex))


def operations(world: World, query: str = "", key: str = ADMIN) -> list[str]:
    return [item["operation"] for item in world.json(f"{PATH}?{query}", key)["items"]]


def test_an_administrator_sees_what_the_organization_did_and_no_one_elses(world: World) -> None:
    world.json("/v1/timeline", READER)
    world.json("/v1/cli-instances", OTHER_ADMIN)
    drain(world)

    assert operations(world) == ["GET /v1/timeline"]
    assert operations(world, key=OTHER_ADMIN) == ["GET /v1/cli-instances"]


def test_the_answer_has_items_and_a_cursor(world: World) -> None:
    for _ in range(3):
        world.json("/v1/timeline", READER)
    drain(world)

    first = world.json(f"{PATH}?limit=2", ADMIN)
    second = world.json(f"{PATH}?limit=2&cursor={first['next_cursor']}", ADMIN)

    assert set(first) == {"items", "next_cursor"}
    assert [len(page["items"]) for page in (first, second)] == [2, 1]
    assert second["next_cursor"] is None
    assert len({item["id"] for page in (first, second) for item in page["items"]}) == 3


def test_reading_the_access_log_is_one_access_and_no_more(world: World) -> None:
    for _ in range(3):
        assert world.get(PATH, ADMIN).status_code == 200
        drain(world)

    items = world.json(PATH, ADMIN)["items"]

    assert [(item["operation"], item["rows"]) for item in items] == [
        (f"GET {PATH}", 2),
        (f"GET {PATH}", 1),
        (f"GET {PATH}", 0),
    ]


@pytest.mark.parametrize("key", [READER, ANALYST, SENDER, OPERATOR, NARROW_ADMIN])
def test_no_other_key_reads_it(world: World, key: str) -> None:
    problem(world.get(PATH, key), 403, "forbidden")


@pytest.mark.parametrize("key", [READER, ADMIN, SENDER])
def test_what_is_of_the_installation_is_for_its_operators(world: World, key: str) -> None:
    problem(world.get(f"{PATH}?installation=true", key), 403, "forbidden")
    assert world.get(f"{PATH}?installation=true", OPERATOR).status_code == 200


def test_failed_authentications_are_the_installations(world: World) -> None:
    world.get("/v1/timeline", "unknown")
    world.run(world.services.failed_authentications.tell())
    drain(world)

    items: list[dict[str, Any]] = world.json(
        f"{PATH}?installation=true&action=authentication_failed", OPERATOR
    )["items"]

    assert items
    assert {item["organization"] for item in items} == {None}
    assert operations(world, "action=authentication_failed") == []


def test_the_log_comes_as_a_file(world: World) -> None:
    world.json("/v1/timeline?limit=7", READER)
    drain(world)

    answer = world.get(f"{PATH}?format=csv", ADMIN)

    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["actor"], row["operation"]) == ("alice", "GET /v1/timeline")
    assert row["target"] == '{"query":{"limit":["7"]}}'
    assert "Opstrail-Complete-Until" not in answer.headers


def test_a_wrong_parameter_is_named(world: World) -> None:
    assert problem(world.get(f"{PATH}?colour=red", ADMIN), 400, "unknown_parameter")["field"]
