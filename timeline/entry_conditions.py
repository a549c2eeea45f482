"""What a SELECT on entries has to hold to: filters and periods as SQL conditions.

Must stay true:
- No value from outside is ever part of the SQL: only {name:Type} parameters are.
- A period is stated for the time and, of the table `entries`, for the hour, or its index does not
  help.
- Key conditions look at what never changes of an entry, value conditions at what a later revision
  may change: those hold only for the highest revision.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from schemas.kinds import Status
from schemas.times import format_us
from timeline import ddl
from timeline.cursor import Cursor, Order
from timeline.filters import TEXT_COLUMNS, Filters, Period
from timeline.moment import Moment
from timeline.statement import Statement
from timeline.windows import Window

T = TypeVar("T")

# No time of a record lies outside: 1970 to 2199.
_BEGINNING_US: Final = 0
_END_US: Final = 1 << 53
HOUR_US: Final = 3_600_000_000
STRETCHES: Final = Statement(
    "SELECT toUnixTimestamp64Micro(min(occurred_at)), toUnixTimestamp64Micro(max(occurred_at)),"
    f" count() FROM {ddl.ENTRIES.name} GROUP BY _partition_id"
)

# A server takes parameters of up to 128 KiB; an id has at most about 250 characters.
PLACES_MAX: Final = 400


def at_places(places: Sequence[Cursor], parameters: dict[str, Any], table: str) -> list[str]:
    """On what stands at these places, and on what shares start and id with one of them: whoever
    asks leaves that out.

    Each column by itself: to prepare tuples of all takes the engine longer than to read the rows.
    """
    parameters |= {
        "place_times": [place.occurred_at for place in places],
        "place_ids": [place.id for place in places],
    }
    conditions = [
        "toUnixTimestamp64Micro(occurred_at) IN {place_times:Array(Int64)}",
        "id IN {place_ids:Array(String)}",
    ]
    if table == ddl.ENTRIES.name:
        # Its index begins with them.
        parameters |= {
            "place_workspaces": sorted({place.workspace for place in places}),
            "place_kinds": sorted({place.kind for place in places}),
        }
        conditions += [
            "workspace IN {place_workspaces:Array(String)}",
            "kind IN {place_kinds:Array(String)}",
        ]
    return conditions


def portions(places: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many places at a time as a server takes, in their order."""
    for first in range(0, len(places), PLACES_MAX):
        yield places[first : first + PLACES_MAX]


def bounds_of(filters: Filters) -> Window:
    """Between which times the starts of the wanted entries lie."""
    start = _BEGINNING_US if filters.from_us is None else filters.from_us
    end = _END_US if filters.to_us is None else filters.to_us
    for period in filters.active:
        # Whoever runs in a period started before its end, or at that instant.
        end = min(end, max(period.end, period.start + 1))
    if filters.cursor is not None:
        at = filters.cursor.occurred_at
        if filters.order is Order.DESC:
            end = min(end, at + 1)
        else:
            start = max(start, at)
    return Window(start, end)


def between(window: Window, parameters: dict[str, Any], table: str = ddl.ENTRIES.name) -> list[str]:
    """On the start of an entry, as the index of `table` can use it."""
    parameters |= {"window_start": window.start, "window_end": window.end}
    conditions = [
        f"occurred_at >= {time_sql('window_start')}",
        f"occurred_at < {time_sql('window_end')}",
    ]
    if table == ddl.ENTRIES.name:
        # Only where the hour is in the key: elsewhere, asking for it costs more than all the rest.
        parameters |= {
            "hour_first": window.start // HOUR_US,
            "hour_last": window.end // HOUR_US,
        }
        conditions += [
            f"{ddl.HOUR} >= {{hour_first:Int64}}",
            f"{ddl.HOUR} <= {{hour_last:Int64}}",
        ]
    return conditions


def narrowness(filters: Filters) -> int:
    """How few entries the filters leave, in steps; a guess that only costs time when it is wrong.

    What the table is sorted by, or has an index for, is cheap to look for in a wide window.
    """
    is_moment = any(period.end - period.start < HOUR_US for period in filters.active)
    if is_moment or filters.commits or "ticket" in filters.texts:
        return 4
    is_some = filters.workspaces or filters.statuses or filters.exit_codes or filters.unexplained
    is_indexed = filters.texts or filters.flags
    # There are more hosts than people.
    is_host = "host" in filters.texts
    return (1 if is_some else 0) + (2 if is_indexed else 0) + (1 if is_host else 0)


def key_conditions(filters: Filters, parameters: dict[str, Any]) -> list[str]:
    """On what never changes of an entry."""
    conditions = []
    if filters.kinds:
        parameters["kinds"] = list(filters.kinds)
        conditions.append("kind IN {kinds:Array(String)}")
    if filters.workspaces:
        parameters["workspaces"] = list(filters.workspaces)
        conditions.append("workspace IN {workspaces:Array(String)}")
    if filters.environments:
        parameters["environments"] = list(filters.environments)
        conditions.append(
            f"workspace IN (SELECT name FROM {ddl.WORKSPACES.name} FINAL WHERE"
            " organization = {organization:String} AND"
            " environment IN {environments:Array(String)})"
        )
    return conditions


def value_conditions(filters: Filters, moment: Moment, parameters: dict[str, Any]) -> list[str]:
    """On what a later revision may change."""
    conditions = []
    for number, period in enumerate(filters.active):
        conditions.append(_active(period, number, moment, parameters))
    for name, texts in filters.texts.items():
        parameters[f"{name}_in"] = list(texts)
        conditions.append(_is_one_of(name, f"{{{name}_in:Array(String)}}"))
    if filters.statuses:
        parameters |= {"statuses": list(filters.statuses), "lost_before": moment.lost_before_us}
        conditions.append(
            f"if(is_open AND occurred_at <= {time_sql('lost_before')}, '{Status.LOST.value}',"
            " toString(status)) IN {statuses:Array(String)}"
        )
    if filters.exit_codes:
        parameters["exit_codes"] = list(filters.exit_codes)
        conditions.append("exit_code IN {exit_codes:Array(Int64)}")
    if filters.commits:
        parameters["commits"] = list(filters.commits)
        conditions.append(f"({' OR '.join(map(_is_commit, _COMMIT_COLUMNS))})")
        if min(map(len, filters.commits)) >= ddl.SHA_DIGITS_MIN:
            # Follows from the one above, and is what the index knows.
            parameters["commits_short"] = [sha[: ddl.SHA_DIGITS_MIN] for sha in filters.commits]
            conditions.append(f"hasAny({ddl.COMMITS}, {{commits_short:Array(String)}})")
    if filters.unexplained is not None:
        conditions.append("unexplained" if filters.unexplained else "NOT unexplained")
    if filters.flags:
        parameters["flags_any"] = list(filters.flags)
        conditions.append("hasAny(flags, {flags_any:Array(String)})")
    return conditions


def _is_one_of(filter_name: str, values: str) -> str:
    columns = TEXT_COLUMNS[filter_name]
    if len(columns) == 1:
        return f"`{columns[0]}` IN {values}"
    assert filter_name == "host", filter_name
    return f"hasAny({ddl.HOSTS}, {values})"


def _active(period: Period, number: int, moment: Moment, parameters: dict[str, Any]) -> str:
    """Runs in `period`; that it starts before the end of it is one of the bounds.

    [start, end) of the record; a moment only counts at itself.
    """
    parameters |= {f"active_start_{number}": period.start, "lost_after": moment.lost_after_us}
    start = time_sql(f"active_start_{number}")
    lost_at = "addMicroseconds(occurred_at, {lost_after:Int64})"
    end = f"ifNull(ended_at, if(is_open, {lost_at}, occurred_at))"
    return f"(occurred_at >= {start} OR {end} > {start})"


def active_parts(
    filters: Filters, moment: Moment, parameters: dict[str, Any], table: str
) -> list[tuple[str, ...]]:
    """What "active" comes to for a search by index: closed records by their end, open ones by
    their start. Either follows from the exact condition, which one index cannot serve.
    """
    if not filters.active:
        return [()]
    start = max(period.start for period in filters.active)
    open_from = max(0, start - moment.lost_after_us)
    parameters |= {"part_start": start, "open_from": open_from}
    is_open: tuple[str, ...] = ("is_open", f"occurred_at >= {time_sql('open_from')}")
    if table == ddl.ENTRIES.name:
        parameters["open_hour"] = open_from // HOUR_US
        is_open = (*is_open, f"{ddl.HOUR} >= {{open_hour:Int64}}")
    return [(f"{ddl.END_AT} >= {time_sql('part_start')}",), is_open]


# Of the run, of the sync, and of the sync a record was configured by.
_COMMIT_COLUMNS: Final = ("commit_sha", "git_after_sha", "configured_by_commit")


def _is_commit(column: str) -> str:
    """SHAs of different length are the same commit when one is the beginning of the other."""
    return (
        f"({column} != '' AND arrayExists(sha -> startsWith({column}, sha)"
        f" OR startsWith(sha, {column}), {{commits:Array(String)}}))"
    )


def time_sql(parameter: str) -> str:
    return f"fromUnixTimestamp64Micro({{{parameter}:Int64}}, 'UTC')"


def time_text(time_us: int) -> str:
    """As the engine reads a time inside an array."""
    return format_us(time_us).rstrip("Z").replace("T", " ")
