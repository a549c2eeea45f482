"""The access log of one organization, or of the installation, the newest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from schemas.access_event import AccessAction
from schemas.times import format_us
from timeline.access_ddl import ACCESS_HOUR, ACCESS_LOG
from timeline.connection import Connection, Row
from timeline.cursor import TIME_US_MAX, read_opaque, refused_cursor, write_opaque
from timeline.entry_conditions import HOUR_US, time_sql
from timeline.parameters import LIMIT_DEFAULT, UUID, Parameters
from timeline.statement import Statement
from timeline.store import Store

AccessJson: TypeAlias = dict[str, Any]

ACCESS_FILTERS: Final = (
    *("from", "to", "actor", "key_id", "action", "operation"),
    *("installation", "limit", "cursor"),
)
# What no organization's key was seen with.
_INSTALLATION: Final = ""
_CURSOR: Final = "access_log"
_TEXTS: Final = ("actor", "actor_kind", "key_id", "operation", "request_id", "client")


class AccessPlace(NamedTuple):
    """The list is sorted by these, the highest first. `at` in µs."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFilters:
    """Empty and None mean: not asked for. Times in µs; [from, to)."""

    is_installation: bool = False
    from_us: int | None = None
    to_us: int | None = None
    actors: tuple[str, ...] = ()
    key_ids: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    limit: int = LIMIT_DEFAULT
    after: AccessPlace | None = None


class AccessPage(NamedTuple):
    items: list[AccessJson]
    next_cursor: str | None


def parse_access_filters(pairs: Iterable[tuple[str, str]]) -> AccessFilters:
    """Raises RefusedError naming the parameter at fault."""
    given = Parameters(pairs, ACCESS_FILTERS)
    from_us, to_us = given.period_us()
    return AccessFilters(
        is_installation=given.boolean("installation") or False,
        from_us=from_us,
        to_us=to_us,
        actors=given.texts("actor"),
        key_ids=given.texts("key_id"),
        actions=given.choices("action", AccessAction),
        operations=given.texts("operation"),
        limit=given.limit(),
        after=_read_cursor(given.one("cursor")),
    )


async def read_access_log(store: Store, organization: str, filters: AccessFilters) -> AccessPage:
    """A page of it. Raises TimelineUnavailableError."""
    of = _INSTALLATION if filters.is_installation else organization
    rows = await store.read(
        lambda connection: _read(connection, of, filters), database=store.database
    )
    shown = rows[: filters.limit]
    is_more = len(rows) > filters.limit
    return AccessPage(
        [_access_json(row) for row in shown],
        write_opaque(_Cursor(_CURSOR, *_place(shown[-1]))) if is_more else None,
    )


def _read(connection: Connection, organization: str, filters: AccessFilters) -> list[Row]:
    """One more than the limit, when there are so many; of each access its highest revision.

    Earlier revisions and repetitions are left out here: FINAL and LIMIT BY would have the engine
    read all rows before the first is shown.
    """
    wanted = filters.limit + 1
    found: dict[AccessPlace, Row] = {}
    after = filters.after
    while len(found) < wanted:
        # An access that ended has two rows until they are merged.
        asked = 2 * (wanted - len(found))
        rows = connection.rows(_statement(organization, filters, after, asked))
        for row in rows:
            found.setdefault(_place(row), row)
        if len(rows) < asked:
            break
        after = _place(rows[-1])
    return list(found.values())[:wanted]


def _statement(
    organization: str, filters: AccessFilters, after: AccessPlace | None, limit: int
) -> Statement:
    parameters: dict[str, Any] = {"organization": organization, "limit": limit}
    conditions = ["organization = {organization:String}"]
    for name, sign, sign_of_hour, bound_us in (
        ("from_us", ">=", ">=", filters.from_us),
        ("to_us", "<", "<=", filters.to_us),
        ("after_us", "<=", "<=", after and after.at),
    ):
        if bound_us is not None:
            # The index does not see by itself that the hour follows the time.
            parameters |= {name: bound_us, f"{name}_hour": bound_us // HOUR_US}
            conditions += [
                f"at {sign} {time_sql(name)}",
                f"{ACCESS_HOUR} {sign_of_hour} {{{name}_hour:Int64}}",
            ]
    for column, values in (
        ("actor", filters.actors),
        ("key_id", filters.key_ids),
        ("action", filters.actions),
        ("operation", filters.operations),
    ):
        if values:
            parameters[f"{column}_in"] = list(values)
            conditions.append(f"{column} IN {{{column}_in:Array(String)}}")
    if after is not None:
        parameters["after_id"] = after.id
        conditions.append(f"(at, id) < ({time_sql('after_us')}, {{after_id:String}})")
    return Statement(
        "SELECT organization, toUnixTimestamp64Micro(at) AS at_us, id, actor, actor_kind, key_id,"
        " action, operation, target, status, rows, request_id, client, count"
        f" FROM {ACCESS_LOG.name} WHERE {' AND '.join(conditions)}"
        f" ORDER BY {ACCESS_HOUR} DESC, at DESC, id DESC, revision DESC LIMIT {{limit:UInt32}}",
        parameters,
    )


_NAMES: Final = (
    *("organization", "at", "id", "actor", "actor_kind", "key_id", "action", "operation"),
    *("target", "status", "rows", "request_id", "client", "count"),
)


def _place(row: Row) -> AccessPlace:
    return AccessPlace(row[1], row[2])


def _access_json(row: Row) -> AccessJson:
    item: AccessJson = dict(zip(_NAMES, row, strict=True))
    for name in ("organization", *_TEXTS):
        item[name] = item[name] or None
    return {
        **item,
        "at": format_us(item["at"]),
        "target": msgspec.json.decode(item["target"]),
    }


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    of: Literal["access_log"]
    at: int
    id: str


def _read_cursor(text: str | None) -> AccessPlace | None:
    if text is None:
        return None
    found = read_opaque(text, _Cursor)
    try:
        is_sound = 0 <= found.at < TIME_US_MAX and UUID.validate_python(found.id) == found.id
    except ValueError:
        is_sound = False
    if not is_sound:
        raise refused_cursor()
    return AccessPlace(found.at, found.id)
