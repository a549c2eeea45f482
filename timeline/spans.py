"""When entries were, at their newest revision: what other statements select from.

Must stay true:
- A record that is closed keeps its end in every later revision; an open one is over `lost_after`
  its start. So among what started longer ago than that, only closed revisions can still matter,
  and the first that fits is as good as the newest. Those that took longer than a day stand in
  LONG_ENTRIES, so nothing else has to be read that started more than a day before.
- Kind, workspace, start and actor of an entry never change: only on these may a condition look
  before the newest revision is chosen.

Source: the contract, section 4.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from schemas.limits import US_PER_S
from timeline import ddl
from timeline.column import Table
from timeline.entry_conditions import HOUR_US, time_sql
from timeline.entry_row import EntryColumns
from timeline.entry_times import ENTRY_TIMES
from timeline.long_entries import LONG_ENTRIES, LONG_US
from timeline.scope import Scope

# Up to so long, all that started before a period costs less than to ask which of it was open.
_NEAR_US_MAX: Final = 2 * 24 * 3_600 * US_PER_S


class Span(NamedTuple):
    """[start, end) in µs; a moment when both are equal. An open record is over when it is lost."""

    start: int
    end: int
    is_open: bool


class Reach(NamedTuple):
    """Between which times (both in, µs) somebody has to have been."""

    start: int
    end: int


def span_of(row: EntryColumns, lost_after_us: int) -> Span:
    start = row["occurred_at"]
    if row["ended_at"] is not None:
        return Span(start, row["ended_at"], is_open=False)
    return Span(start, start + (lost_after_us if row["is_open"] else 0), is_open=row["is_open"])


def spans_sql(
    scope: Scope,
    reach: Reach,
    lost_after_us: int,
    parameters: dict[str, Any],
    *,
    table: Table,
    conditions: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> str:
    """A SELECT of entries, one row each: all that touch `reach`, those for which TOUCHES holds.

    `table`: ENTRIES for those of few workspaces, ENTRY_TIMES for those of many.

    It has workspace, kind_text, id, start_us, end_us, is_open and `columns`, which are names of
    ours. `conditions` may use the parameters `reach_start` and `reach_end` and look at what never
    changes.
    """
    parameters |= {
        "reach_start": reach.start,
        "reach_end": reach.end,
        "near_start": max(0, reach.start - lost_after_us),
        "lost_after": lost_after_us,
    }
    keys = [*scope.conditions(parameters), *conditions]
    find = _few if table == ddl.ENTRIES else _many
    more = "".join(f", `{name}`" for name in columns)
    parts = [(table, part) for part in find(keys, reach, lost_after_us, parameters)]
    rows = " UNION ALL ".join(
        f"SELECT workspace, kind, id, occurred_at, ended_at, is_open, revision{more}"
        f" FROM {searched.name} WHERE {' AND '.join((*keys, *part))}"
        for searched, part in (*parts, (LONG_ENTRIES, _LASTED))
    )
    return (
        "SELECT workspace, toString(kind) AS kind_text, id,"
        " toUnixTimestamp64Micro(occurred_at) AS start_us,"
        " ifNull(toUnixTimestamp64Micro(ended_at),"
        f" start_us + if(is_open, {{lost_after:Int64}}, 0)) AS end_us, is_open{more}"
        f" FROM ({rows}) ORDER BY revision DESC LIMIT 1 BY workspace, kind, occurred_at, id"
    )


# Asked of the newest revision.
TOUCHES: Final = "end_us >= {reach_start:Int64}"
_STARTED: Final = f"occurred_at <= {time_sql('reach_end')}"
_NEAR: Final = f"occurred_at >= {time_sql('near_start')}"
# Of LONG_ENTRIES.
_LASTED: Final = (f"ended_at >= {time_sql('reach_start')}", _STARTED)


def _few(
    keys: Sequence[str], reach: Reach, lost_after_us: int, parameters: dict[str, Any]
) -> list[tuple[str, ...]]:
    """Few rows: all that started recently, with all its revisions."""
    table = ddl.ENTRIES
    if lost_after_us <= _NEAR_US_MAX:
        recent_us = _recent_us(reach, lost_after_us)
        return [(_hours(table, "recent", recent_us, reach.end, parameters), _STARTED)]
    return [
        (_hours(table, "recent", _recent_us(reach), reach.end, parameters), _STARTED),
        _open_before(table, keys, reach, parameters),
    ]


def _many(
    keys: Sequence[str], reach: Reach, lost_after_us: int, parameters: dict[str, Any]
) -> list[tuple[str, ...]]:
    """The table's index by end knows what ended late enough, closed or begun; where what may have
    been open stood beside it with an OR, the engine would not ask that index.
    """
    table = ENTRY_TIMES
    recent = _hours(table, "recent", _recent_us(reach), reach.end, parameters)
    return [
        (recent, _STARTED, f"{ddl.END_AT} >= {time_sql('reach_start')}"),
        _open_before(table, keys, reach, parameters),
    ]


def _open_before(
    table: Table, keys: Sequence[str], reach: Reach, parameters: dict[str, Any]
) -> tuple[str, str]:
    """What was ever open of all that started before the period and may not be lost yet.

    Few are, and only of them a later revision may say that they were over before. By their starts
    alone: whatever else starts at that moment does no harm, and to read ids takes longer than all
    the rest.
    """
    near = _hours(table, "near", parameters["near_start"], reach.start, parameters)
    ever_open = (
        f"occurred_at IN (SELECT occurred_at FROM {table.name} WHERE {' AND '.join(keys)}"
        f" AND {near} AND {_NEAR} AND is_open)"
    )
    return near, ever_open


def _recent_us(reach: Reach, least_us: int = 0) -> int:
    """From when on starts are looked at, in µs: at least `least_us` before the period."""
    return max(0, reach.start - max(LONG_US, least_us))


def _hours(table: Table, name: str, first: int, last: int, parameters: dict[str, Any]) -> str:
    """On the start of an entry: from the hour of `first` through the hour of `last`, in µs."""
    hours = (first // HOUR_US, last // HOUR_US)
    if table == ddl.ENTRIES:
        parameters |= {f"{name}_hour_first": hours[0], f"{name}_hour_last": hours[1]}
        return (
            f"{ddl.HOUR} >= {{{name}_hour_first:Int64}}"
            f" AND {ddl.HOUR} <= {{{name}_hour_last:Int64}}"
        )
    # The hour is not in the key of the other.
    parameters |= {f"{name}_first": hours[0] * HOUR_US, f"{name}_end": (hours[1] + 1) * HOUR_US}
    return f"occurred_at >= {time_sql(f'{name}_first')} AND occurred_at < {time_sql(f'{name}_end')}"
