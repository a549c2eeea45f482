"""A page of the timeline: filters to SQL, and the rows in order.

Must stay true:
- No value from outside is ever part of the SQL: only {name:Type} parameters are.
- Only rows of the scope's organization and workspaces come back.
- The highest revision counts, also for whether a filter holds.
- Pages go by (occurred_at, kind, id, workspace), of which nothing ever changes: no entry is shown
  twice, and none is left out that was there when the first page was read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from timeline.connection import Connection
from timeline.cursor import Cursor, Order, write_cursor
from timeline.entry_conditions import (
    HOUR_US,
    PLACES_MAX,
    STRETCHES,
    active_parts,
    at_places,
    between,
    bounds_of,
    key_conditions,
    narrowness,
    portions,
    time_sql,
    value_conditions,
)
from timeline.entry_row import EntryColumns
from timeline.entry_times import ENTRY_TIMES, read_by_columns, read_whole, searched_table
from timeline.filters import Filters
from timeline.host_workspaces import workspaces_of
from timeline.moment import Moment
from timeline.scope import Scope
from timeline.statement import Statement
from timeline.store import Store
from timeline.windows import GROWTH, Stretch, Window, windows

# Up to so many rows for one that is wanted, reading all is cheaper than looking each up.
_DENSE_ROWS_MAX: Final = 4
# Measured: decision 22.
_SHORT_US: Final = 48 * HOUR_US


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
        if len(places) > PLACES_MAX and _is_dense(connection, scope, filters, places):
            rows += _read_between(connection, scope, filters, moment, places)
        else:
            rows += read_places(connection, scope, filters, moment, places)
    shown = rows[: filters.limit]
    is_more = len(rows) > filters.limit
    return Page(shown, write_cursor(_place(shown[-1]), filters.order) if is_more else None)


def read_places(
    connection: Connection,
    scope: Scope,
    filters: Filters,
    moment: Moment,
    places: Sequence[Cursor],
) -> Iterator[EntryColumns]:
    """The entries at these places, which are in the order of `filters`, that still fit."""
    for portion in portions(places):
        statement = partial(entries_statement, scope, filters, moment, portion)
        if len({place.workspace for place in portion}) == 1 and not _is_short(portion):
            # In `entries` they share granules; by time each would stand in one of its own.
            rows = read_by_columns(connection, statement, {place.kind for place in portion})
        else:
            rows = read_whole(connection, scope, statement)
        by_place = {_place(row): row for row in rows}
        yield from (by_place[place] for place in portion if place in by_place)


def _is_short(places: Sequence[Cursor]) -> bool:
    """Whether they are so close in time that their documents cost less than their columns."""
    window = _window_of(places)
    return window.end - window.start <= _SHORT_US


def _is_dense(
    connection: Connection, scope: Scope, filters: Filters, places: Sequence[Cursor]
) -> bool:
    """Whether most of what stands between these places is wanted."""
    parameters: dict[str, Any] = {}
    conditions = [
        *scope.conditions(parameters),
        *between(_window_of(places), parameters, ENTRY_TIMES.name),
        *key_conditions(filters, parameters),
    ]
    sql = f"SELECT count() FROM {ENTRY_TIMES.name} WHERE {' AND '.join(conditions)}"
    ((count,),) = connection.rows(Statement(sql, parameters))
    return int(count) <= _DENSE_ROWS_MAX * len(places)


def _read_between(
    connection: Connection,
    scope: Scope,
    filters: Filters,
    moment: Moment,
    places: Sequence[Cursor],
) -> list[EntryColumns]:
    """As `read_places`, by reading all there is between them: for many places that are close."""
    window = _window_of(places)
    rows = read_whole(
        connection, scope, partial(_between_statement, scope, filters, moment, window)
    )
    # Others start at the very moment of the first or the last.
    known = set(places)
    return [row for row in rows if _place(row) in known]


def _between_statement(
    scope: Scope, filters: Filters, moment: Moment, window: Window, table: str, columns: str
) -> Statement:
    parameters: dict[str, Any] = {}
    conditions = [
        *scope.conditions(parameters),
        *between(window, parameters, table),
        *key_conditions(filters, parameters),
        *value_conditions(filters, moment, parameters),
    ]
    return Statement(
        f"SELECT {columns}, true AS fits FROM {table} FINAL WHERE {' AND '.join(conditions)}"
        f" ORDER BY {_order('occurred_at', 'toString(kind)', filters.order)}",
        parameters,
    )


def _window_of(places: Sequence[Cursor]) -> Window:
    times = [place.occurred_at for place in places]
    return Window(min(times), max(times) + 1)


class _Search:
    """Finds the places of entries that may be wanted, in order, window by window."""

    def __init__(
        self, connection: Connection, scope: Scope, filters: Filters, moment: Moment
    ) -> None:
        self._connection, self._scope = connection, scope
        self._moment = moment
        self._after = filters.cursor
        bounds = bounds_of(filters)
        is_empty = bounds.start >= bounds.end
        hosts = filters.texts.get("host")
        if hosts and not filters.workspaces and not is_empty:
            workspaces = workspaces_of(connection, scope, hosts)
            is_empty = workspaces == ()
            filters = replace(filters, workspaces=workspaces or ())
        self._filters = filters
        stretches: list[Stretch] = []
        if not is_empty:
            stretches = [Stretch(*row) for row in connection.rows(STRETCHES)]
        # As if more rows were wanted: about so many have to be looked at for one that fits.
        looked_at = (filters.limit + 1) * GROWTH ** narrowness(filters)
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


def _place(row: EntryColumns) -> Cursor:
    return Cursor(row["occurred_at"], row["kind"], row["id"], row["workspace"])


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
    table = searched_table(scope, filters)
    parameters: dict[str, Any] = {"limit": limit}
    conditions = [
        *scope.conditions(parameters),
        *between(window, parameters, table),
        *key_conditions(filters, parameters),
        # Not who was active: the parts below and the window say that, and said twice it takes the
        # engine longer to prepare than to find.
        *value_conditions(replace(filters, active=()), moment, parameters),
    ]
    if after is not None:
        conditions.append(_after(after, filters.order, parameters))
    order = _order("occurred_at_us", "kind_text", filters.order)
    parts = [
        "SELECT toUnixTimestamp64Micro(occurred_at) AS occurred_at_us,"
        f" toString(kind) AS kind_text, id, workspace FROM {table}"
        f" WHERE {' AND '.join([*conditions, *only])}"
        for only in active_parts(filters, moment, parameters, table)
    ]
    return Statement(
        f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)})"
        f" ORDER BY {order} LIMIT {{limit:UInt32}}",
        parameters,
    )


def entries_statement(
    scope: Scope,
    filters: Filters,
    moment: Moment,
    places: Sequence[Cursor],
    table: str,
    columns: str,
) -> Statement:
    """`columns` of the highest revisions at these places and whether each fits, in no order.

    And of some that are not at these places (see `at_places`).
    """
    parameters: dict[str, Any] = {}
    keys = [
        *scope.conditions(parameters),
        *between(_window_of(places), parameters, table),
        *at_places(places, parameters, table),
    ]
    # As a column and not as a condition on a SELECT of all columns: the engine reads only what is
    # asked for. All revisions at few places: cheaper to sort than to read FINAL, which reads whole
    # ranges.
    fits = " AND ".join(value_conditions(filters, moment, parameters)) or "true"
    return Statement(
        f"SELECT {columns}, {fits} AS fits FROM {table} WHERE {' AND '.join(keys)}"
        " ORDER BY revision DESC LIMIT 1 BY workspace, kind, occurred_at, id",
        parameters,
    )


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
        f"(occurred_at, toString(kind), id, workspace) {sign} ({time_sql('after_at')},"
        " {after_kind:String}, {after_id:String}, {after_workspace:String})"
    )
