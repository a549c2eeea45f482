"""A page of the timeline: filters to SQL, and the rows in order.

Must stay true:
- No value from outside is ever part of the SQL: only {name:Type} parameters are.
- Only rows of the scope's organization and workspaces come back.
- The highest revision counts, also for whether a filter holds.
- Pages go by (occurred_at, kind, id, workspace), of which nothing ever changes: no entry is shown
  twice, and none is left out that was there when the first page was read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas.kinds import Status
from schemas.times import format_us
from timeline import ddl
from timeline.connection import Connection
from timeline.cursor import Cursor, Order, write_cursor
from timeline.entry_row import SELECTED, EntryColumns, entry_row
from timeline.filters import TEXT_COLUMNS, Filters, Period
from timeline.scope import Scope
from timeline.statement import Statement
from timeline.store import Store
from timeline.windows import GROWTH, Stretch, Window, windows

# No time of a record lies outside: 1970 to 2199.
_BEGINNING_US: Final = 0
_END_US: Final = 1 << 53
HOUR_US: Final = 3_600_000_000
# A server takes parameters of up to 128 KiB; a place has at most about 250 characters.
_PLACES_MAX: Final = 400

_STRETCHES: Final = Statement(
    "SELECT toUnixTimestamp64Micro(min(occurred_at)), toUnixTimestamp64Micro(max(occurred_at)),"
    f" count() FROM {ddl.ENTRIES.name} GROUP BY _partition_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a page is read, and after how long an open record reads as lost; in µs."""

    now_us: int
    lost_after_us: int

    @property
    def lost_before_us(self) -> int:
        """Open records that started at or before this are lost."""
        return self.now_us - self.lost_after_us


class Page(NamedTuple):
    rows: list[EntryColumns]
    next_cursor: str | None


async def read_page(store: Store, scope: Scope, filters: Filters, moment: Moment) -> Page:
    """The next `filters.limit` entries. Raises TimelineUnavailableError."""
    return await store.read(lambda connection: _read_page(connection, scope, filters, moment))


def _read_page(connection: Connection, scope: Scope, filters: Filters, moment: Moment) -> Page:
    wanted = filters.limit + 1  # one more tells whether there is a next page
    search = _Search(connection, scope, filters, moment)
    rows: list[EntryColumns] = []
    while len(rows) < wanted:
        places = search.next_places(wanted - len(rows))
        if not places:
            break
        # Later places stand behind earlier ones, so their entries do.
        for first in range(0, len(places), _PLACES_MAX):
            portion = places[first : first + _PLACES_MAX]
            statement = entries_statement(scope, filters, moment, portion)
            rows += map(entry_row, connection.rows(statement))
    shown = rows[: filters.limit]
    is_more = len(rows) > filters.limit
    return Page(shown, write_cursor(_place(shown[-1]), filters.order) if is_more else None)


class _Search:
    """Finds the places of entries that may be wanted, in order, window by window."""

    def __init__(
        self, connection: Connection, scope: Scope, filters: Filters, moment: Moment
    ) -> None:
        self._connection, self._scope = connection, scope
        self._filters, self._moment = filters, moment
        self._after = filters.cursor
        bounds = _bounds(filters)
        stretches: list[Stretch] = []
        if bounds.start < bounds.end:
            stretches = [Stretch(*row) for row in connection.rows(_STRETCHES)]
        # As if more rows were wanted: about so many have to be looked at for one that fits.
        looked_at = (filters.limit + 1) * GROWTH ** _narrowness(filters)
        self._windows = windows(stretches, bounds, filters.order, looked_at)
        self._window = next(self._windows, None)

    def next_places(self, wanted: int) -> list[Cursor]:
        """The next places, fewer than `wanted` only at the end."""
        places: list[Cursor] = []
        while self._window is not None and len(places) < wanted:
            statement = places_statement(
                self._scope,
                self._filters,
                self._moment,
                self._window,
                after=self._after,
                limit=wanted - len(places),
            )
            places += (Cursor(*row) for row in self._connection.rows(statement))
            if places:
                self._after = places[-1]
            if len(places) < wanted:
                self._window = next(self._windows, None)
        return places


def _narrowness(filters: Filters) -> int:
    """How few entries the filters leave, in steps; a guess that only costs time when it is wrong.

    What the table is sorted by, or has an index for, is cheap to look for in a wide window.
    """
    is_indexed = filters.texts or filters.commits or filters.flags
    return (1 if filters.workspaces else 0) + (2 if is_indexed else 0)


def _place(row: EntryColumns) -> Cursor:
    return Cursor(row["occurred_at"], row["kind"], row["id"], row["workspace"])


def _bounds(filters: Filters) -> Window:
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


def places_statement(
    scope: Scope,
    filters: Filters,
    moment: Moment,
    window: Window,
    *,
    after: Cursor | None,
    limit: int,
) -> Statement:
    """The first `limit` places inside `window` where any revision of an entry fits.

    Few columns, and nothing has to be brought together: this is what may look at many rows.
    """
    parameters: dict[str, Any] = {"limit": limit}
    conditions = [
        *scope.conditions(parameters),
        *_between(window, parameters),
        *_key_conditions(filters, parameters),
        *_value_conditions(filters, moment, parameters),
    ]
    if after is not None:
        conditions.append(_after(after, filters.order, parameters))
    return Statement(
        "SELECT DISTINCT toUnixTimestamp64Micro(occurred_at) AS occurred_at_us,"
        f" toString(kind) AS kind_text, id, workspace FROM {ddl.ENTRIES.name}"
        f" WHERE {' AND '.join(conditions)}"
        f" ORDER BY {_order('occurred_at_us', 'kind_text', filters.order)} LIMIT {{limit:UInt32}}",
        parameters,
    )


def entries_statement(
    scope: Scope, filters: Filters, moment: Moment, places: Sequence[Cursor]
) -> Statement:
    """The entries at these places whose highest revision fits, in order."""
    times = [place.occurred_at for place in places]
    parameters: dict[str, Any] = {
        "places": [
            (
                place.workspace,
                place.occurred_at // HOUR_US,
                place.kind,
                _time_text(place.occurred_at),
                place.id,
            )
            for place in places
        ]
    }
    keys = [
        *scope.conditions(parameters),
        *_between(Window(min(times), max(times) + 1), parameters),
        _AT_PLACES,
    ]
    # All revisions at few places: cheaper to sort than to read FINAL, which reads whole ranges.
    newest = (
        f"SELECT * FROM {ddl.ENTRIES.name} WHERE {' AND '.join(keys)}"
        " ORDER BY revision DESC LIMIT 1 BY workspace, kind, occurred_at, id"
    )
    values = _value_conditions(filters, moment, parameters) or ["1"]
    return Statement(
        f"SELECT {SELECTED} FROM ({newest}) WHERE {' AND '.join(values)}"
        f" ORDER BY {_order('occurred_at', 'toString(kind)', filters.order)}",
        parameters,
    )


# In the order of the table's key, so that its index finds each of them. An array that is stated as
# it is: the result of a subquery is looked up four times as slowly.
_AT_PLACES: Final = (
    f"(workspace, {ddl.HOUR}, kind, occurred_at, id) IN"
    " {places:Array(Tuple(String, Int64, String, DateTime64(6, 'UTC'), String))}"
)


def _time_text(time_us: int) -> str:
    """As the engine reads a time inside an array."""
    return format_us(time_us).rstrip("Z").replace("T", " ")


def _between(window: Window, parameters: dict[str, Any]) -> list[str]:
    """On the start of an entry, as the table's index can use it."""
    parameters |= {
        "window_start": window.start,
        "window_end": window.end,
        "hour_first": window.start // HOUR_US,
        "hour_last": window.end // HOUR_US,
    }
    return [
        f"occurred_at >= {_time('window_start')}",
        f"occurred_at < {_time('window_end')}",
        f"{ddl.HOUR} >= {{hour_first:Int64}}",
        f"{ddl.HOUR} <= {{hour_last:Int64}}",
    ]


def _order(time: str, kind: str, order: Order) -> str:
    """Kind and id by their text; the workspace because an id may live in several."""
    direction = order.value.upper()
    return ", ".join(f"{name} {direction}" for name in (time, kind, "id", "workspace"))


def _after(cursor: Cursor, order: Order, parameters: dict[str, Any]) -> str:
    """Behind this place in this order."""
    parameters |= {
        "after_at": cursor.occurred_at,
        "after_kind": cursor.kind,
        "after_id": cursor.id,
        "after_workspace": cursor.workspace,
    }
    sign = "<" if order is Order.DESC else ">"
    return (
        f"(occurred_at, toString(kind), id, workspace) {sign} ({_time('after_at')},"
        " {after_kind:String}, {after_id:String}, {after_workspace:String})"
    )


def _time(parameter: str) -> str:
    return f"fromUnixTimestamp64Micro({{{parameter}:Int64}}, 'UTC')"


def _key_conditions(filters: Filters, parameters: dict[str, Any]) -> list[str]:
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


def _value_conditions(filters: Filters, moment: Moment, parameters: dict[str, Any]) -> list[str]:
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
            f"if(is_open AND occurred_at <= {_time('lost_before')}, '{Status.LOST.value}',"
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
    start = _time(f"active_start_{number}")
    lost_at = "addMicroseconds(occurred_at, {lost_after:Int64})"
    end = f"ifNull(ended_at, if(is_open, {lost_at}, occurred_at))"
    # The first part follows from the second, and is what the index knows.
    return f"({ddl.OVER_AT} >= {start} AND (occurred_at >= {start} OR {end} > {start}))"


# Of the run, of the sync, and of the sync a record was configured by.
_COMMIT_COLUMNS: Final = ("commit_sha", "git_after_sha", "configured_by_commit")


def _is_commit(column: str) -> str:
    """SHAs of different length are the same commit when one is the beginning of the other."""
    return (
        f"({column} != '' AND arrayExists(sha -> startsWith({column}, sha)"
        f" OR startsWith(sha, {column}), {{commits:Array(String)}}))"
    )
