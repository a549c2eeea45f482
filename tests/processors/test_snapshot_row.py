"""What is kept of a received event, and how much of it travels in one message."""

import json
from typing import Any

import pytest

from processors.snapshot_row import (
    EVENT_BYTES_PER_BATCH_MAX,
    ROWS_PER_BATCH_MAX,
    cut,
    snapshot_rows,
)
from schemas.entry import SnapshotRow
from schemas.event_json import event_json
from schemas.times import to_us
from tests.processors.builders import INSTANCE, OTHER_INSTANCE, id_of, moment, run, session, sync
from tests.simulation.core import envelopes_of
from tests.simulation.oracle import Delivery


def rows_of(*deliveries: Delivery) -> list[SnapshotRow]:
    (envelope,) = envelopes_of(deliveries)
    return snapshot_rows(envelope)


def instance(received: str = "10:00", **more: Any) -> Delivery:
    event = {"type": "cli_instance", "id": INSTANCE, "os": "linux", "arch": "arm64"}
    event |= {"hostname": "laptop", "cli_version": "0.9.0", **more}
    return Delivery(event=event, received_at=moment(received))


def test_a_row_holds_its_event_and_where_to_find_it() -> None:
    (envelope,) = envelopes_of([run(7), session(1, cli_instance_id=INSTANCE, client_seq=0)])
    first, second = snapshot_rows(envelope)

    assert second == {
        "index": 1,
        "kind": "ssh_session",
        "id": id_of(1),
        "occurred_at": to_us(moment("10:05")),
        "cli_instance_id": INSTANCE,
        "client_seq": 0,
        "dead_reason": "",
        "event": event_json(envelope.events[1], "db"),
    }
    assert json.loads(second["event"])["workspace"] == "db"
    assert (first["index"], first["cli_instance_id"], first["client_seq"]) == (0, "", None)


@pytest.mark.parametrize(
    ("delivery", "clock"),
    [
        (run(end=None), "10:00"),
        (run(end="10:07"), "10:07"),
        (session(end="10:00"), "10:00"),
        (sync(at="09:30"), "09:30"),
        (instance(), "10:00"),
        (instance(first_seen="2026-11-10T08:00:00Z"), "10:00"),
        (instance(last_seen="2026-11-10T09:00:00Z"), "09:00"),
    ],
)
def test_a_snapshot_stands_at_its_latest_own_time(delivery: Delivery, clock: str) -> None:
    (row,) = rows_of(delivery)

    assert row["occurred_at"] == to_us(moment(clock))


def test_an_instance_counts_its_events_under_its_own_id_unless_it_says_otherwise() -> None:
    assert rows_of(instance(client_seq=4))[0]["cli_instance_id"] == INSTANCE
    other = instance(client_seq=4, cli_instance_id=OTHER_INSTANCE)
    assert rows_of(other)[0]["cli_instance_id"] == OTHER_INSTANCE


def row(event: str = "{}") -> SnapshotRow:
    return {"index": 0, "kind": "action_run", "id": id_of(1), "occurred_at": 0, "event": event}


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (1, [1]),
        (ROWS_PER_BATCH_MAX, [ROWS_PER_BATCH_MAX]),
        (ROWS_PER_BATCH_MAX + 1, [ROWS_PER_BATCH_MAX, 1]),
        (2 * ROWS_PER_BATCH_MAX + 1, [ROWS_PER_BATCH_MAX, ROWS_PER_BATCH_MAX, 1]),
    ],
)
def test_so_many_rows_make_a_part(count: int, sizes: list[int]) -> None:
    assert [len(part) for part in cut([row()] * count)] == sizes


@pytest.mark.parametrize(("more", "sizes"), [(-1, [4]), (0, [4]), (1, [3, 1])])
def test_so_many_bytes_make_a_part(more: int, sizes: list[int]) -> None:
    quarter = EVENT_BYTES_PER_BATCH_MAX // 4
    assert [
        len(part) for part in cut([*[row("x" * quarter)] * 3, row("x" * (quarter + more))])
    ] == (sizes)
    # Bytes as on the log, not characters.
    assert len(cut([row("ä" * quarter)] * 4)) == 2


def test_an_event_larger_than_a_part_is_a_part() -> None:
    large = row("x" * (EVENT_BYTES_PER_BATCH_MAX + 1))

    assert cut([row(), large, row()]) == [[row()], [large], [row()]]
