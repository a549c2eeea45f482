import random
from typing import Any

import pytest

from runtime.errors import RefusedError
from schemas.entry import ObservationRow
from schemas.times import format_us
from tests.timeline.trail import Trail, at_us, run
from timeline.instance_query import (
    INSTANCE_FILTERS,
    InstancePage,
    parse_instance_filters,
    read_instance,
    read_instances,
)
from timeline.scope import Scope


def seen(clock: str, instance: str = "cli-00000001", **more: Any) -> ObservationRow:
    row: Any = {
        "cli_instance_id": instance,
        "observed_at": at_us(clock),
        "is_sighting": True,
        "actor": "alice",
        **more,
    }
    observation: ObservationRow = row
    return observation


def instance(trail: Trail, id_: str = "cli-00000001") -> Any:
    return run(read_instance(trail.store, Scope(trail.organization), id_))


def page(trail: Trail, *pairs: tuple[str, str]) -> InstancePage:
    return run(
        read_instances(trail.store, Scope(trail.organization), parse_instance_filters(pairs))
    )


def ids(trail: Trail, *pairs: tuple[str, str]) -> list[str]:
    return [item["id"] for item in page(trail, *pairs).items]


HISTORY = [
    seen("08:00", cli_version="0.17.0", hostname="old", os="linux", arch="amd64"),
    seen("09:00"),
    seen("10:00", cli_version="0.18.0", hostname="new", actor="bob"),
    seen("10:30", cli_version="0.18.0"),
    seen("11:00", cli_version="0.17.0", actor="carol"),
    seen("12:00"),
    seen("07:00", is_sighting=False, actor="alice"),
    # Only moves first_seen back, so it does not move last_seen on.
    seen("13:00", is_sighting=False, actor="alice"),
]


def day(clock: str) -> str:
    return format_us(at_us(clock))


REGISTERED = {
    "id": "cli-00000001",
    "cli_version": "0.17.0",
    "os": "linux",
    "arch": "amd64",
    "hostname": "new",
    "first_seen": day("07:00"),
    "last_seen": day("12:00"),
    "actors": ["alice", "bob", "carol"],
    "versions": [
        {"version": "0.17.0", "first_seen": day("08:00"), "last_seen": day("11:00")},
        {"version": "0.18.0", "first_seen": day("10:00"), "last_seen": day("10:30")},
    ],
}


def test_register_says_what_the_latest_observation_states(trail: Trail) -> None:
    trail.observe(*HISTORY)

    assert instance(trail) == REGISTERED
    assert page(trail).items == [REGISTERED]


def test_order_repetition_and_cut_do_not_change_the_register(trail: Trail) -> None:
    chance = random.Random(3)
    for _ in range(4):
        shuffled = [*HISTORY, *HISTORY]
        chance.shuffle(shuffled)
        cut = chance.randrange(len(shuffled))
        trail.observe(*shuffled[:cut])
        trail.observe(*shuffled[cut:])

    assert instance(trail) == REGISTERED


def test_at_equal_times_the_higher_value_wins(trail: Trail) -> None:
    trail.observe(seen("10:00", cli_version="0.9.0", hostname="b"))
    trail.observe(seen("10:00", cli_version="0.8.0", hostname="c"))

    found = instance(trail)
    assert (found["cli_version"], found["hostname"]) == ("0.9.0", "c")


def test_naming_an_instance_is_enough_to_register_it(trail: Trail) -> None:
    trail.observe(seen("10:00"))

    found = instance(trail)
    assert found["first_seen"] == found["last_seen"] == day("10:00")
    assert (found["cli_version"], found["hostname"], found["versions"]) == (None, None, [])


def test_filters_find_what_they_name(trail: Trail) -> None:
    one, two, three = (f"cli-0000000{n}" for n in (1, 2, 3))
    trail.observe(
        seen("08:00", one, cli_version="1", os="linux"),
        seen("09:00", one, cli_version="2", actor="bob"),
        seen("10:00", two, cli_version="1", os="darwin"),
        seen("08:30", three),
    )

    for pairs, expected in [
        ([], [one, two, three]),
        ([("version", "1")], [two]),
        ([("version", "1"), ("version", "2")], [one, two]),
        ([("os", "linux")], [one]),
        ([("actor", "bob")], [one]),
        ([("actor", "alice"), ("os", "darwin")], [two]),
        ([("seen_before", day("09:00"))], [three]),
        ([("seen_after", day("09:00"))], [one, two]),
        ([("first_seen_after", day("08:30"))], [two, three]),
        ([("first_seen_after", "2026-03-24T08:30:00.000001Z")], [two]),
    ]:
        assert ids(trail, *pairs) == expected, pairs


def number(n: int) -> str:
    return f"cli-{n:08}"


def test_instances_below_a_version_are_found_by_the_order_of_versions(trail: Trail) -> None:
    versions = ["0.9.0", "v0.18.0-rc1", "0.18.0", "0.18", "0.100.0", "devel", "polycrate 0.17.9"]
    trail.observe(
        *[seen("10:00", number(n), cli_version=version) for n, version in enumerate(versions)],
        seen("10:00", number(7)),
    )

    for bound, expected in [
        ("0.18.0", [0, 1, 6]),
        ("v0.18", [0, 1, 6]),
        ("0.18.0-rc1", [0, 6]),
        ("0.18.1", [0, 1, 2, 3, 6]),
        ("1", [0, 1, 2, 3, 4, 6]),
        ("0.9", []),
    ]:
        assert ids(trail, ("version_below", bound)) == [number(n) for n in expected], bound
    both = [("version_below", "0.18.0"), ("version", "0.9.0"), ("version", "0.18.0")]
    assert ids(trail, *both) == [number(0)]


def test_below_is_about_the_version_last_seen(trail: Trail) -> None:
    trail.observe(seen("10:00", number(1), cli_version="0.17.0"))
    trail.observe(seen("10:00", number(2), cli_version="0.18.0"))
    trail.observe(seen("11:00", number(1), cli_version="0.18.0"), seen("12:00", number(1)))
    trail.observe(seen("11:00", number(2), cli_version="0.17.0"))

    assert ids(trail, ("version_below", "0.18.0")) == [number(2)]


def walk(trail: Trail, *pairs: tuple[str, str]) -> list[list[str]]:
    """The ids of each page."""
    pages: list[list[str]] = []
    cursor: list[tuple[str, str]] = []
    while True:
        part = page(trail, *pairs, *cursor)
        pages.append([item["id"] for item in part.items])
        if part.next_cursor is None:
            return pages
        cursor = [("cursor", part.next_cursor)]


@pytest.mark.parametrize("size", [8, 200])
def test_thousands_of_versions_are_compared_and_paged_exactly(trail: Trail, size: int) -> None:
    # Of 200 characters each they fill several parameters.
    build = "+" + "x" * (size - 8) if size > 8 else ""
    versions = [f"0.{n * 7 % 3000}.0{build}" for n in range(3000)]
    trail.observe(
        *[seen("10:00", number(n), cli_version=version) for n, version in enumerate(versions)],
        # So that the versions are not found in the order of those who have them.
        *[seen("09:00", number(n), cli_version=versions[-n]) for n in range(3000)],
    )
    expected = [number(n) for n in range(3000) if n * 7 % 3000 < 2500]

    pages = walk(trail, ("version_below", "0.2500"), ("limit", "1000"))
    assert [len(part) for part in pages] == [1000, 1000, 500]
    assert [id_ for part in pages for id_ in part] == expected


def test_a_bound_that_is_no_version_or_not_the_only_one_is_refused() -> None:
    for pairs in (
        [("version_below", "latest")],
        [("version_below", "1.0"), ("version_below", "2.0")],
    ):
        with pytest.raises(RefusedError) as caught:
            parse_instance_filters(pairs)
        assert (caught.value.code, caught.value.field) == ("bad_value", "version_below")


def test_register_is_read_in_pages(trail: Trail) -> None:
    names = [f"cli-{n:08}" for n in range(7)]
    trail.observe(*[seen("10:00", name) for name in names])

    collected: list[str] = []
    cursor: list[tuple[str, str]] = []
    while True:
        part = page(trail, ("limit", "3"), *cursor)
        collected += [item["id"] for item in part.items]
        if part.next_cursor is None:
            break
        cursor = [("cursor", part.next_cursor)]
    assert collected == names


def test_other_organizations_instances_do_not_exist(trail: Trail) -> None:
    Trail(trail.store).observe(seen("10:00"))

    assert instance(trail) is None
    assert ids(trail) == []


@pytest.mark.parametrize("name", INSTANCE_FILTERS)
def test_a_bad_value_is_refused_by_its_name(name: str) -> None:
    for pairs in ([(name, "")], [(name, "\x00")]):
        with pytest.raises(RefusedError) as caught:
            parse_instance_filters(pairs)
        assert caught.value.field == name
