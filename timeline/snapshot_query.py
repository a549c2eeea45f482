"""The history of one record: its snapshots as received, dead ones too, in the order of the log."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import msgspec

from timeline import ddl
from timeline.cursor import read_opaque, refused_cursor, write_opaque
from timeline.parameters import LIMIT_DEFAULT, Parameters
from timeline.received_json import (
    PLACE_COLUMNS,
    RECEIVED_COLUMNS,
    LogPlace,
    ReceivedJson,
    history_json,
    received,
)
from timeline.scope import Scope
from timeline.statement import Statement
from timeline.store import Store

# Besides what says which record is meant.
HISTORY_PARAMETERS: Final = ("workspace", "limit", "cursor")
_CURSOR: Final = "history"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPart:
    """Which part of a history is asked for. `after` None: from its beginning."""

    limit: int = LIMIT_DEFAULT
    after: LogPlace | None = None


class HistoryPage(NamedTuple):
    items: list[ReceivedJson]
    next_cursor: str | None


def parse_history_part(pairs: Iterable[tuple[str, str]]) -> HistoryPart:
    """Raises RefusedError naming the parameter at fault."""
    given = Parameters(pairs, HISTORY_PARAMETERS)
    return HistoryPart(limit=given.limit(), after=_read_cursor(given.one("cursor")))


async def read_history(
    store: Store, scope: Scope, kind: str, id_: str, workspace: str, part: HistoryPart
) -> HistoryPage:
    """A page of a record's snapshots. Raises TimelineUnavailableError."""
    rows = list(map(received, await store.rows(_statement(scope, kind, id_, workspace, part))))
    shown = rows[: part.limit]
    is_more = len(rows) > part.limit
    return HistoryPage(
        list(map(history_json, shown)), _write_cursor(shown[-1].place) if is_more else None
    )


def _statement(scope: Scope, kind: str, id_: str, workspace: str, part: HistoryPart) -> Statement:
    parameters: dict[str, Any] = {
        "kind": kind,
        "id": id_,
        "workspace": workspace,
        "limit": part.limit + 1,
    }
    conditions = [
        *scope.conditions(parameters),
        *("workspace = {workspace:String}", "kind = {kind:String}", "id = {id:String}"),
    ]
    if part.after is not None:
        parameters |= {f"after_{name}": value for name, value in part.after._asdict().items()}
        conditions.append(
            f"({PLACE_COLUMNS}) >"
            " ({after_partition:UInt32}, {after_offset:Int64}, {after_event_index:UInt32})"
        )
    return Statement(
        f"SELECT {RECEIVED_COLUMNS} FROM {ddl.SNAPSHOTS.name} FINAL"
        f" WHERE {' AND '.join(conditions)} ORDER BY {PLACE_COLUMNS} LIMIT {{limit:UInt32}}",
        parameters,
    )


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    of: Literal["history"]
    partition: int
    offset: int
    event_index: int


def _write_cursor(place: LogPlace) -> str:
    return write_opaque(_Cursor(_CURSOR, *place))


def _read_cursor(text: str | None) -> LogPlace | None:
    if text is None:
        return None
    found = read_opaque(text, _Cursor)
    place = LogPlace(found.partition, found.offset, found.event_index)
    if not place.is_sound:
        raise refused_cursor()
    return place
