"""What was received is read back by its place on the log, some whole envelopes at a time."""

import pytest

from tests.timeline.trail import Trail, run, run_entry, snapshot_row
from timeline.store import Store
from timeline.stored_snapshot import read_stored


def received(store: Store, sizes: dict[int, int]) -> Trail:
    """Envelopes by offset, of so many events each; some rows are there twice."""
    trail = Trail(store)
    for offset, size in sizes.items():
        rows = [snapshot_row(run_entry(offset * 100 + index), index) for index in range(size)]
        for _ in range(2):
            trail.receive(*rows, offset=offset, partition=3)
    trail.receive(snapshot_row(run_entry(1)), offset=11, partition=4)
    return trail


def places(store: Store, start: int, end: int, rows_max: int) -> tuple[list[tuple[int, int]], int]:
    rows, after = run(read_stored(store, store.database, 3, start, end, rows_max))
    return sorted({(row.offset, row.event_index) for row in rows}), after


def test_a_row_holds_what_its_envelope_said(alone: Store) -> None:
    trail = received(alone, {7: 1})

    (row, *_), after = run(read_stored(alone, alone.database, 3, 0, 100))

    assert after == 100
    assert (row.organization, row.workspace, row.partition, row.offset, row.event_index) == (
        *(trail.organization, "acme", 3, 7, 0),
    )
    assert (row.actor, row.actor_kind, row.key_id) == ("alice", "person", "key of alice")
    assert row.event.startswith("{")


@pytest.mark.parametrize("rows_max", [1, 2, 3, 5, 100])
def test_every_envelope_is_read_whole_and_once(alone: Store, rows_max: int) -> None:
    received(alone, {10: 2, 11: 1, 13: 3, 20: 1})
    found: list[tuple[int, int]] = []
    due = 10

    while due < 20:
        read, after = places(alone, due, 20, rows_max)
        assert due < after <= 20
        for offset in {offset for offset, _ in read}:
            assert due <= offset < after
        found += read
        due = after

    # Not the end, and not another partition's.
    assert found == [(10, 0), (10, 1), (11, 0), (13, 0), (13, 1), (13, 2)]


def test_where_nothing_is_kept_nothing_is_read(alone: Store) -> None:
    received(alone, {10: 2})

    assert places(alone, 11, 500, 10) == ([], 500)
