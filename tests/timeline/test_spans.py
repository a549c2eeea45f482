import random
from typing import Any

import pytest

from schemas.times import format_us
from tests.timeline.trail import Trail, at_us, id_of, run_entry, session_entry
from timeline import ddl
from timeline.column import Table
from timeline.entry_times import ENTRY_TIMES
from timeline.scope import Scope
from timeline.spans import TOUCHES, Reach, spans_sql
from timeline.statement import Statement

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
REACH = Reach(at_us("10:00"), at_us("12:00"))

# (id, start, end, is open), in µs
Found = tuple[str, int, int, bool]


def touching(trail: Trail, table: Table, lost_after_us: int) -> list[Found]:
    parameters: dict[str, Any] = {}
    spans = spans_sql(Scope(trail.organization), REACH, lost_after_us, parameters, table=table)
    statement = Statement(
        f"SELECT id, start_us, end_us, is_open FROM ({spans}) WHERE {TOUCHES}", parameters
    )
    return sorted(map(tuple, trail.store.read_now(lambda connection: connection.rows(statement))))


def revisions(chance: random.Random, number: int) -> list[dict[str, Any]]:
    """One record: closed at once, open to this day, or open first and closed later."""
    length_us = chance.choice((0, HOUR_US, DAY_US, 4 * DAY_US, 70 * DAY_US))
    back_us = max(8 * DAY_US, length_us)
    start_us = REACH.end - int(chance.random() ** 2 * back_us) + HOUR_US
    build = chance.choice((run_entry, session_entry))
    open_, closed = (
        build(number, format_us(start_us), end)
        for end in (None, format_us(start_us + chance.randrange(length_us + 1)))
    )
    return [
        {**row, "revision": revision}
        for revision, row in enumerate(
            chance.choice(([closed], [open_], [open_, closed], [open_, open_, closed, closed]))
        )
    ]


@pytest.mark.parametrize("lost_after_us", [DAY_US, 5 * DAY_US])
@pytest.mark.parametrize("table", [ddl.ENTRIES, ENTRY_TIMES], ids=lambda table: table.name)
def test_whoever_touches_a_period_is_found_once_as_the_newest_revision_says(
    trail: Trail, table: Table, lost_after_us: int
) -> None:
    chance = random.Random(lost_after_us)
    records = [revisions(chance, number) for number in range(150)]
    for late in range(4):
        trail.put(*(rows[late] for rows in records if late < len(rows)))

    expected = []
    for *_, newest in records:
        start_us, end_us = newest["occurred_at"], newest["ended_at"]
        if end_us is None:
            end_us = start_us + lost_after_us
        if start_us <= REACH.end and end_us >= REACH.start:
            expected.append((newest["id"], start_us, end_us, newest["is_open"]))
    assert 20 < len(expected) < 130
    assert touching(trail, table, lost_after_us) == sorted(expected)


@pytest.mark.parametrize("table", [ddl.ENTRIES, ENTRY_TIMES], ids=lambda table: table.name)
def test_records_that_start_at_one_moment_are_told_apart(trail: Trail, table: Table) -> None:
    trail.put(run_entry(1, "09:00", None), run_entry(2, "09:00", None), session_entry(1, "09:00"))
    trail.put(run_entry(2, "09:00", "09:30", revision=2))
    start_us = at_us("09:00")
    assert touching(trail, table, DAY_US) == [
        (id_of(1), start_us, at_us("10:05"), False),
        (id_of(1), start_us, start_us + DAY_US, True),
    ]
