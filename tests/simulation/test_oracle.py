"""Examples worked by hand from the contract, so that the oracle itself can be trusted."""

import uuid
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation.histories import (
    disputed_histories,
    histories,
    mixed_history,
    shuffled,
    undisputed_histories,
)
from tests.simulation.oracle import Delivery, Judged, instant_of, text_of, timeline

DAY = "2026-03-24"
COMMIT = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
OTHER_COMMIT = "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff"
# What may depend on the order of arrival even when nothing is disputed.
OF_ARRIVAL = {"received_at", "key_id"}
FLAGS_OF_ARRIVAL = {"late", "clock_ahead"}


# --- A small language for examples ----------------------------------------------------------------


def at(clock: str) -> str:
    """10:12 or 10:12:03.5 of the day as sent."""
    return f"{DAY}T{clock if clock.count(':') == 2 else clock + ':00'}Z"


def stored(clock: str) -> str | None:
    return text_of(instant_of(at(clock)))


def number_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def run(
    number: int = 1, start: str = "10:00", end: str | None = "10:10", **fields: Any
) -> dict[str, Any]:
    return {
        "type": "action_run",
        "id": number_id(number),
        "workspace": "shop",
        "block": "nginx",
        "action": "deploy",
        "started_at": at(start),
        "finished_at": end and at(end),
        **fields,
    }


def session(
    number: int = 1, start: str = "10:00", end: str | None = "10:10", **fields: Any
) -> dict[str, Any]:
    return {
        "type": "ssh_session",
        "id": number_id(number),
        "workspace": "shop",
        "host": {"inventory_name": "db-3"},
        "started_at": at(start),
        "ended_at": end and at(end),
        **fields,
    }


def sync(
    number: int = 1, timestamp: str = "09:00", after: str | None = COMMIT, **fields: Any
) -> dict[str, Any]:
    return {
        "type": "workspace_sync",
        "id": number_id(number),
        "workspace": "shop",
        "timestamp": at(timestamp),
        "result": "success",
        "git": {"branch": "main", "after_sha": after},
        **fields,
    }


def sent(event: dict[str, Any], *, received: str | None = None, **sender: Any) -> Delivery:
    """Received a second after its last own time unless said otherwise."""
    names = ("finished_at", "ended_at", "timestamp", "started_at", "last_seen")
    own = next((event[name] for name in names if event.get(name)), at("10:00"))
    received_at = instant_of(at(received)) if received else instant_of(own) + timedelta(seconds=1)
    return Delivery(event=event, received_at=received_at, **sender)


def judge(*log: dict[str, Any] | Delivery, lost_after_hours: int = 24) -> Judged:
    deliveries = [one if isinstance(one, Delivery) else sent(one) for one in log]
    return timeline(deliveries, lost_after_hours=lost_after_hours)


def only(*log: dict[str, Any] | Delivery) -> dict[str, Any]:
    """The one entry of a log about one record."""
    (entry,) = judge(*log).entries.values()
    return entry


def run_in(judged: Judged, number: int = 1) -> dict[str, Any]:
    return judged.entries["shop", "action_run", number_id(number)]


def session_in(judged: Judged, number: int = 1) -> dict[str, Any]:
    return judged.entries["shop", "ssh_session", number_id(number)]


def linked(entry: dict[str, Any], rule: str) -> list[int]:
    """The numbers of the records that `rule` links to, in their order."""
    ids = [link["target"]["id"] for link in entry["links"] if link["rule"] == rule]
    return [int(one[:8], 16) for one in ids]


def rules(entry: dict[str, Any]) -> list[str]:
    return [link["rule"] for link in entry["links"]]


# --- One snapshot ---------------------------------------------------------------------------------


def test_a_closed_run_becomes_an_entry_with_every_key_of_the_contract() -> None:
    event = run(
        id=number_id(0xABC).upper(),
        started_at="2026-03-24T11:12:03.1234567+01:00",
        finished_at="2026-03-24T10:12:04z",
        block_from="cargo.ayedo.cloud/ayedo/infra/nginx:0.3.1",
        exit_code=0,
        user="bob",
        client_seq=4,
    )

    assert only(sent(event, key_id="key-9")) == {
        "kind": "action_run",
        "id": number_id(0xABC),
        "organization": "default",
        "workspace": "shop",
        "occurred_at": "2026-03-24T10:12:03.123456Z",
        "ended_at": "2026-03-24T10:12:04.000000Z",
        "duration_ms": 876,
        "status": "successful",
        "actor": "admin",
        "actor_kind": "service",
        "key_id": "key-9",
        "user": "bob",
        "os_user": None,
        "hostname": None,
        "cli_instance_id": None,
        "cli_version": None,
        "reason": None,
        "ticket": None,
        "block": "nginx",
        "block_from": "cargo.ayedo.cloud/ayedo/infra/nginx:0.3.1",
        "block_name": "cargo.ayedo.cloud/ayedo/infra/nginx",
        "block_version": "0.3.1",
        "action": "deploy",
        "exit_code": 0,
        "commit_sha": None,
        "retriggered_from": None,
        "configured_by": None,
        "links": [],
        "links_omitted": False,
        "unexplained": None,
        "flags": [],
        "received_at": "2026-03-24T10:12:05.000000Z",
    }


def test_a_session_and_a_sync_carry_their_objects_whole() -> None:
    entry = only(session(exit_code=0))
    assert entry["host"] == {
        "inventory_name": "db-3",
        "ansible_host": None,
        "hostname_reported": None,
    }
    assert (entry["configured_by"], entry["unexplained"]) == (None, True)

    entry = only(sync(encryption={"enabled": False}))
    assert entry["git"] == {"branch": "main", "before_sha": None, "after_sha": COMMIT}
    assert entry["encryption"] == {"enabled": False, "key_id": None, "status": None}
    assert (entry["ended_at"], entry["duration_ms"], entry["unexplained"]) == (None, None, None)
    assert "exit_code" not in entry


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (run(end=None), "running"),
        (run(end=None, status="pending", exit_code=3), "running"),
        (run(exit_code=0), "successful"),
        (run(exit_code=7), "failed"),
        (run(), "aborted"),
        (run(exit_code=0, status="failure"), "failed"),
        (run(status="canceled"), "aborted"),
        (run(status="success", exit_code=None), "successful"),
        (session(end=None), "running"),
        (session(end=None, exit_code=255), "running"),
        (session(), "ended"),
        (session(exit_code=1), "ended"),
        (session(exit_code=255), "failed"),
        (sync(), "successful"),
        (sync(result="failed"), "failed"),
        (sync(result="conflict"), "failed"),
    ],
)
def test_status_is_the_stated_one_or_follows_from_end_and_exit_code(
    event: dict[str, Any], status: str
) -> None:
    entry = only(event)

    assert entry["status"] == status
    if status == "running":
        assert (entry["exit_code"], entry["ended_at"], entry["duration_ms"]) == (None, None, None)


@pytest.mark.parametrize(
    ("reference", "stated_version", "name", "version", "is_floating"),
    [
        ("reg.io/infra/nginx:0.3.1", None, "reg.io/infra/nginx", "0.3.1", False),
        ("reg.io/infra/nginx:0.3.1", "9.9", "reg.io/infra/nginx", "0.3.1", False),
        ("reg.io:5000/nginx", None, "reg.io:5000/nginx", None, True),
        ("reg.io:5000/nginx", "1.2", "reg.io:5000/nginx", "1.2", False),
        ("reg.io/nginx:", "1.2", "reg.io/nginx", "1.2", False),
        ("reg.io:5000/nginx:LaTest", None, "reg.io:5000/nginx", "LaTest", True),
        ("reg.io/nginx:latest", "1.2", "reg.io/nginx", "latest", True),
        ("nginx", "Latest", "nginx", "Latest", True),
        ("reg.io/nginx:latest@sha256:0f", "1.2", "reg.io/nginx", "sha256:0f", False),
        ("reg.io/nginx:@sha256:0f", None, "reg.io/nginx", "sha256:0f", False),
        ("reg.io/nginx@sha256:0f", "1.2", "reg.io/nginx", "sha256:0f", False),
        ("reg.io/nginx:0.3.1@sha256:0f", None, "reg.io/nginx", "0.3.1", False),
        (None, "latest", None, "latest", False),
        (None, None, None, None, False),
    ],
)
def test_block_name_and_version_come_from_the_reference(
    reference: str | None,
    stated_version: str | None,
    name: str | None,
    version: str | None,
    is_floating: bool,
) -> None:
    entry = only(run(block_from=reference, block_version=stated_version))

    assert (entry["block_name"], entry["block_version"]) == (name, version)
    assert entry["flags"] == (["floating_version"] if is_floating else [])


# --- Folding --------------------------------------------------------------------------------------


def test_a_closed_snapshot_beats_an_open_one_in_any_order_and_is_filled_from_it() -> None:
    opened = run(end=None, status="running", exit_code=9, ticket="CHG-1", reason="old")
    closed = run(exit_code=0, reason="new", user=None)

    for log in ([opened, closed], [closed, opened], [opened, closed, opened, closed]):
        entry = only(*log)
        assert (entry["status"], entry["exit_code"]) == ("successful", 0)
        assert (entry["reason"], entry["ticket"]) == ("new", "CHG-1")
        assert (entry["ended_at"], entry["flags"]) == (stored("10:10"), [])


def test_an_exit_code_of_an_open_snapshot_does_not_fill_the_closed_one() -> None:
    entry = only(run(end=None, exit_code=0), run())

    assert (entry["status"], entry["exit_code"]) == ("aborted", None)


def test_two_closed_snapshots_that_agree_fill_each_other_before_open_ones_do() -> None:
    entry = only(
        run(end=None, hostname="from-open", reason="from-open", os_user="from-open"),
        run(status="failure", reason="first"),
        run(status="failed", exit_code=4, hostname="second"),
    )

    assert (entry["status"], entry["exit_code"], entry["flags"]) == ("failed", 4, [])
    assert (entry["reason"], entry["hostname"]) == ("first", "second")
    assert entry["os_user"] == "from-open"


def test_of_two_open_snapshots_that_differ_the_first_stays_field_by_field() -> None:
    judged = judge(run(end=None, reason="a"), run(end=None, reason="b", ticket="t"))

    entry = run_in(judged)
    assert (entry["reason"], entry["ticket"], entry["flags"]) == ("a", "t", [])
    assert judged.dead == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (run(), run(end="10:11")),
        (run(exit_code=0), run(exit_code=1)),
        (run(status="failed"), run(status="aborted")),
        (run(), run(action="patch")),
        (run(commit_sha=COMMIT), run(commit_sha=COMMIT[:7])),
        (session(), session(host={"inventory_name": "db-3", "ansible_host": "10.0.0.3"})),
        (sync(), sync(result="failed")),
        (sync(), sync(git={"branch": "main", "after_sha": COMMIT, "before_sha": COMMIT})),
    ],
)
def test_of_two_closed_snapshots_that_differ_the_second_is_dead(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    judged = judge(first, {**second, "ticket": "CHG-1"})

    (entry,) = judged.entries.values()
    assert judged.dead == [(1, "conflicting_snapshot")]
    alone = only(first)
    assert entry == {**alone, "flags": sorted(["conflicting_snapshot", *alone["flags"]])}


def test_a_third_closed_snapshot_is_compared_with_all_that_the_first_two_state() -> None:
    judged = judge(run(), run(ticket="a"), run(ticket="b"), run(ticket="a", reason="c"))

    assert judged.dead == [(2, "conflicting_snapshot")]
    assert (run_in(judged)["ticket"], run_in(judged)["reason"]) == ("a", "c")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (run(), run(client_seq=2)),
        (run(client_seq=1), run(client_seq=2, duration_ms=600_000)),
        (run(duration_ms=600_001), run(duration_ms=600_002)),
        (run(status="success"), run(status="successful")),
        (run(), run(finished_at="2026-03-24T11:10:00.0000009+01:00")),
        (
            run(retriggered_from=number_id(0xABC)),
            run(retriggered_from=number_id(0xABC).upper()),
        ),
        (session(), session(host={"inventory_name": "db-3", "ansible_host": None})),
        (run(), run(id=number_id(1).upper(), organization="default", reason=None)),
    ],
)
def test_what_is_only_spelled_differently_or_not_compared_is_no_conflict(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    for log in ([first, second], [second, first]):
        judged = judge(*log)
        assert judged.dead == []
        assert next(iter(judged.entries.values()))["flags"] == []


def test_the_first_snapshot_fixes_the_start_and_another_one_still_counts() -> None:
    judged = judge(run(end=None), run(start="09:50", exit_code=0, ticket="CHG-1"))

    entry = run_in(judged)
    assert judged.dead == []
    assert (entry["occurred_at"], entry["duration_ms"]) == (stored("10:00"), 600_000)
    assert (entry["ticket"], entry["flags"]) == ("CHG-1", ["start_changed"])


def test_a_sync_told_with_another_time_keeps_the_first() -> None:
    entry = only(sync(), sync(timestamp="09:30", ticket="CHG-1"))

    assert (entry["occurred_at"], entry["ticket"]) == (stored("09:00"), "CHG-1")
    assert entry["flags"] == ["start_changed"]


@pytest.mark.parametrize(("end", "is_dead"), [("09:59:59.999999", True), ("10:00", False)])
def test_an_end_before_the_fixed_start_is_dead(end: str, is_dead: bool) -> None:
    judged = judge(run(end=None), run(start="09:00", end=end, exit_code=0))

    entry = run_in(judged)
    assert judged.dead == ([(1, "conflicting_snapshot")] if is_dead else [])
    assert entry["flags"] == (["conflicting_snapshot"] if is_dead else ["start_changed"])
    assert entry["status"] == ("running" if is_dead else "successful")


def test_a_snapshot_of_another_actor_is_dead_whatever_else_it_says() -> None:
    judged = judge(
        sent(run(end=None), actor="alice", actor_kind="person"),
        sent(run(start="09:00", end="09:10"), actor="admin"),
        sent(run(exit_code=0), actor="alice", actor_kind="person"),
    )

    entry = run_in(judged)
    assert judged.dead == [(1, "foreign_snapshot")]
    assert (entry["actor"], entry["actor_kind"]) == ("alice", "person")
    assert (entry["status"], entry["flags"]) == ("successful", ["foreign_snapshot"])


def test_the_key_is_of_the_closed_snapshot_and_the_receipt_of_the_first() -> None:
    opened = sent(run(end=None), key_id="key-open", received="10:00:01")
    closed = sent(run(), key_id="key-closed", received="10:10:01")

    assert only(opened)["key_id"] == "key-open"
    for log, received in (([opened, closed], "10:00:01"), ([closed, opened], "10:10:01")):
        entry = only(*log)
        assert (entry["key_id"], entry["received_at"]) == ("key-closed", stored(received))


def test_the_same_id_in_another_workspace_or_kind_is_another_record() -> None:
    judged = judge(run(), run(workspace="other", exit_code=1), session(), sync())

    assert (len(judged.entries), judged.dead) == (4, [])
    assert run_in(judged)["status"] == "aborted"


# --- Flags ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "user", "flags"),
    [
        ("person", "bob", ["actor_mismatch"]),
        ("person", "alice", []),
        ("person", None, []),
        ("service", "bob", []),
    ],
)
def test_a_personal_key_with_another_user_is_flagged(
    kind: str, user: str | None, flags: list[str]
) -> None:
    assert only(sent(run(user=user), actor="alice", actor_kind=kind))["flags"] == flags


def test_actor_mismatch_is_judged_on_the_folded_record() -> None:
    opened = sent(run(end=None, user="bob"), actor="alice", actor_kind="person")
    closed = sent(run(user="alice"), actor="alice", actor_kind="person")

    assert only(opened, closed)["flags"] == []


@pytest.mark.parametrize(
    ("event", "is_off"),
    [
        (run(duration_ms=601_000), False),
        (run(duration_ms=601_001), True),
        (run(duration_ms=599_000), False),
        (run(duration_ms=598_999), True),
        (run(end="10:10:00.000999", duration_ms=601_000), False),
        (run(end=None, duration_ms=1), False),
        (session(duration_seconds=601.0), False),
        (session(duration_seconds=601.001), True),
        (session(start="10:00", end="10:00:00.3", duration_seconds=1.3), False),
    ],
)
def test_a_duration_more_than_a_second_away_is_flagged_and_dropped(
    event: dict[str, Any], is_off: bool
) -> None:
    entry = only(event)

    assert entry["flags"] == (["duration_mismatch"] if is_off else [])
    if entry["ended_at"] == stored("10:10"):
        assert entry["duration_ms"] == 600_000


def test_a_duration_is_compared_with_the_one_from_the_fixed_start() -> None:
    entry = only(run(end=None), run(start="09:50", duration_ms=1_200_000))

    assert entry["flags"] == ["duration_mismatch", "start_changed"]


@pytest.mark.parametrize(
    ("event", "received", "is_ahead"),
    [
        (run(end=None), "09:55", False),
        (run(end=None), "09:54:59.999999", True),
        (run(), "10:05", False),
        (run(), "10:04:59.999999", True),
        (sync(), "08:54:59.999999", True),
    ],
)
def test_an_own_time_more_than_five_minutes_after_its_receipt_is_flagged(
    event: dict[str, Any], received: str, is_ahead: bool
) -> None:
    assert ("clock_ahead" in only(sent(event, received=received))["flags"]) is is_ahead


def test_clock_ahead_stays_when_later_snapshots_are_in_time() -> None:
    assert only(sent(run(end=None), received="09:00"), run())["flags"] == ["clock_ahead"]


@pytest.mark.parametrize(
    ("log", "is_late"),
    [
        ([sent(run(end=None), received="11:00")], False),
        ([sent(run(end=None), received="11:00:00.000001")], True),
        ([sent(run(), received="11:10")], False),
        ([sent(run(), received="11:10:00.000001")], True),
        ([sent(run(end=None), received="13:00"), sent(run(), received="10:11")], False),
        ([sent(run(end=None), received="10:01"), sent(run(), received="13:00")], True),
        ([sent(run(), received="10:11"), sent(run(), received="13:00")], False),
        ([sent(run(end=None), received="10:01"), sent(run(end=None), received="13:00")], False),
        ([sent(sync(), received="10:00:00.000001")], True),
    ],
)
def test_late_is_judged_on_the_closed_snapshot_else_on_the_first(
    log: list[Delivery], is_late: bool
) -> None:
    assert only(*log)["flags"] == (["late"] if is_late else [])


def test_dropped_fields_of_an_accepted_snapshot_are_flagged() -> None:
    assert only(run(), sent(run(), fields_dropped=True))["flags"] == ["fields_dropped"]
    assert only(run(), sent(run(exit_code=1)), sent(run(), actor="eve", fields_dropped=True))[
        "flags"
    ] == ["foreign_snapshot"]


# --- during, after, before ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run_span", "session_span", "of_run", "of_session"),
    [
        (("10:00", "10:10"), ("10:05", "10:20"), ["during"], ["during"]),
        (("10:00", "10:30"), ("10:05", "10:20"), ["during"], ["during"]),
        # Touching intervals do not overlap: [start, end).
        (("10:00", "10:10"), ("10:10", "10:20"), ["before"], ["after"]),
        (("10:10", "10:20"), ("10:00", "10:10"), ["after"], ["before"]),
        (("10:00", "10:10:00.000001"), ("10:10", "10:20"), ["during"], ["during"]),
        # 60 minutes, both ends in.
        (("10:00", "10:10"), ("11:10", "11:20"), ["before"], ["after"]),
        (("10:00", "10:10"), ("11:10:00.000001", "11:20"), [], []),
        (("10:00", "10:10"), ("11:09:59.999999", "11:20"), ["before"], ["after"]),
        (("11:10", "11:20"), ("10:00", "10:10"), ["after"], ["before"]),
        (("11:10:00.000001", "11:20"), ("10:00", "10:10"), [], []),
        # Moments.
        (("10:05", "10:05"), ("10:00", "10:10"), ["during"], ["during"]),
        (("10:00", "10:00"), ("10:00", "10:10"), ["during"], ["during"]),
        (("10:00", "10:10"), ("10:00", "10:00"), ["during"], ["during"]),
        (("10:10", "10:10"), ("10:00", "10:10"), ["after"], ["before"]),
        (("10:00", "10:10"), ("10:10", "10:10"), ["before"], ["after"]),
        (("10:00", "10:00"), ("10:00", "10:00"), ["during"], ["during"]),
        (("10:00", "10:00"), ("10:30", "10:30"), ["before"], ["after"]),
        # Open ones end 24 hours after their start, and are nobody's past.
        (("10:00", None), ("23:59", "23:59"), ["during"], ["during"]),
        (("10:00", None), ("09:00", None), ["during"], ["during"]),
        (("10:00", None), ("09:00", "09:30"), ["after"], ["before"]),
        (("09:00", "09:30"), ("10:00", None), ["before"], ["after"]),
    ],
)
def test_runs_and_sessions_are_linked_by_overlap_or_the_hour_between_them(
    run_span: tuple[str, str | None],
    session_span: tuple[str, str | None],
    of_run: list[str],
    of_session: list[str],
) -> None:
    judged = judge(run(1, *run_span), session(1, *session_span))

    assert rules(run_in(judged)) == of_run
    assert rules(session_in(judged)) == of_session
    assert session_in(judged)["unexplained"] is (not of_session)


def test_an_open_record_counts_24_hours_and_then_is_not_linked() -> None:
    for clock, of_session in (
        ("09:59:59.999999", ["during"]),
        ("10:00", []),
        ("10:30", []),
    ):
        next_day = at(clock).replace("03-24", "03-25")
        judged = judge(run(end=None), session(started_at=next_day, ended_at=next_day))
        assert rules(session_in(judged)) == of_session
        assert rules(run_in(judged)) == of_session


def test_how_long_an_open_record_counts_is_a_setting() -> None:
    log = (run(end=None), session(start="12:00", end="12:10"))

    assert rules(session_in(judge(*log, lost_after_hours=3))) == ["during"]
    assert rules(session_in(judge(*log, lost_after_hours=2))) == []


def test_an_open_record_keeps_its_status_however_old() -> None:
    assert only(sent(run(end=None), received="23:00"))["status"] == "running"


def test_gaps_are_whole_milliseconds_and_links_carry_the_contracts_id() -> None:
    judged = judge(run(1, end="10:10"), session(2, start="10:10:00.0019", end="10:20"))

    (link,) = session_in(judged, 2)["links"]
    name = f"default/shop/after/ssh_session/{number_id(2)}/action_run/{number_id(1)}"
    assert link == {
        "id": str(uuid.uuid5(uuid.UUID("6f1c1d0e-5b0b-4f6f-9a37-3e0d7f0f5c21"), name)),
        "rule": "after",
        "target": {"kind": "action_run", "id": number_id(1)},
        "confidence": "exact",
        "gap_ms": 1,
    }
    (other_side,) = run_in(judged, 1)["links"]
    assert (other_side["rule"], other_side["gap_ms"]) == ("before", 1)
    assert other_side["id"] != link["id"]

    judged = judge(run(), session())
    assert "gap_ms" not in session_in(judged)["links"][0]


@pytest.mark.parametrize(
    ("run_from", "session_from", "confidence"),
    [
        (("admin", None), ("admin", None), "exact"),
        (("admin", "cli-00000001"), ("admin", "cli-00000002"), "exact"),
        (("admin", "cli-00000001"), ("alice", "cli-00000001"), "exact"),
        (("admin", "cli-00000001"), ("alice", "cli-00000002"), "likely"),
        (("admin", None), ("alice", None), "likely"),
    ],
)
@pytest.mark.parametrize("start", ["10:05", "10:30"])
def test_the_same_instance_or_actor_is_exact_and_explains_a_session(
    run_from: tuple[str, str | None],
    session_from: tuple[str, str | None],
    confidence: str,
    start: str,
) -> None:
    judged = judge(
        sent(run(cli_instance_id=run_from[1]), actor=run_from[0]),
        sent(
            session(start=start, end="10:40", cli_instance_id=session_from[1]),
            actor=session_from[0],
        ),
    )

    assert [link["confidence"] for link in session_in(judged)["links"]] == [confidence]
    assert [link["confidence"] for link in run_in(judged)["links"]] == [confidence]
    assert session_in(judged)["unexplained"] is (confidence == "likely")


def test_records_of_other_workspaces_and_of_the_same_kind_are_not_linked() -> None:
    judged = judge(run(1), run(2), session(3, workspace="other"), sync(4, "10:05"))

    assert all(entry["links"] == [] for entry in judged.entries.values())


def test_links_of_a_rule_are_the_nearest_first_and_ties_go_to_the_higher_id() -> None:
    judged = judge(
        session(1, "12:00", "13:00"),
        run(1, "12:10", "12:20"),
        run(2, "11:55", "12:20"),
        run(3, "12:05", "12:20"),
        run(4, "11:00", "11:30"),
        run(5, "11:10", "11:30:00.000001"),  # nearer, though the same in whole milliseconds
        run(6, "11:20", "11:30"),
        run(7, "13:20", "13:30"),
        run(8, "13:00", None),
    )

    entry = session_in(judged)
    assert linked(entry, "during") == [3, 2, 1]
    assert linked(entry, "after") == [5, 6, 4]
    assert linked(entry, "before") == [8, 7]
    assert rules(entry) == ["during"] * 3 + ["after"] * 3 + ["before"] * 2


@pytest.mark.parametrize(("count", "is_omitted"), [(10, False), (11, True)])
@pytest.mark.parametrize(
    ("span", "rule", "other_rule"),
    [
        (("10:00", "10:10"), "during", "during"),
        (("09:00", "09:30"), "after", "before"),
        (("10:30", "10:40"), "before", "after"),
    ],
)
def test_an_entry_has_at_most_ten_links_per_rule_each_side_for_itself(
    count: int, is_omitted: bool, span: tuple[str, str], rule: str, other_rule: str
) -> None:
    judged = judge(session(1), *(run(number, *span) for number in range(1, count + 1)))

    entry = session_in(judged)
    assert linked(entry, rule) == list(range(count, count - 10, -1))
    assert entry["links_omitted"] is is_omitted
    # The run that was left out still sees its session.
    assert linked(run_in(judged, 1), other_rule) == [1]
    assert run_in(judged, 1)["links_omitted"] is False


def test_ten_links_of_each_of_two_rules_omit_nothing() -> None:
    judged = judge(
        session(1),
        *(run(number) for number in range(1, 11)),
        *(run(number, "09:00", "09:30") for number in range(11, 21)),
    )

    assert len(session_in(judged)["links"]) == 20
    assert session_in(judged)["links_omitted"] is False


def test_a_run_of_the_same_origin_beyond_the_cap_still_explains_a_session() -> None:
    others = [sent(run(number), actor="alice") for number in range(2, 12)]

    assert session_in(judge(session(1), *others))["unexplained"] is True
    judged = judge(session(1), run(1), *others)
    assert linked(session_in(judged), "during") == list(range(11, 1, -1))
    assert session_in(judged)["unexplained"] is False


def test_links_follow_the_fixed_start_and_the_accepted_end() -> None:
    judged = judge(
        session(1, "12:00", "12:10"),
        run(1, "10:00", None),
        run(1, "11:00", "11:30"),
        run(1, "11:00", "12:05"),
    )

    assert rules(session_in(judged)) == ["after"]
    assert run_in(judged)["flags"] == ["conflicting_snapshot", "start_changed"]


# --- retriggered_from, retriggered_as -------------------------------------------------------------


def test_a_retrigger_is_linked_from_both_sides() -> None:
    judged = judge(run(1), run(2, "11:00", None, retriggered_from=number_id(1)))

    (link,) = run_in(judged, 2)["links"]
    assert (link["rule"], link["confidence"]) == ("retriggered_from", "exact")
    assert linked(run_in(judged, 1), "retriggered_as") == [2]
    assert "gap_ms" not in link


def test_the_run_named_may_be_unknown_or_live_elsewhere() -> None:
    judged = judge(
        run(1, workspace="other"), sent(run(2, retriggered_from=number_id(1)), actor="alice")
    )

    assert linked(run_in(judged, 2), "retriggered_from") == [1]
    assert run_in(judged, 2)["links"][0]["confidence"] == "exact"
    assert judged.entries["other", "action_run", number_id(1)]["links"] == []


@pytest.mark.parametrize(("count", "is_omitted"), [(10, False), (11, True)])
def test_retriggers_are_the_nearest_by_start_and_at_most_ten(count: int, is_omitted: bool) -> None:
    naming = [run(number, retriggered_from=number_id(0)) for number in range(1, count)]
    nearest = run(0x50, "09:59", retriggered_from=number_id(0).upper())
    judged = judge(run(0, "09:58"), *naming, nearest)

    assert linked(run_in(judged, 0), "retriggered_as") == [
        0x50,
        *range(count - 1, count - 10, -1),
    ]
    assert run_in(judged, 0)["links_omitted"] is is_omitted


def test_rules_are_listed_in_the_order_of_the_contract() -> None:
    judged = judge(
        run(1, "12:00", "12:30", retriggered_from=number_id(9)),
        run(2, "15:00", None, retriggered_from=number_id(1)),
        session(3, "12:10", "12:20"),
        session(4, "12:40", "12:50"),
        session(5, "11:40", "11:50"),
    )

    assert rules(run_in(judged)) == [
        *("during", "after", "before", "retriggered_from", "retriggered_as")
    ]


# --- configured_by --------------------------------------------------------------------------------


def configured(entry: dict[str, Any]) -> tuple[int, str, bool] | None:
    """The number of the sync, the confidence, and whether it is behind."""
    found = entry["configured_by"]
    return found and (int(found["sync_id"][:8], 16), found["confidence"], found["behind"])


def test_configured_by_names_sync_commit_and_branch() -> None:
    entry = session_in(judge(sync(7), session(1)))

    name = f"default/shop/configured_by/ssh_session/{number_id(1)}/workspace_sync/{number_id(7)}"
    assert entry["configured_by"] == {
        "id": str(uuid.uuid5(uuid.UUID("6f1c1d0e-5b0b-4f6f-9a37-3e0d7f0f5c21"), name)),
        "sync_id": number_id(7),
        "commit": COMMIT,
        "branch": "main",
        "confidence": "likely",
        "behind": False,
    }
    assert entry["links"] == []


@pytest.mark.parametrize(
    ("event", "is_usable"),
    [
        (sync(timestamp="10:00"), True),
        (sync(timestamp="10:00:00.000001"), False),
        (sync(result="failed"), False),
        (sync(result="conflict"), False),
        (sync(after=None), False),
        (sync(git=None), False),
        (sync(workspace="other"), False),
    ],
)
def test_only_a_successful_sync_with_a_commit_at_or_before_the_start_configures(
    event: dict[str, Any], is_usable: bool
) -> None:
    judged = judge(event, run(1), session(1))

    assert (configured(run_in(judged)) is not None) is is_usable
    assert (configured(session_in(judged)) is not None) is is_usable


def test_the_latest_sync_wins_and_of_two_at_once_the_higher_id() -> None:
    judged = judge(sync(3, "09:00"), sync(2, "09:30"), sync(1, "09:30"), run(1))

    assert configured(run_in(judged)) == (2, "likely", False)


def test_the_latest_sync_of_the_same_instance_is_exact_and_may_be_behind() -> None:
    instance = {"cli_instance_id": "cli-00000001"}
    judged = judge(
        sync(1, "08:00", OTHER_COMMIT, **instance),
        sync(2, "08:30", OTHER_COMMIT, **instance),
        sync(3, "09:00", COMMIT, cli_instance_id="cli-00000002"),
        run(1, **instance),
        session(1, cli_instance_id="cli-00000003"),
        session(2),
    )

    assert configured(run_in(judged)) == (2, "exact", True)
    assert configured(session_in(judged, 1)) == (3, "likely", False)
    assert configured(session_in(judged, 2)) == (3, "likely", False)


def test_a_sync_without_instance_is_not_of_the_same_instance_as_a_run_without() -> None:
    assert configured(run_in(judge(sync(1), run(1)))) == (1, "likely", False)


@pytest.mark.parametrize(
    ("synced", "stated"),
    [(COMMIT, COMMIT), (COMMIT[:7], COMMIT), (COMMIT, COMMIT[:7])],
)
def test_a_stated_commit_finds_its_sync_by_prefix_either_way(synced: str, stated: str) -> None:
    judged = judge(
        sync(1, "08:00", synced),
        sync(2, "08:30", synced),
        sync(3, "09:00", OTHER_COMMIT, cli_instance_id="cli-00000001"),
        run(1, commit_sha=stated, cli_instance_id="cli-00000001"),
    )

    entry = run_in(judged)
    assert configured(entry) == (2, "exact", True)
    assert entry["configured_by"]["commit"] == synced
    assert entry["flags"] == []


def test_behind_compares_commits_by_prefix_too() -> None:
    instance = {"cli_instance_id": "cli-00000001"}
    judged = judge(sync(1, "08:00", COMMIT[:7], **instance), sync(2), run(1, **instance))

    assert configured(run_in(judged)) == (1, "exact", False)


def test_a_stated_commit_that_no_sync_brought_is_flagged_and_makes_the_rest_likely() -> None:
    instance = {"cli_instance_id": "cli-00000001"}
    unusable = [sync(1, "10:30"), sync(2, "08:00", result="failed")]

    entry = run_in(judge(*unusable, run(1, commit_sha=COMMIT)))
    assert (configured(entry), entry["flags"]) == (None, ["stated_commit_not_synced"])

    by_instance = sync(3, "08:00", OTHER_COMMIT, **instance)
    latest = sync(4, "09:00", OTHER_COMMIT + "00")
    entry = run_in(judge(*unusable, by_instance, latest, run(1, commit_sha=COMMIT, **instance)))
    assert configured(entry) == (3, "likely", False)
    assert entry["flags"] == ["stated_commit_not_synced"]

    entry = run_in(judge(*unusable, by_instance, latest, run(1, commit_sha=COMMIT)))
    assert configured(entry) == (4, "likely", False)


def test_a_dead_closing_leaves_what_it_said_out_of_the_links() -> None:
    judged = judge(sync(1, after=OTHER_COMMIT), sync(1, after=COMMIT), run(1, commit_sha=COMMIT))

    assert run_in(judged)["flags"] == ["stated_commit_not_synced"]
    assert run_in(judged)["configured_by"]["commit"] == OTHER_COMMIT


# --- The register of CLI instances ----------------------------------------------------------------


def test_events_and_instance_snapshots_are_observations() -> None:
    name = "cli-00000001"
    snapshot = {
        "type": "cli_instance",
        "id": name,
        "cli_version": "0.9.9",
        "os": "linux",
        "arch": "amd64",
        "hostname": "runner-1",
        "first_seen": at("07:00"),
        "last_seen": at("09:00"),
    }
    judged = judge(
        run(1, cli_instance_id=name, cli_version="0.9.10"),
        sent(snapshot, actor="alice"),
        session(1, "10:05", None, cli_instance_id=name, hostname="laptop"),
    )

    assert judged.instances == {
        name: {
            "first_seen": stored("07:00"),
            "last_seen": stored("10:10"),
            "hostname": "laptop",
            "os": "linux",
            "arch": "amd64",
            "cli_version": "0.9.10",
            "actors": ["admin", "alice"],
            "versions": [
                {"version": "0.9.9", "first_seen": stored("09:00"), "last_seen": stored("09:00")},
                {"version": "0.9.10", "first_seen": stored("10:00"), "last_seen": stored("10:10")},
            ],
        }
    }
    assert len(judged.entries) == 2


def test_a_snapshot_without_last_seen_is_seen_at_its_receipt() -> None:
    snapshot = {
        "type": "cli_instance",
        "id": "cli-00000001",
        "cli_version": "1.0",
        "os": "linux",
        "arch": "amd64",
        "hostname": "runner-1",
        "first_seen": at("11:30"),
    }
    register = judge(sent(snapshot, received="11:00")).instances["cli-00000001"]

    assert (register["first_seen"], register["last_seen"]) == (stored("11:00"), stored("11:00"))


def test_an_unknown_instance_is_registered_by_its_name_alone() -> None:
    register = judge(sync(1, cli_instance_id="cli-00000001")).instances["cli-00000001"]

    assert register == {
        "first_seen": stored("09:00"),
        "last_seen": stored("09:00"),
        "hostname": None,
        "os": None,
        "arch": None,
        "cli_version": None,
        "actors": ["admin"],
        "versions": [],
    }


def test_dead_letters_are_not_observed_and_changed_starts_are() -> None:
    judged = judge(
        run(1, end=None, cli_instance_id="cli-00000001"),
        sent(run(1, cli_instance_id="cli-00000002"), actor="eve"),
        run(1, start="09:00", cli_instance_id="cli-00000001"),
    )

    assert list(judged.instances) == ["cli-00000001"]
    assert judged.instances["cli-00000001"]["first_seen"] == stored("09:00")
    assert judged.instances["cli-00000001"]["last_seen"] == stored("10:10")


def test_of_two_observations_at_once_the_higher_text_wins_field_by_field() -> None:
    name = {"cli_instance_id": "cli-00000001"}
    judged = judge(
        sync(1, cli_version="0.9.9", hostname="a", **name),
        sync(2, cli_version="0.9.10", hostname="b", **name),
    )

    register = judged.instances["cli-00000001"]
    assert (register["cli_version"], register["hostname"]) == ("0.9.9", "b")
    assert [one["version"] for one in register["versions"]] == ["0.9.10", "0.9.9"]


# --- What holds for every history -----------------------------------------------------------------


def without_arrival(judged: Judged) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {
        key: {
            **{name: value for name, value in entry.items() if name not in OF_ARRIVAL},
            "flags": sorted(set(entry["flags"]) - FLAGS_OF_ARRIVAL),
        }
        for key, entry in judged.entries.items()
    }


many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(log=undisputed_histories(), order=st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_change_an_undisputed_timeline(
    log: list[Delivery], order: Random
) -> None:
    judged, again = timeline(log), timeline(shuffled(log, order))

    assert without_arrival(again) == without_arrival(judged)
    assert again.instances == judged.instances
    assert judged.dead == []


@many
@given(log=disputed_histories())
def test_sending_a_whole_log_again_changes_nothing(log: list[Delivery]) -> None:
    judged, again = timeline(log), timeline([*log, *log])

    assert again.entries == judged.entries
    assert again.instances == judged.instances
    assert [dead for dead in again.dead if dead[0] < len(log)] == judged.dead
    assert len(again.dead) == 2 * len(judged.dead)


@many
@given(log=histories())
def test_every_link_between_run_and_session_has_its_other_side(log: list[Delivery]) -> None:
    judged = timeline(log)
    mirrored = {
        "during": "during",
        "after": "before",
        "before": "after",
        "retriggered_as": "retriggered_from",
    }

    for (workspace, kind, record_id), entry in judged.entries.items():
        for link in entry["links"]:
            if link["rule"] not in mirrored:
                continue
            target = link["target"]
            other = judged.entries[workspace, target["kind"], target["id"]]
            sides = [
                (one["rule"], one["confidence"], one.get("gap_ms"))
                for one in other["links"]
                if one["target"] == {"kind": kind, "id": record_id}
            ]
            side = (mirrored[link["rule"]], link["confidence"], link.get("gap_ms"))
            assert side in sides or other["links_omitted"]


@many
@given(log=histories())
def test_drawn_events_are_valid(log: list[Delivery]) -> None:
    for delivery in log:
        assert_valid(delivery.event)


SHARED = {
    *("workspace", "organization", "user", "os_user", "hostname", "cli_instance_id"),
    *("cli_version", "client_seq", "reason", "ticket"),
}
SPAN = {"started_at", "exit_code"}
FIELDS = {
    "action_run": {
        *("block", "block_from", "block_version", "action", "finished_at", "duration_ms"),
        *("status", "commit_sha", "retriggered_from", *SPAN, *SHARED),
    },
    "ssh_session": {"host", "ended_at", "duration_seconds", *SPAN, *SHARED},
    "workspace_sync": {"timestamp", "result", "git", "encryption", *SHARED},
    "cli_instance": {"cli_version", "os", "arch", "hostname", "first_seen", "last_seen"},
}


def assert_valid(event: dict[str, Any]) -> None:
    """What ingest would refuse of all that the generators could get wrong."""
    assert event.keys() - FIELDS[event["type"]] == {"type", "id"}
    if event["type"] == "cli_instance":
        return
    end = event.get("finished_at") or event.get("ended_at")
    if end:
        assert instant_of(event["started_at"]) <= instant_of(end)
        assert event.get("status") not in {"running", "pending"}
        assert (event.get("duration_ms") or 0) >= 0
    else:
        assert event.get("status") in {None, "running", "pending"}
    assert event.get("retriggered_from") != event["id"].lower()


def test_a_month_is_the_same_for_the_same_seed_and_stays_in_march() -> None:
    month = mixed_history(7, 3000)

    assert month == mixed_history(7, 3000)
    assert month != mixed_history(8, 3000)
    assert len(month) == 3000
    received = [delivery.received_at for delivery in month]
    assert received == sorted(received)
    assert datetime(2026, 3, 1, tzinfo=UTC) < received[0] < received[-1]
    assert received[-1] < datetime(2026, 4, 1, tzinfo=UTC)
    for delivery in month:
        assert_valid(delivery.event)
        times = [
            delivery.event.get(name)
            for name in ("started_at", "finished_at", "ended_at", "timestamp", "last_seen")
        ]
        assert all(time.startswith("2026-03-") for time in times if time)


def test_a_month_holds_all_that_makes_a_timeline_hard() -> None:
    judged = timeline(mixed_history(7, 3000))

    entries = judged.entries.values()
    assert {reason for _, reason in judged.dead} == {"conflicting_snapshot"}
    assert {link["rule"] for entry in entries for link in entry["links"]} == {
        *("during", "after", "before", "retriggered_from", "retriggered_as")
    }
    assert {flag for entry in entries for flag in entry["flags"]} >= {
        *("conflicting_snapshot", "start_changed", "duration_mismatch", "late"),
        "stated_commit_not_synced",
    }
    assert {
        (entry["configured_by"]["confidence"], entry["configured_by"]["behind"])
        for entry in entries
        if entry["configured_by"]
    } == {("exact", True), ("exact", False), ("likely", True), ("likely", False)}


def test_one_organization_at_a_time() -> None:
    with pytest.raises(ValueError, match="one organization"):
        judge(sent(run(1)), sent(run(2), organization="other"))
