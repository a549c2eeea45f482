"""Dead letters of an organization: a page of them, the newest first, and one.

A message that could not be read at all names no organization and is none of these.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import msgspec

from schemas.kinds import DEAD_EVENT_DETAILS, Kind
from timeline import ddl
from timeline.connection import Connection
from timeline.cursor import TIME_US_MAX, read_opaque, refused_cursor, write_opaque
from timeline.entry_conditions import time_sql
from timeline.parameters import LIMIT_DEFAULT, NAME, UUID, Parameters
from timeline.received_json import (
    PLACE_COLUMNS,
    RECEIVED_COLUMNS,
    LogPlace,
    Received,
    ReceivedJson,
    dead_letter_json,
    received,
)
from timeline.scope import Scope
from timeline.statement import Statement
from timeline.store import Store

DEAD_LETTER_FILTERS: Final = (
    *("from", "to", "reason", "workspace", "kind", "id", "limit", "cursor"),
)
_CURSOR: Final = "dead_letters"


class DeadLetterPlace(NamedTuple):
    """The list is sorted by these, the highest first. `received_at` in µs."""

    received_at: int
    partition: int
    offset: int
    event_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFilters:
    """Empty and None mean: not asked for. Times in µs, of arrival; [from, to)."""

    from_us: int | None = None
    to_us: int | None = None
    reasons: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()  # of records
    limit: int = LIMIT_DEFAULT
    after: DeadLetterPlace | None = None


class DeadLetterPage(NamedTuple):
    items: list[ReceivedJson]
    next_cursor: str | None


def parse_dead_letter_filters(pairs: Iterable[tuple[str, str]]) -> DeadLetterFilters:
    """Raises RefusedError naming the parameter at fault."""
    given = Parameters(pairs, DEAD_LETTER_FILTERS)
    from_us, to_us = given.period_us()
    return DeadLetterFilters(
        from_us=from_us,
        to_us=to_us,
        reasons=given.choices("reason", DEAD_EVENT_DETAILS),
        workspaces=given.texts("workspace", NAME),
        kinds=given.choices("kind", Kind),
        ids=given.texts("id", UUID),
        limit=given.limit(),
        after=_read_cursor(given.one("cursor")),
    )


async def read_dead_letters(
    store: Store, scope: Scope, filters: DeadLetterFilters
) -> DeadLetterPage:
    """A page of them. Raises TimelineUnavailableError."""
    rows = await store.read(lambda connection: _read(connection, scope, filters))
    shown = rows[: filters.limit]
    is_more = len(rows) > filters.limit
    return DeadLetterPage(
        list(map(dead_letter_json, shown)), _write_cursor(_place(shown[-1])) if is_more else None
    )


async def read_dead_letter(store: Store, scope: Scope, place: LogPlace) -> Received | None:
    """The one from there; None when this scope sees none. Raises TimelineUnavailableError."""
    partition, offset, event_index = place
    parameters: dict[str, Any] = {
        "partition": partition,
        "offset": offset,
        "event_index": event_index,
    }
    conditions = [
        *scope.conditions(parameters),
        "`partition` = {partition:UInt32}",
        "`offset` = {offset:Int64}",
        "`index` = {event_index:UInt32}",
    ]
    rows = await store.rows(
        Statement(
            f"SELECT {RECEIVED_COLUMNS} FROM {ddl.DEAD_LETTERS.name}"
            f" WHERE {' AND '.join(conditions)} LIMIT 1",
            parameters,
        )
    )
    return received(rows[0]) if rows else None


def _read(connection: Connection, scope: Scope, filters: DeadLetterFilters) -> list[Received]:
    """One more than the limit, when there are so many.

    Repetitions, which are the very same rows, are left out here: FINAL and LIMIT BY would have the
    engine read all rows before the first is shown. There are few, so one turn is enough mostly.
    """
    wanted = filters.limit + 1
    rows: list[Received] = []
    while len(rows) < wanted:
        missing = wanted - len(rows)
        after = _place(rows[-1]) if rows else filters.after
        found = connection.rows(_statement(scope, filters, after, missing))
        rows += dict.fromkeys(map(received, found))
        if len(found) < missing:
            break
    return rows


def _statement(
    scope: Scope, filters: DeadLetterFilters, after: DeadLetterPlace | None, limit: int
) -> Statement:
    parameters: dict[str, Any] = {"limit": limit}
    conditions = scope.conditions(parameters)
    for name, sign, bound_us in (
        ("from_us", ">=", filters.from_us),
        ("to_us", "<", filters.to_us),
        ("after_us", "<=", after and after.received_at),
    ):
        if bound_us is not None:
            parameters[name] = bound_us
            conditions.append(f"received_at {sign} {time_sql(name)}")
    for column, values in (
        ("dead_reason", filters.reasons),
        ("workspace", filters.workspaces),
        ("kind", filters.kinds),
        ("id", filters.ids),
    ):
        if values:
            parameters[f"{column}_in"] = list(values)
            conditions.append(f"{column} IN {{{column}_in:Array(String)}}")
    if after is not None:
        _, *place = after
        parameters |= zip(("after_partition", "after_offset", "after_index"), place, strict=True)
        conditions.append(
            f"(received_at, {PLACE_COLUMNS}) < ({time_sql('after_us')},"
            " {after_partition:UInt32}, {after_offset:Int64}, {after_index:UInt32})"
        )
    return Statement(
        f"SELECT {RECEIVED_COLUMNS} FROM {ddl.DEAD_LETTERS.name} WHERE {' AND '.join(conditions)}"
        " ORDER BY received_at DESC, `partition` DESC, `offset` DESC, `index` DESC"
        " LIMIT {limit:UInt32}",
        parameters,
    )


def _place(row: Received) -> DeadLetterPlace:
    return DeadLetterPlace(row.received_at, *row.place)


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    of: Literal["dead_letters"]
    received_at: int
    partition: int
    offset: int
    event_index: int


def _write_cursor(place: DeadLetterPlace) -> str:
    return write_opaque(_Cursor(_CURSOR, *place))


def _read_cursor(text: str | None) -> DeadLetterPlace | None:
    if text is None:
        return None
    found = read_opaque(text, _Cursor)
    place = DeadLetterPlace(found.received_at, found.partition, found.offset, found.event_index)
    if not (0 <= place.received_at < TIME_US_MAX and LogPlace(*place[1:]).is_sound):
        raise refused_cursor()
    return place
