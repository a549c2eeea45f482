from typing import Any

import pytest

from schemas.entry import link_id
from schemas.records import own_columns
from tests.timeline.trail import LOST_AFTER_US, at_us, id_of
from timeline import ddl
from timeline.entry_json import entry_json

COMMON = [
    *("kind", "id", "organization", "workspace", "environment", "occurred_at", "ended_at"),
    *("duration_ms", "status", "actor", "actor_kind", "key_id", "user", "os_user", "hostname"),
    *("cli_instance_id", "cli_version", "reason", "ticket"),
]
RUN = [
    *("block", "block_from", "block_name", "block_version", "action", "exit_code"),
    *("commit_sha", "retriggered_from"),
]
TAIL = [
    *("configured_by", "links", "links_omitted", "unexplained", "flags", "received_at"),
    "revision",
]
EMPTY = {"String": "", "LowCardinality(String)": "", "Bool": False, "UInt64": 1}


def row(kind: str = "action_run", **columns: Any) -> dict[str, Any]:
    """A row as it is read, of which nothing is known but what is given."""
    bare = {
        column.name: [] if column.type.startswith("Array") else EMPTY.get(column.type)
        for column in ddl.ENTRIES.columns
    }
    times = {"occurred_at": at_us("10:12:03"), "received_at": at_us("10:30")}
    named = {"kind": kind, "id": id_of(1), "organization": "acme", "workspace": "infra"}
    return {**bare, **times, **named, "status": "ended", **columns}


def shown(columns: dict[str, Any], *, now: str = "12:00", environment: str = "") -> dict[str, Any]:
    return entry_json(
        columns,
        environment=environment,
        now_us=at_us(now),
        lost_after_us=LOST_AFTER_US,
    )


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("action_run", RUN),
        ("ssh_session", ["host", "exit_code"]),
        ("workspace_sync", ["result", "git", "encryption"]),
    ],
)
def test_an_entry_has_exactly_the_fields_of_the_contract_in_order(
    kind: str, own: list[str]
) -> None:
    assert list(shown(row(kind))) == [*COMMON, *own, *TAIL]


def test_what_is_not_known_is_null() -> None:
    entry = shown(row("workspace_sync"))

    stated = {"kind", "id", "organization", "workspace", "occurred_at", "received_at", "status"}
    stated |= {"links", "links_omitted", "flags", "revision"}
    assert {name for name, value in entry.items() if value is not None} == stated


def test_times_are_utc_with_six_digits() -> None:
    entry = shown(row(ended_at=at_us("10:27:45") + 1))
    assert entry["occurred_at"] == "2026-03-24T10:12:03.000000Z"
    assert entry["ended_at"] == "2026-03-24T10:27:45.000001Z"
    assert entry["received_at"] == "2026-03-24T10:30:00.000000Z"


def test_objects_are_put_together_from_their_columns() -> None:
    assert shown(row("ssh_session", host_hostname_reported="db-3"))["host"] == {
        "inventory_name": None,
        "ansible_host": None,
        "hostname_reported": "db-3",
    }
    sync = shown(row("workspace_sync", git_branch="main", encryption_enabled=False))
    assert sync["git"] == {"branch": "main", "before_sha": None, "after_sha": None}
    assert sync["encryption"] == {"enabled": False, "key_id": None, "status": None}


def test_zero_and_false_are_known() -> None:
    entry = shown(row(exit_code=0, unexplained=False, duration_ms=0))
    assert (entry["exit_code"], entry["unexplained"], entry["duration_ms"]) == (0, False, 0)


def test_fields_of_other_kinds_do_not_show() -> None:
    everything = {name: "x" for name, own in own_columns().items() if own.type == "string"}
    assert set(shown(row("ssh_session", **everything))) == {*COMMON, "host", "exit_code", *TAIL}


def test_open_record_reads_as_lost_when_its_time_is_over() -> None:
    open_row = row(is_open=True, status="running", occurred_at=at_us("10:00"))
    assert shown(open_row, now="2026-03-25T09:59:59.999999Z")["status"] == "running"
    assert shown(open_row, now="2026-03-25T10:00:00Z")["status"] == "lost"
    assert shown({**open_row, "is_open": False}, now="2026-04-25T10:00:00Z")["status"] == "running"


def test_links_carry_their_ids_and_a_gap_where_there_is_one() -> None:
    entry = shown(
        row(
            "ssh_session",
            link_rule=["during", "after"],
            link_target_kind=["action_run", "action_run"],
            link_target_id=[id_of(7), id_of(8)],
            link_confidence=["exact", "likely"],
            link_gap_ms=[None, 0],
            link_explanation=["one", "two"],
        )
    )

    source = ("ssh_session", id_of(1))
    ids = [
        link_id("acme", "infra", rule, source, ("action_run", id_of(number)))
        for rule, number in (("during", 7), ("after", 8))
    ]
    assert entry["links"] == [
        {
            "id": ids[0],
            "rule": "during",
            "target": {"kind": "action_run", "id": id_of(7)},
            "confidence": "exact",
            "explanation": "one",
        },
        {
            "id": ids[1],
            "rule": "after",
            "target": {"kind": "action_run", "id": id_of(8)},
            "confidence": "likely",
            "gap_ms": 0,
            "explanation": "two",
        },
    ]


def test_configured_by_stands_on_its_own() -> None:
    entry = shown(
        row(
            configured_by_sync_id=id_of(3),
            configured_by_commit="a42b9e1",
            configured_by_confidence="exact",
            configured_by_behind=True,
            configured_by_explanation="why",
        )
    )
    source, target = ("action_run", id_of(1)), ("workspace_sync", id_of(3))
    assert entry["configured_by"] == {
        "id": link_id("acme", "infra", "configured_by", source, target),
        "sync_id": id_of(3),
        "commit": "a42b9e1",
        "branch": None,
        "confidence": "exact",
        "behind": True,
        "explanation": "why",
    }


def test_environment_comes_from_outside_the_row() -> None:
    assert shown(row(), environment="production")["environment"] == "production"
    assert shown(row())["environment"] is None


def test_a_kind_of_a_newer_version_shows_what_all_kinds_have() -> None:
    assert list(shown(row("new_kind"))) == [*COMMON, *TAIL]
