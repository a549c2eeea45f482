"""Folding, read as the contract: section 2, "Identity and folding"."""

from itertools import permutations

import pytest

from processors.record import Fold
from schemas.kinds import DeadLetterReason, Kind
from tests.processors.builders import entry_of, moment, record, run, sent, session, snapshots, sync
from tests.simulation.oracle import Delivery

RUN = Kind.ACTION_RUN
SESSION = Kind.SSH_SESSION
SYNC = Kind.WORKSPACE_SYNC


def flags_of(*deliveries: Delivery) -> list[str]:
    kind = Kind(deliveries[0].event["type"])
    flags: list[str] = entry_of(sent(deliveries), kind)["flags"]
    return [flag for flag in flags if flag != "floating_version"]


def verdict_of(*deliveries: Delivery) -> Fold | DeadLetterReason:
    """What the last of them did to the record of the others."""
    *known, last = deliveries
    return record(*known).fold(snapshots([last])[0])


# Closed and open


def test_an_open_snapshot_after_the_closed_one_only_fills_what_it_left_out() -> None:
    entry = entry_of(sent([run(exit_code=0), run(end=None, ticket="CHG-17")]), RUN)

    assert entry["ticket"] == "CHG-17"
    assert entry["ended_at"] == "2026-11-10T10:05:00.000000Z"
    assert entry["status"] == "successful"


def test_a_closed_snapshot_beats_an_open_one_in_either_order() -> None:
    opened = run(end=None, reason="opened")
    closed = run(reason="closed")

    for order in permutations([opened, closed]):
        assert entry_of(sent(order), RUN)["reason"] == "closed"


def test_three_snapshots_that_agree_fold_alike_in_every_order() -> None:
    parts = [run(end=None, ticket="CHG-17"), run(exit_code=3), run(end=None, reason="disk full")]

    entries = [entry_of(sent(order), RUN) for order in permutations(parts)]

    for entry in entries:
        assert {**entry, "received_at": None, "flags": []} == {
            **entries[0],
            "received_at": None,
            "flags": [],
        }
    assert (entries[0]["ticket"], entries[0]["reason"], entries[0]["exit_code"]) == (
        "CHG-17",
        "disk full",
        3,
    )


def test_of_two_open_snapshots_that_differ_the_first_stays_field_by_field() -> None:
    first = run(end=None, reason="first")
    second = run(end=None, reason="second", ticket="CHG-17")
    core = sent([first, second])

    entry = entry_of(core, RUN)

    assert (entry["reason"], entry["ticket"]) == ("first", "CHG-17")
    assert core.dead == []


def test_a_field_is_filled_as_a_whole() -> None:
    closed = session(host={"inventory_name": "db-3"})
    opened = session(end=None, host={"inventory_name": "db-3", "ansible_host": "10.0.0.3"})

    host = entry_of(sent([closed, opened]), SESSION)["host"]

    assert host["ansible_host"] is None


def test_two_closed_snapshots_that_agree_fill_each_other() -> None:
    core = sent([run(ticket="CHG-17"), run(reason="disk full")])

    entry = entry_of(core, RUN)

    assert (entry["ticket"], entry["reason"]) == ("CHG-17", "disk full")
    assert core.dead == []


def test_the_exit_code_of_an_open_snapshot_is_not_taken() -> None:
    entry = entry_of(sent([session(end=None, exit_code=255), session()]), SESSION)

    assert entry["exit_code"] is None
    assert entry["status"] == "ended"


def test_the_same_snapshot_again_changes_nothing() -> None:
    core = sent([run(), run()])

    assert core.emissions == 1
    assert verdict_of(run(), run()) is Fold.UNCHANGED


def test_another_client_seq_is_no_other_statement() -> None:
    assert verdict_of(run(client_seq=1), run(client_seq=2)) is Fold.UNCHANGED


def test_a_synonym_and_another_offset_state_the_same() -> None:
    first = run(status="successful")
    again = run(status="success")
    again.event["finished_at"] = "2026-11-10T11:05:00+01:00"

    assert verdict_of(first, again) is Fold.UNCHANGED


def test_the_key_is_of_the_closed_snapshot_and_the_receipt_of_the_first() -> None:
    opened = run(end=None, key_id="key-opened", received="10:01")
    closed = run(key_id="key-closed", received="10:06")

    entry = entry_of(sent([opened, closed]), RUN)

    assert entry["key_id"] == "key-closed"
    assert entry["received_at"] == "2026-11-10T10:01:00.000000Z"


def test_while_open_the_key_is_of_the_first_snapshot() -> None:
    entry = entry_of(
        sent([run(end=None, key_id="one"), run(end=None, ticket="T-1", key_id="two")]), RUN
    )

    assert entry["key_id"] == "one"


# Disputes


def test_the_first_start_stays_and_another_is_flagged() -> None:
    core = sent([run(end=None), run(start="10:01", ticket="CHG-17")])

    entry = entry_of(core, RUN)

    assert entry["occurred_at"] == "2026-11-10T10:00:00.000000Z"
    assert entry["duration_ms"] == 300_000
    assert entry["ticket"] == "CHG-17"
    assert "start_changed" in entry["flags"]
    assert core.dead == []


def test_another_time_of_a_sync_is_a_changed_start() -> None:
    core = sent([sync(), sync(at="09:01")])

    entry = entry_of(core, SYNC)

    assert entry["occurred_at"] == "2026-11-10T09:00:00.000000Z"
    assert entry["flags"] == ["start_changed"]
    assert core.dead == []


def test_of_two_closed_snapshots_with_other_ends_the_first_stays() -> None:
    core = sent([run(), run(end="10:06")])

    entry = entry_of(core, RUN)

    assert entry["ended_at"] == "2026-11-10T10:05:00.000000Z"
    assert "conflicting_snapshot" in entry["flags"]
    assert core.dead == [("conflicting_snapshot", 0)]


def test_a_closed_snapshot_in_conflict_contributes_no_field() -> None:
    core = sent([run(reason="one"), run(reason="another", ticket="CHG-17")])

    entry = entry_of(core, RUN)

    assert (entry["reason"], entry["ticket"]) == ("one", None)


def test_a_conflict_is_with_what_any_closed_snapshot_stated() -> None:
    core = sent([run(), run(ticket="CHG-17"), run(ticket="CHG-18")])

    assert core.dead == [("conflicting_snapshot", 0)]
    assert entry_of(core, RUN)["ticket"] == "CHG-17"


def test_an_open_snapshot_never_conflicts_with_the_closed_one() -> None:
    core = sent([run(reason="closed"), run(end=None, reason="opened")])

    assert core.dead == []
    assert flags_of(run(reason="closed"), run(end=None, reason="opened")) == []


@pytest.mark.parametrize(
    ("end", "is_dead"),
    [("10:00:00.000001", False), ("10:00", False), ("09:59:59.999999", True)],
)
def test_an_end_before_the_fixed_start_is_a_dead_letter(end: str, is_dead: bool) -> None:
    core = sent([run(end=None), run(start="09:30", end=end)])

    assert core.dead == ([("conflicting_snapshot", 0)] if is_dead else [])
    entry = entry_of(core, RUN)
    assert ("conflicting_snapshot" in entry["flags"]) is is_dead
    assert (entry["ended_at"] is None) is is_dead


def test_a_dead_snapshot_does_not_change_the_start() -> None:
    assert flags_of(run(), run(start="10:01", end="10:06")) == ["conflicting_snapshot"]


def test_another_actors_snapshot_is_a_dead_letter_and_flagged() -> None:
    core = sent([run(end=None), run(actor="mallory", ticket="CHG-17")])

    entry = entry_of(core, RUN)

    assert core.dead == [("foreign_snapshot", 0)]
    assert entry["actor"] == "anna"
    assert (entry["ended_at"], entry["ticket"]) == (None, None)
    assert "foreign_snapshot" in entry["flags"]


def test_a_foreign_snapshot_is_foreign_even_when_it_repeats_the_record() -> None:
    assert verdict_of(run(), run(actor="mallory")) is DeadLetterReason.FOREIGN_SNAPSHOT


def test_a_foreign_snapshot_that_also_conflicts_is_foreign() -> None:
    other = run(end="10:06", actor="mallory")

    assert verdict_of(run(), other) is DeadLetterReason.FOREIGN_SNAPSHOT


def test_a_second_dead_snapshot_is_a_letter_again_but_no_new_entry() -> None:
    core = sent([run(), run(end="10:06"), run(end="10:07")])

    assert core.dead == [("conflicting_snapshot", 0)] * 2
    assert core.emissions == 2


# Flags with a boundary


@pytest.mark.parametrize(
    ("received", "is_late"),
    [("11:04:59.999999", False), ("11:05", False), ("11:05:00.000001", True)],
)
def test_late_is_over_one_hour_after_the_end(received: str, is_late: bool) -> None:
    assert flags_of(run(received=received)) == (["late"] if is_late else [])


@pytest.mark.parametrize(
    ("received", "is_late"),
    [("10:59:59.999999", False), ("11:00", False), ("11:00:00.000001", True)],
)
def test_late_is_over_one_hour_after_the_start_while_open(received: str, is_late: bool) -> None:
    assert flags_of(run(end=None, received=received)) == (["late"] if is_late else [])


def test_late_is_told_by_the_closed_snapshot_once_there_is_one() -> None:
    assert flags_of(run(end=None, received="12:00"), run()) == []
    assert flags_of(run(end=None), run(received="12:00")) == ["late"]


def test_a_late_open_snapshot_after_the_first_says_nothing() -> None:
    assert flags_of(run(end=None), run(end=None, ticket="T-1", received="12:00")) == []


@pytest.mark.parametrize(
    ("received", "is_ahead"),
    [("10:00:00.000001", False), ("10:00", False), ("09:59:59.999999", True)],
)
def test_clock_ahead_is_over_five_minutes_before_the_end(received: str, is_ahead: bool) -> None:
    assert flags_of(run(received=received)) == (["clock_ahead"] if is_ahead else [])


@pytest.mark.parametrize(
    ("received", "is_ahead"),
    [("08:55:00.000001", False), ("08:55", False), ("08:54:59.999999", True)],
)
def test_clock_ahead_is_told_of_a_moment_too(received: str, is_ahead: bool) -> None:
    assert flags_of(sync(received=received)) == (["clock_ahead"] if is_ahead else [])


@pytest.mark.parametrize(
    ("stated_ms", "is_mismatch"),
    [
        (300_999, False),
        (301_000, False),
        (301_001, True),
        (299_001, False),
        (299_000, False),
        (298_999, True),
    ],
)
def test_a_duration_more_than_a_second_away_is_flagged(stated_ms: int, is_mismatch: bool) -> None:
    delivery = run(duration_ms=stated_ms)

    assert flags_of(delivery) == (["duration_mismatch"] if is_mismatch else [])
    assert entry_of(sent([delivery]), RUN)["duration_ms"] == 300_000


@pytest.mark.parametrize(
    ("stated_s", "is_mismatch"), [(300.999, False), (301.0, False), (301.001, True)]
)
def test_a_duration_in_fractions_of_a_second_is_held_to_the_same(
    stated_s: float, is_mismatch: bool
) -> None:
    flags = flags_of(session(duration_seconds=stated_s))

    assert flags == (["duration_mismatch"] if is_mismatch else [])


def test_a_duration_stated_while_open_says_nothing() -> None:
    assert flags_of(run(end=None, duration_ms=1)) == []


@pytest.mark.parametrize(
    ("end", "duration_ms"),
    [("10:00", 0), ("10:00:00.000999", 0), ("10:00:00.001", 1), ("10:00:00.001999", 1)],
)
def test_a_duration_is_whole_milliseconds_rounded_down(end: str, duration_ms: int) -> None:
    assert entry_of(sent([run(end=end)]), RUN)["duration_ms"] == duration_ms


def test_a_person_who_claims_another_user_is_flagged() -> None:
    assert flags_of(run(actor_kind="person", user="bert")) == ["actor_mismatch"]
    assert flags_of(run(actor_kind="person", user="anna")) == []
    assert flags_of(run(actor_kind="person")) == []


def test_a_service_may_name_any_user() -> None:
    assert flags_of(run(actor_kind="service", user="bert")) == []


def test_a_mismatch_of_the_user_goes_when_the_closed_snapshot_states_the_actor() -> None:
    opened = run(end=None, actor_kind="person", user="bert")
    closed = run(actor_kind="person", user="anna")

    assert flags_of(opened, closed) == []


def test_dropped_fields_are_flagged() -> None:
    assert flags_of(run(fields_dropped=True)) == ["fields_dropped"]
    assert flags_of(run(), run(fields_dropped=True)) == ["fields_dropped"]


# What the indexes look at


def test_an_open_record_counts_as_ending_a_day_after_its_start() -> None:
    opened = record(run(end=None))

    assert opened.is_open
    assert opened.span_end - opened.start == 24 * 3_600_000_000


def test_a_closed_record_counts_as_ending_at_its_end() -> None:
    closed = record(run(end=None), run())

    assert closed.span_end == closed.end == int(moment("10:05").timestamp()) * 1_000_000


def test_a_sync_is_a_moment_without_a_duration() -> None:
    moment_of_sync = record(sync())

    assert moment_of_sync.end == moment_of_sync.start
    assert moment_of_sync.duration_ms is None
