"""What a rebuilt generation is asked before it may live."""

from typing import Any

import pytest

from processors.received_digest import ReceivedDigest
from schemas.entry import TimelineBatch
from tests.timeline.trail import Trail, run, run_entry, session_entry, snapshot_row
from timeline import rebuild_check
from timeline.migrations import migrate_generation
from timeline.rebuild_check import Difference, GenerationCheck, check_generation, read_digest
from timeline.store import Store
from timeline.writer import insert_into


def whole(trail: Trail, *entries: Any, offset: int = 1, **more: Any) -> TimelineBatch:
    """An envelope with its events and their entries."""
    envelope = trail.envelope(
        *(snapshot_row(entry, index) for index, entry in enumerate(entries)),
        offset=offset,
        **more,
    )
    return {**envelope, "entries": list(entries)}


@pytest.fixture
def trail(alone: Store) -> Trail:
    migrate_generation(alone, 1)
    return Trail(alone)


def put(trail: Trail, generation: int, *batches: TimelineBatch) -> None:
    for number, batch in enumerate(batches):
        run(insert_into(trail.store, generation, [batch], token=f"{id(batch)}:{number}"))


def check(trail: Trail) -> GenerationCheck:
    return run(check_generation(trail.store, 0, 1))


def test_two_that_hold_the_same_differ_in_nothing(trail: Trail) -> None:
    batch = whole(trail, run_entry(1), session_entry(2))
    put(trail, 0, batch)
    put(trail, 1, batch, batch)

    assert check(trail) == GenerationCheck(
        without_entry=0,
        without_snapshot=0,
        double=0,
        only_before=0,
        events_missing=0,
        differences=[],
    )


def test_two_empty_ones_differ_in_nothing(trail: Trail) -> None:
    assert check(trail).differences == []


@pytest.mark.parametrize("rows_per_part", [1, 2, 1000])
def test_differences_are_told_by_workspace_and_kind(
    trail: Trail, monkeypatch: pytest.MonkeyPatch, rows_per_part: int
) -> None:
    monkeypatch.setattr(rebuild_check, "_ROWS_PER_PART", rows_per_part)
    put(trail, 0, whole(trail, run_entry(1), run_entry(2)), whole(trail, run_entry(3), offset=2))
    put(
        trail, 1, whole(trail, run_entry(1), run_entry(2)), whole(trail, session_entry(4), offset=3)
    )

    found = check(trail)

    assert found.differences == [
        Difference(trail.organization, "acme", "action_run", 3, 2, 1, 0),
        Difference(trail.organization, "acme", "ssh_session", 0, 1, 0, 1),
    ]
    assert (found.only_before, found.events_missing) == (1, 1)


def test_a_received_event_without_its_entry_is_found_but_for_dead_ones(trail: Trail) -> None:
    dead = snapshot_row(run_entry(5), dead_reason="conflicting_snapshot")
    put(
        trail,
        1,
        trail.envelope(snapshot_row(run_entry(1))),
        trail.envelope(dead, offset=2),
        trail.envelope(snapshot_row(run_entry(6), kind="cli_instance"), offset=3),
    )

    assert check(trail).without_entry == 1
    assert check(trail).without_snapshot == 0


def test_an_entry_that_was_never_received_is_found(trail: Trail) -> None:
    put(trail, 1, trail.batch(run_entry(1)))

    assert (check(trail).without_snapshot, check(trail).without_entry) == (1, 0)


def test_a_record_in_two_places_is_found(trail: Trail) -> None:
    put(trail, 1, whole(trail, run_entry(1)), trail.batch(run_entry(1, "10:01")))

    assert check(trail).double == 1


def test_stored_events_are_compared_with_those_received(trail: Trail) -> None:
    received = ReceivedDigest()
    batches = [
        whole(trail, run_entry(1), session_entry(2), partition=5),
        whole(trail, run_entry(3), offset=4, partition=5),
    ]
    received.add(batches)
    put(trail, 1, *batches, *batches)
    # Of another partition, and beyond the end.
    put(trail, 1, whole(trail, run_entry(4), partition=6))
    put(trail, 1, whole(trail, run_entry(5), offset=9, partition=5))

    stored = run(read_digest(trail.store, 1, 5, 9))

    assert stored == (2, 3, received.checksum)
    assert received.events == 3
    assert received.by_kind == {"action_run": 2, "ssh_session": 1}
    assert run(read_digest(trail.store, 1, 7, 9)) == (0, 0, 0)
