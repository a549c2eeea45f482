import random
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.timeline.trail import (
    DAY,
    LOST_AFTER_US,
    NOW_US,
    Trail,
    at_us,
    id_of,
    link_row,
    number_of,
    run,
    run_entry,
    session_entry,
    sync_entry,
)
from timeline.cursor import Cursor, read_cursor
from timeline.entry_row import EntryColumns
from timeline.environment_query import WorkspaceRow, mirror_workspaces
from timeline.filters import Filters, parse_filters
from timeline.moment import Moment
from timeline.scope import Scope
from timeline.timeline_query import places_statement, read_page, read_places
from timeline.windows import Window

HOUR_US = 3_600 * 1_000_000


def story(trail: Trail) -> None:
    """One record a line, so that each filter has something to find and something to leave."""
    trail.put(
        run_entry(1, "08:00", "08:10", exit_code=0, commit_sha="a42b9e1", ticket="CHG-1"),
        run_entry(
            2,
            "09:00",
            "09:01",
            status="failed",
            exit_code=2,
            actor="bob",
            block="db",
            block_name="reg/nginx",
            block_version="0.3.1",
            action="restart",
            flags=["late", "actor_mismatch"],
        ),
        run_entry(3, "10:00", None, cli_instance_id="cli-8f3891b2", hostname="laptop"),
        session_entry(4, "10:12:03", "10:27:45", unexplained=False, user="al", os_user="root"),
        session_entry(
            5,
            "11:00",
            "11:00",
            unexplained=True,
            exit_code=255,
            status="failed",
            host_inventory_name="",
            host_ansible_host="10.0.0.5",
            host_hostname_reported="db-3",
        ),
        sync_entry(6, "08:02", git_after_sha="a42b9e1fffffff", git_branch="main"),
    )
    trail.put(
        run_entry(
            7,
            "21:17",
            "21:20",
            configured_by={
                "sync_id": id_of(6),
                "commit": "c0ffee1234",
                "branch": "",
                "confidence": "likely",
                "behind": True,
                "explanation": "",
            },
        ),
        workspace="acme-prod",
    )
    label = WorkspaceRow(
        organization=trail.organization,
        name="acme-prod",
        environment="production",
        registered_at=1,
        version=1,
    )
    run(mirror_workspaces(trail.store, [label], token=uuid.uuid4().hex))


ALL = [1, 6, 2, 3, 4, 5, 7]

FILTERED = [
    ("", ALL),
    ("from=2026-03-24T10:00:00Z", [3, 4, 5, 7]),
    ("from=2026-03-24T10:00:00.000001Z", [4, 5, 7]),
    ("from=2026-03-24T11:00:00 01:00", [3, 4, 5, 7]),
    ("to=2026-03-24T10:00:00Z", [1, 6, 2]),
    ("to=2026-03-24T10:00:00.000001Z", [1, 6, 2, 3]),
    ("from=2026-03-24T09:00:00Z&to=2026-03-24T09:00:00Z", []),
    ("kind=ssh_session", [4, 5]),
    ("kind=ssh_session&kind=workspace_sync", [6, 4, 5]),
    ("workspace=acme-prod", [7]),
    ("workspace=acme-prod&workspace=acme", ALL),
    ("environment=production", [7]),
    ("environment=staging", []),
    ("environment=staging&environment=production&kind=action_run", [7]),
    ("actor=bob", [2]),
    ("actor=bob&actor=alice", ALL),
    ("actor=bob&kind=ssh_session", []),
    ("user=al", [4]),
    ("os_user=root", [4]),
    ("cli_instance_id=cli-8F3891B2", [3]),
    ("hostname=laptop", [3]),
    ("host=server01", [4]),
    ("host=10.0.0.5", [5]),
    ("host=db-3", [5]),
    ("host=db-3&host=server01", [4, 5]),
    ("block=db", [2]),
    ("block_name=reg/nginx", [2]),
    ("block_version=0.3.1", [2]),
    ("action=restart", [2]),
    ("status=failed", [2, 5]),
    ("status=failed&status=ended", [2, 4, 5]),
    ("status=lost", [3]),
    ("status=running", []),
    ("exit_code=2", [2]),
    ("exit_code=0&exit_code=255", [1, 5]),
    ("commit=a42b", [1, 6]),
    ("commit=A42B9E1", [1, 6]),
    ("commit=a42b9e1fff", [1, 6]),
    ("commit=a42b9e1eee", [1]),
    ("commit=c0ffee1234aaaa", [7]),
    ("commit=dead&commit=c0ff", [7]),
    ("ticket=CHG-1", [1]),
    ("unexplained=true", [5]),
    ("unexplained=false", [4]),
    ("flag=late", [2]),
    ("flag=late&flag=start_changed", [2]),
    ("flag=start_changed", []),
    ("active_at=2026-03-24T08:00:00Z", [1]),
    ("active_at=2026-03-24T08:09:59.999999Z", [1]),
    ("active_at=2026-03-24T08:10:00Z", []),
    ("active_at=2026-03-24T08:02:00Z", [1, 6]),
    ("active_at=2026-03-24T11:00:00Z", [3, 5]),
    ("active_at=2026-03-24T11:00:00.000001Z", [3]),
    ("active_at=2026-03-25T09:59:59.999999Z", [3]),
    ("active_at=2026-03-25T10:00:00Z", []),
    ("active_from=2026-03-24T08:10:00Z&active_to=2026-03-24T09:00:00Z", []),
    ("active_from=2026-03-24T08:09:59Z&active_to=2026-03-24T09:00:00.000001Z", [1, 2]),
    ("active_from=2026-03-24T11:00:00Z&active_to=2026-03-24T11:00:01Z", [3, 5]),
    ("active_from=2026-03-24T10:59:00Z&active_to=2026-03-24T11:00:00Z", [3]),
    ("active_from=2026-03-24T08:02:00Z&active_to=2026-03-24T08:02:00Z", [1, 6]),
]


def test_each_filter_finds_exactly_what_it_names(trail: Trail) -> None:
    story(trail)

    for query, expected in FILTERED:
        pairs = [tuple(part.split("=", 1)) for part in query.split("&") if part]
        asked = [("order", "asc"), *((name, value) for name, value in pairs)]
        assert trail.found(*asked) == expected, query


def test_order_turns_time_kind_and_id_round(trail: Trail) -> None:
    trail.put(session_entry(1), run_entry(3), run_entry(2), sync_entry(4), run_entry(9, "09:59"))

    assert trail.found(("order", "asc")) == [9, 2, 3, 1, 4]
    assert trail.found() == [4, 1, 3, 2, 9]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 7])
def test_pages_show_each_entry_once_whatever_ties(trail: Trail, order: str, limit: int) -> None:
    # Ties in time, in kind and even in id: the same id may live in two workspaces.
    for workspace in ("a", "b"):
        trail.put(*[run_entry(n, "10:00") for n in range(5)], workspace=workspace)
    trail.put(*[session_entry(n, "10:00") for n in range(5)], run_entry(9, "2020-01-01T00:00:00Z"))

    whole = trail.page(("order", order)).rows
    paged = list(pages(trail, ("order", order), ("limit", str(limit))))

    assert len(whole) == 16
    assert paged == whole


def test_cursor_stays_stable_while_entries_are_added_and_revised(trail: Trail) -> None:
    trail.put(*[run_entry(n, f"10:{n:02}") for n in range(20)])
    first = trail.page(("limit", "10"))
    assert first.next_cursor is not None

    # New ones on both sides of the cursor, and new revisions of what was shown and what was not.
    trail.put(run_entry(100, "10:15:30"), run_entry(101, "10:05:30"))
    trail.put(*[run_entry(n, f"10:{n:02}", revision=2, actor="bob") for n in (3, 9, 10, 15)])
    second = trail.page(("limit", "20"), ("cursor", first.next_cursor))

    assert [number_of(row) for row in first.rows] == list(range(19, 9, -1))
    assert [number_of(row) for row in second.rows] == [9, 8, 7, 6, 101, 5, 4, 3, 2, 1, 0]


def test_random_growth_between_pages_never_repeats_or_skips(trail: Trail) -> None:
    chance = random.Random(7)
    times = [f"2026-0{chance.randint(1, 9)}-01T00:00:0{chance.randint(0, 5)}Z" for _ in range(60)]
    trail.put(*[run_entry(n, times[n], times[n]) for n in range(40)])
    seen: list[int] = []
    cursor: tuple[tuple[str, str], ...] = ()
    added = 40
    while True:
        page = trail.page(("limit", "7"), ("actor", "alice"), *cursor)
        seen += map(number_of, page.rows)
        if page.next_cursor is None:
            break
        cursor = (("cursor", page.next_cursor),)
        for number in (added, chance.randrange(40)):
            if number < 60:
                row = run_entry(number, times[number], times[number], revision=added)
                trail.put(row)
        added += 1

    assert len(seen) == len(set(seen))
    assert set(range(40)) <= set(seen)


def test_cursor_brings_its_order_along(trail: Trail) -> None:
    trail.put(*[run_entry(n, f"10:{n:02}") for n in range(4)])
    page = trail.page(("order", "asc"), ("limit", "2"))
    assert page.next_cursor is not None

    assert trail.found(("cursor", page.next_cursor)) == [2, 3]


def test_highest_revision_decides_what_is_shown_and_whether_it_is_found(trail: Trail) -> None:
    trail.put(run_entry(1, end=None, revision=5, links=[link_row()]))
    trail.put(run_entry(1, revision=6, actor="bob"))
    trail.put(run_entry(1, revision=4, actor="carol"))

    assert trail.found(("actor", "bob")) == [1]
    assert trail.found(("actor", "alice")) == []
    assert trail.found(("actor", "carol")) == []
    (row,) = trail.page().rows
    assert (row["status"], row["link_rule"], row["revision"]) == ("successful", [], 6)


def test_entries_that_fit_no_more_leave_no_hole_in_a_page(trail: Trail) -> None:
    def system(what: str) -> None:
        trail.store.write_now(lambda connection: connection.command(f"SYSTEM {what} entries"))

    # A merge would bring the revisions together before they are read.
    system("STOP MERGES")
    try:
        trail.put(*[run_entry(n, f"10:{n:02}") for n in range(10)])
        trail.put(*[run_entry(n, f"10:{n:02}", actor="bob", revision=2) for n in range(4, 10)])

        assert trail.found(("actor", "alice"), ("limit", "3")) == [3, 2, 1]
    finally:
        system("START MERGES")


def test_open_record_is_lost_exactly_when_its_time_is_over(trail: Trail) -> None:
    trail.put(run_entry(1, "10:00", None))
    due_us = at_us("10:00") + 24 * HOUR_US

    assert trail.found(("status", "running"), now_us=due_us - 1) == [1]
    assert trail.found(("status", "lost"), now_us=due_us - 1) == []
    assert trail.found(("status", "lost"), now_us=due_us) == [1]


def test_other_organizations_do_not_exist(trail: Trail) -> None:
    other = Trail(trail.store)
    trail.put(run_entry(1))
    other.put(run_entry(2))

    assert trail.found() == [1]
    assert other.found() == [2]
    assert replace(trail, organization="nobody").found() == []


def test_narrowed_scope_shows_its_workspaces_only(trail: Trail) -> None:
    for number, workspace in enumerate(("acme", "acme-prod", "other")):
        trail.put(run_entry(number), workspace=workspace)

    for patterns, expected in ((["acme"], {0}), (["acme*"], {0, 1}), (["other", "acme-*"], {1, 2})):
        page = trail.page(scope=Scope(trail.organization, patterns))
        assert {number_of(row) for row in page.rows} == expected


def test_values_never_become_part_of_the_statement(trail: Trail) -> None:
    nasty = ["' OR 1=1 --", "\\", "\\'", "a'b\\\\", "{actor_in:String}", "%s", "`", "ü☃𝄞", "a\\tb"]
    trail.put(*[run_entry(n, actor=value, revision=n) for n, value in enumerate(nasty)])

    for number, value in enumerate(nasty):
        assert trail.found(("actor", value)) == [number], value


def test_times_from_1970_to_2199_are_found_by_each_bound(trail: Trail) -> None:
    years = [1970, 2026, 2105, 2106, 2107, 2150, 2199]
    trail.put(*[run_entry(y, f"{y}-06-30T23:59:59Z", f"{y}-06-30T23:59:59Z") for y in years])

    assert trail.found(("order", "asc"), now_us=NOW_US) == years
    assert trail.found() == years[::-1]
    assert list(map(number_of, pages(trail, ("limit", "1")))) == years[::-1]
    for year in years:
        bounds = (("from", f"{year}-01-01T00:00:00Z"), ("to", f"{year}-12-31T00:00:00Z"))
        assert trail.found(*bounds) == [year]
        assert trail.found(("active_at", f"{year}-06-30T23:59:59Z")) == [year]
    assert trail.found(("from", "2100-01-01T00:00:00Z")) == years[:1:-1]


def pages(trail: Trail, *pairs: tuple[str, str]) -> Iterator[EntryColumns]:
    """The rows of all pages, one after the other."""
    cursor: tuple[tuple[str, str], ...] = ()
    while True:
        page = trail.page(*pairs, *cursor)
        yield from page.rows
        if page.next_cursor is None:
            return
        cursor = (("cursor", page.next_cursor),)


@pytest.mark.parametrize(
    ("pairs", "index"),
    [
        ([("host", "db-3")], "by_host"),
        ([("actor", "bob")], "by_actor"),
        ([("cli_instance_id", "cli-8f3891b2")], "by_cli_instance_id"),
        ([("ticket", "CHG-1")], "by_ticket"),
        ([("commit", "a42b9e1")], "by_commit"),
        ([("flag", "late")], "by_flag"),
        ([("active_at", f"{DAY}T10:20:00Z")], "by_end"),
    ],
)
def test_a_search_skips_by_its_index(
    trail: Trail, pairs: list[tuple[str, str]], index: str
) -> None:
    story(trail)
    moment = Moment(now_us=NOW_US, lost_after_us=LOST_AFTER_US)
    statement = places_statement(
        Scope(trail.organization),
        parse_filters(pairs),
        moment,
        Window(at_us("00:00"), at_us("23:00")),
        after=None,
        limit=10,
    )

    plan = trail.store.read_now(
        lambda connection: connection.rows(
            replace(statement, sql=f"EXPLAIN indexes = 1 {statement.sql}")
        )
    )

    assert any(f"Name: {index}" in line for (line,) in plan) or any(
        line.strip() == index for (line,) in plan
    )


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_big_page_reads_the_same_as_many_small_ones(trail: Trail, order: str) -> None:
    # Ties in time at every border, revisions that no longer fit, and a second workspace.
    entries = [run_entry(n, f"10:{n // 180:02}:{n // 3 % 60:02}") for n in range(1_500)]
    trail.put(*entries[::2], workspace="a")
    trail.put(*entries[1::2], workspace="b")
    trail.put(*[{**row, "revision": 2, "action": "check"} for row in entries[::10]], workspace="a")
    filters = (("order", order), ("action", "deploy"))

    small = list(pages(trail, *filters, ("limit", "100")))
    moment = Moment(now_us=NOW_US, lost_after_us=LOST_AFTER_US)
    whole = replace(parse_filters(filters), limit=1_200)
    first = run(read_page(trail.store, Scope(trail.organization), whole, moment))
    assert first.next_cursor is not None
    cursor, _ = read_cursor(first.next_cursor)
    rest = run(
        read_page(trail.store, Scope(trail.organization), replace(whole, cursor=cursor), moment)
    )

    assert len(small) == 1_350
    assert [*first.rows, *rest.rows] == small


def test_who_shares_start_and_id_with_one_that_is_wanted_is_not_shown(trail: Trail) -> None:
    trail.put(run_entry(1), run_entry(2), session_entry(1))
    trail.put(run_entry(1), run_entry(2), workspace="beta")
    start_us, moment = at_us("10:00"), Moment(now_us=NOW_US, lost_after_us=LOST_AFTER_US)
    wanted = [
        Cursor(start_us, "action_run", id_of(1), "acme"),
        Cursor(start_us, "action_run", id_of(2), "beta"),
    ]

    def read(*places: Cursor) -> list[Cursor]:
        rows = trail.store.read_now(
            lambda connection: list(
                read_places(connection, Scope(trail.organization), Filters(), moment, places)
            )
        )
        return [Cursor(*(row[name] for name in Cursor._fields)) for row in rows]

    assert read(*wanted) == wanted
    assert read(*wanted[::-1]) == wanted[::-1]
    assert read(wanted[0]) == wanted[:1]
