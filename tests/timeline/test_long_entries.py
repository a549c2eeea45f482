"""What took longer than a day stands apart, so that whoever looks back need not read weeks."""

from schemas.times import format_us
from tests.timeline.trail import NOW_US, Trail, number_of, run, run_entry, session_entry
from timeline.long_entries import LONG_ENTRIES, LONG_ENTRIES_FILL, LONG_US
from timeline.moment import Moment
from timeline.neighbour_query import Relation, read_at, read_neighbours
from timeline.scope import Scope
from timeline.statement import Statement

START_US = run_entry(1)["occurred_at"]
LASTING_US = 400 * 24 * 3_600_000_000


def after(start_us: int) -> str:
    return format_us(START_US + start_us)


def long_ones(trail: Trail) -> list[tuple[int, int]]:
    """Number and revision, in order."""
    statement = Statement(
        f"SELECT id, revision FROM {LONG_ENTRIES.name} FINAL"
        " WHERE organization = {organization:String}",
        {"organization": trail.organization},
    )
    rows = trail.store.read_now(lambda connection: connection.rows(statement))
    return sorted((number_of({"id": id_}), revision) for id_, revision in rows)


def test_those_are_kept_that_took_longer_than_a_day_as_the_newest_revision_says(
    trail: Trail,
) -> None:
    trail.put(
        run_entry(1, after(0), after(LONG_US)),
        run_entry(2, after(0), after(LONG_US + 1)),
        session_entry(3, after(0), None),
    )
    assert long_ones(trail) == [(2, 1)]

    trail.put(session_entry(3, after(0), after(LASTING_US), revision=2), token="again")
    trail.put(session_entry(3, after(0), after(LASTING_US), revision=2), token="again")
    trail.put(run_entry(2, after(0), after(LONG_US + 1), revision=5))
    assert long_ones(trail) == [(2, 5), (3, 2)]


def test_filling_in_what_was_there_before_gives_the_same(trail: Trail) -> None:
    trail.put(run_entry(1, after(0), after(LONG_US + 1)), run_entry(2))
    known = long_ones(trail)

    def anew(sql: str) -> None:
        trail.store.write_now(lambda connection: connection.command(sql))

    anew(LONG_ENTRIES_FILL)
    assert long_ones(trail) == known
    anew(f"TRUNCATE TABLE {LONG_ENTRIES.name}")
    anew(LONG_ENTRIES_FILL)
    assert long_ones(trail) == known == [(1, 1)]


def test_a_session_of_a_year_is_around_what_happened_in_its_last_hour(trail: Trail) -> None:
    trail.put(
        session_entry(1, after(0), after(LASTING_US)),
        session_entry(2, after(1), after(LASTING_US - 3_700_000_000)),
        run_entry(3, after(LASTING_US - 1), after(LASTING_US + 5)),
    )
    scope, moment = Scope(trail.organization), Moment(now_us=NOW_US, lost_after_us=LONG_US)
    (newest,) = trail.page(("limit", "1")).rows

    around = run(read_neighbours(trail.store, scope, newest, moment)).places

    during = run(read_at(trail.store, scope, around[Relation.DURING].nearest, moment))
    assert [number_of(row) for row in during] == [1]
    assert not around[Relation.BEFORE].nearest
