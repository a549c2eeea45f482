import threading
import time

import pytest

from schemas.position import write_position
from tests.query.problems import problem
from tests.query.world import OTHER, POSITION_SECRET, World
from tests.timeline.trail import run
from timeline.writer import EntryWriter


def path(world: World, offsets: dict[int, int]) -> str:
    return f"/v1/positions/{write_position(POSITION_SECRET, world.trail.organization, offsets)}"


def advance(world: World, offset: int, partition: int | None = None) -> None:
    reached = {world.partition if partition is None else partition: (offset, 1)}
    run(EntryWriter(world.trail.store).advance_watermark(reached))


def test_a_position_is_visible_once_every_partition_reached_it(world: World) -> None:
    second = world.partition + 1
    asked = path(world, {world.partition: 5, second: 9})

    assert world.json(asked) == {"visible": False}
    advance(world, 5)
    advance(world, 8, second)
    time.sleep(0.06)
    assert world.json(asked) == {"visible": False}
    advance(world, 9, second)
    time.sleep(0.06)
    assert world.json(asked) == {"visible": True}


def test_waiting_ends_as_soon_as_it_is_visible(world: World) -> None:
    late = threading.Timer(0.3, advance, (world, 5))
    late.start()
    started_s = time.monotonic()

    assert world.json(path(world, {world.partition: 5}) + "?wait_s=20") == {"visible": True}
    assert 0.25 < time.monotonic() - started_s < 5
    late.join()


def test_waiting_ends_when_its_time_is_over(world: World) -> None:
    started_s = time.monotonic()

    asked = path(world, {world.partition: 5}) + "?wait_s=0.3"
    assert world.json(asked) == {"visible": False}
    assert 0.3 <= time.monotonic() - started_s < 5


@pytest.mark.parametrize("wait_s", ["0", "0.0", "0.012345678901234567"])
def test_a_wait_has_as_many_digits_as_programs_write(world: World, wait_s: str) -> None:
    asked = path(world, {world.partition: 5}) + f"?wait_s={wait_s}"

    assert world.json(asked) == {"visible": False}


@pytest.mark.parametrize("wait_s", ["-1", "31", "30.1", "1e1", "", "soon", "٣", "nan"])
def test_a_wait_that_is_none_is_named(world: World, wait_s: str) -> None:
    refused = world.get(path(world, {0: 1}) + f"?wait_s={wait_s}")
    assert problem(refused, 400, "bad_value")["field"] == "wait_s"


def test_unknown_positions_and_those_of_others_are_not_found(world: World) -> None:
    for position in ("x", "A" * 60, "%C3%BC"):
        problem(world.get(f"/v1/positions/{position}"), 404, "not_found")
    problem(world.get(path(world, {0: 1}), OTHER), 404, "not_found")
