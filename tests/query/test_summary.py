import random
import uuid
from datetime import timedelta
from typing import Any

import pytest

from schemas.times import format_us, parse_us, to_datetime
from tests.query.problems import problem
from tests.query.world import NARROW, OTHER, World
from tests.timeline.trail import LOST_AFTER_US, NOW_US, run, run_entry, session_entry, sync_entry
from timeline.environment_query import WorkspaceRow, mirror_workspaces
from timeline.summary_query import GROUP_KEYS

PATH = "/v1/action-runs/summary"


def label(world: World, workspace: str, environment: str | None, version: int = 1) -> None:
    row = WorkspaceRow(
        organization=world.trail.organization,
        name=workspace,
        environment=environment,
        registered_at=1,
        version=version,
    )
    run(mirror_workspaces(world.trail.store, [row], token=uuid.uuid4().hex))


def groups(world: World, query: str = "", key: str = "reader") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.json(f"{PATH}?{query}", key)["groups"]
    return found


def counted(world: World, query: str) -> list[tuple[Any, ...]]:
    """The keys of each group and its number of runs."""
    return [
        (*(group[name] for name in group if name in GROUP_KEYS), group["runs"])
        for group in groups(world, query)
    ]


def failed(number: int, start: str = "10:00", end: str = "10:05", **more: Any) -> Any:
    return run_entry(number, start, end, status="failed", **more)


def test_without_keys_all_runs_are_one_group(world: World) -> None:
    world.trail.put(
        run_entry(1, "10:00", "10:00:01"),
        run_entry(2, "10:00", "10:00:02"),
        failed(3, "10:00", "10:00:06"),
        run_entry(4, "10:00", "10:00:03", status="aborted"),
        run_entry(5, "10:00", None),
        run_entry(6, "2026-03-29T12:00:00Z", None),
        session_entry(7),
        sync_entry(8),
    )

    body = world.json(PATH)

    assert set(body) == {"groups", "watermark"}
    assert body["groups"] == [
        {
            "runs": 6,
            "successful": 2,
            "failed": 1,
            "aborted": 1,
            "running": 1,
            "lost": 1,
            "failure_share": 0.25,
            "duration_ms": {"mean": 3_000.0, "p50": 3_000, "p95": 6_000},
        }
    ]


def test_where_nothing_finished_shares_and_durations_are_null(world: World) -> None:
    nothing = {"failure_share": None, "duration_ms": {"mean": None, "p50": None, "p95": None}}
    assert groups(world)[0]["runs"] == 0
    assert groups(world)[0].items() >= nothing.items()
    assert groups(world, "group_by=workspace") == []

    world.trail.put(run_entry(1, "10:00", None))
    assert groups(world, "group_by=workspace")[0].items() >= nothing.items()


def test_an_open_run_is_lost_from_exactly_that_age_on(world: World) -> None:
    start_us = NOW_US - LOST_AFTER_US
    for number, at_us in enumerate((start_us - 1, start_us, start_us + 1)):
        world.trail.put(run_entry(number, format_us(at_us), None))

    assert counted(world, "group_by=status") == [("lost", 2), ("running", 1)]
    group = groups(world)[0]
    assert (group["running"], group["lost"]) == (1, 2)
    assert groups(world, "status=lost")[0]["runs"] == 2


def test_only_the_newest_revision_counts(world: World) -> None:
    world.trail.put(run_entry(1, "10:00", None, revision=1, block="db"))
    world.trail.put(failed(1, revision=3))
    world.trail.put(run_entry(1, "10:00", "10:09", revision=2, hostname="old"))

    assert counted(world, "group_by=status,block,hostname") == [("failed", "web", None, 1)]
    assert groups(world, "hostname=old")[0]["runs"] == 0
    assert groups(world, "status=failed")[0]["duration_ms"]["mean"] == 300_000


def test_times_are_grouped_in_utc_at_their_very_edges(world: World) -> None:
    # 2026-03-01 is a Sunday.
    starts = (
        "2026-02-28T23:59:59.999999Z",
        "2026-03-01T00:00:00Z",
        "2026-03-01T23:59:59.999999Z",
        "2026-03-02T00:00:00Z",
        "2026-03-02T00:59:59.999999Z",
        "2026-03-02T01:00:00Z",
    )
    for number, start in enumerate(starts):
        world.trail.put(run_entry(number, start, None))

    assert counted(world, "group_by=month") == [("2026-02", 1), ("2026-03", 5)]
    assert counted(world, "group_by=week") == [("2026-02-23", 3), ("2026-03-02", 3)]
    assert counted(world, "group_by=day") == [
        ("2026-02-28", 1),
        ("2026-03-01", 2),
        ("2026-03-02", 3),
    ]
    assert counted(world, "group_by=hour") == [
        ("2026-02-28T23:00:00.000000Z", 1),
        ("2026-03-01T00:00:00.000000Z", 1),
        ("2026-03-01T23:00:00.000000Z", 1),
        ("2026-03-02T00:00:00.000000Z", 2),
        ("2026-03-02T01:00:00.000000Z", 1),
    ]


def test_times_are_grouped_from_the_first_to_the_last_year(world: World) -> None:
    starts = ("1970-01-01T00:30:00Z", "2150-07-04T12:34:56Z", "2199-12-31T23:59:59.999999Z")
    for number, start in enumerate(starts):
        world.trail.put(run_entry(number, start, None))

    assert counted(world, "group_by=month,week,day,hour") == [
        ("1970-01", "1969-12-29", "1970-01-01", "1970-01-01T00:00:00.000000Z", 1),
        ("2150-07", "2150-06-29", "2150-07-04", "2150-07-04T12:00:00.000000Z", 1),
        ("2199-12", "2199-12-30", "2199-12-31", "2199-12-31T23:00:00.000000Z", 1),
    ]


def test_keys_come_as_asked_and_groups_are_sorted_by_them_unknown_last(world: World) -> None:
    world.trail.put(
        run_entry(1, block_name="b", block_version="2"),
        run_entry(2, block_name="", block_version=""),
        run_entry(3, block_name="b", block_version=""),
        run_entry(4, block_name="a", block_version="1"),
        run_entry(5, block_name="b", block_version="10"),
    )

    expected = [("a", "1", 1), ("b", "10", 1), ("b", "2", 1), ("b", None, 1), (None, None, 1)]
    for query in (
        "group_by=block_name,block_version",
        "group_by=block_name&group_by=block_version",
    ):
        assert counted(world, query) == expected
    assert list(groups(world, "group_by=block_version,block_name")[0])[:3] == [
        "block_version",
        "block_name",
        "runs",
    ]


def test_environment_is_what_the_label_says_now(world: World) -> None:
    for number, workspace in enumerate(("shop", "blog", "production")):
        world.trail.put(run_entry(number), workspace=workspace)
    label(world, "shop", "production")
    label(world, "blog", "staging")
    label(world, "blog", "production", version=2)

    assert counted(world, "group_by=environment") == [("production", 2), (None, 1)]
    assert counted(world, "group_by=workspace,environment&environment=production") == [
        ("blog", "production", 1),
        ("shop", "production", 1),
    ]
    label(world, "blog", None, version=3)
    assert counted(world, "group_by=environment") == [("production", 1), (None, 2)]


def test_the_filters_of_the_lists_apply(world: World) -> None:
    world.trail.put(
        run_entry(1, "09:59:59"),
        failed(2, "10:00", actor="bob", commit_sha="a42b9e1", exit_code=2, flags=["late"]),
        run_entry(3, "10:30", "10:40", block_version="1.4.3", ticket="CHG-1"),
        run_entry(4, "11:00", "11:05"),
    )

    day = "2026-03-24T"
    for query, runs in (
        (f"from={day}10:00:00Z&to={day}11:00:00Z", 2),
        (f"from={day}10:00:00Z&to={day}10:00:00Z", 0),
        ("actor=bob", 1),
        ("actor=bob&actor=alice", 4),
        ("commit=a42b9e1f", 1),
        ("exit_code=2", 1),
        ("flag=late", 1),
        ("block_version=1.4.3&ticket=CHG-1", 1),
        (f"active_at={day}10:35:00Z", 1),
        ("workspace=elsewhere", 0),
        ("status=failed&status=aborted", 1),
    ):
        assert (query, groups(world, query)[0]["runs"]) == (query, runs)


def test_only_the_keys_organization_and_workspaces_are_counted(world: World) -> None:
    world.trail.put(run_entry(1), workspace="acme-infra")
    world.trail.put(run_entry(2), workspace="secret")
    world.other.put(failed(3), workspace="acme-infra")

    assert counted(world, "group_by=workspace") == [("acme-infra", 1), ("secret", 1)]
    assert [group["workspace"] for group in groups(world, "group_by=workspace", NARROW)] == [
        "acme-infra"
    ]
    assert [group["failed"] for group in groups(world, "group_by=workspace", OTHER)] == [1]


@pytest.mark.parametrize(
    ("query", "field", "slug"),
    [
        ("group_by=colour", "group_by", "bad_value"),
        ("group_by=", "group_by", "bad_value"),
        ("group_by=day,", "group_by", "bad_value"),
        ("group_by=day&group_by=block,day", "group_by", "bad_value"),
        (
            "group_by=day,block,action,actor,status,hostname,workspace",
            "group_by",
            "bad_value",
        ),
        ("kind=action_run", "kind", "unknown_parameter"),
        ("limit=5", "limit", "unknown_parameter"),
        ("order=asc", "order", "unknown_parameter"),
        ("from=yesterday", "from", "bad_value"),
    ],
)
def test_a_bad_parameter_is_named(world: World, query: str, field: str, slug: str) -> None:
    assert problem(world.get(f"{PATH}?{query}"), 400, slug)["field"] == field


def test_more_groups_than_anybody_reads_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"max_rows_to_group_by": 3, "group_by_overflow_mode": "any"}
    monkeypatch.setattr("timeline.summary_query.GROUPS_MAX", 3)
    monkeypatch.setattr("timeline.summary_query._LIMITS", limits)
    world.trail.put(*[run_entry(number, hostname=f"h{number}") for number in range(3)])
    assert len(groups(world, "group_by=hostname")) == 3

    world.trail.put(run_entry(3, hostname="h3"))
    refused = problem(world.get(f"{PATH}?group_by=hostname"), 400, "bad_value")
    assert refused["field"] == "group_by"
    assert len(groups(world, "group_by=workspace")) == 1


# What the statement says, once more in Python, over random runs with revisions.


def expected(rows: list[dict[str, Any]], keys: list[str]) -> list[dict[str, Any]]:
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(tuple(key_of(row, name) for name in keys), []).append(row)
    in_order = sorted(grouped, key=lambda key: [(value is None, value or "") for value in key])
    return [{**dict(zip(keys, key, strict=True)), **measures(grouped[key])} for key in in_order]


def key_of(row: dict[str, Any], name: str) -> str | None:
    at = to_datetime(row["occurred_at"])
    match name:
        case "status":
            return status_of(row)
        case "hour":
            return format_us(row["occurred_at"] // 3_600_000_000 * 3_600_000_000)
        case "day":
            return at.date().isoformat()
        case "week":
            return (at.date() - timedelta(days=at.weekday())).isoformat()
        case "month":
            return f"{at:%Y-%m}"
        case _:
            return row[name] or None


def status_of(row: dict[str, Any]) -> str:
    is_lost = row["is_open"] and row["occurred_at"] <= NOW_US - LOST_AFTER_US
    return "lost" if is_lost else str(row["status"])


def measures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    statuses = [status_of(row) for row in rows]
    counts = {
        name: statuses.count(name)
        for name in ("successful", "failed", "aborted", "running", "lost")
    }
    durations = sorted(row["duration_ms"] for row in rows if not row["is_open"])
    count = len(durations)
    return {
        "runs": len(rows),
        **counts,
        "failure_share": counts["failed"] / count if count else None,
        "duration_ms": {
            "mean": pytest.approx(sum(durations) / count) if count else None,
            "p50": durations[int(0.5 * count)] if count else None,
            "p95": durations[int(0.95 * count)] if count else None,
        },
    }


def random_runs(chance: random.Random, workspace: str, count: int, offset: int) -> list[Any]:
    start_us, end_us = parse_us("2026-01-28T00:00:00Z"), NOW_US
    runs = []
    for number in range(offset, offset + count):
        start = chance.randrange(start_us, end_us)
        end = None if chance.random() < 0.1 else start + chance.randrange(90_000_000)
        closed = chance.choice(("successful", "successful", "failed", "aborted"))
        runs.append(
            run_entry(
                number,
                format_us(start),
                None if end is None else format_us(end),
                status="running" if end is None else closed,
                block=chance.choice("abc"),
                block_name=chance.choice(("x", "y", "")),
                block_version=chance.choice(("1.0", "1.10", "")),
                action=chance.choice(("deploy", "restart")),
                actor=chance.choice(("alice", "bob")),
                hostname=chance.choice(("ci", "")),
                workspace=workspace,
                environment={"one": "production", "two": "staging"}.get(workspace, ""),
                revision=chance.randrange(1, 9),
            )
        )
    return runs


@pytest.mark.parametrize("seed", [1, 2])
def test_groups_are_what_counting_by_hand_gives(world: World, seed: int) -> None:
    chance = random.Random(seed)
    label(world, "one", "production")
    label(world, "two", "staging")
    newest = []
    for place, workspace in enumerate(("one", "two", "three")):
        runs = random_runs(chance, workspace, 80, 1_000 * place)
        older = [
            {**row, "revision": 0, "block": "old", "status": "failed"}
            for row in chance.sample(runs, 30)
        ]
        for part in (runs[:50], older, runs[50:]):
            world.trail.put(*map(columns_of, part), workspace=workspace)
        newest += runs

    for keys in (
        ["workspace"],
        ["environment", "status"],
        ["month", "week"],
        ["day"],
        ["hour", "hostname"],
        ["block", "block_name", "block_version", "action", "actor"],
        ["hostname", "environment", "month"],
    ):
        assert groups(world, f"group_by={','.join(keys)}") == expected(newest, keys)


def columns_of(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in row if name not in ("workspace", "environment")}
