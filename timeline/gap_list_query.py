"""The list of gaps: what CLI instances counted and never arrived, by instance and count.

Must stay true: what a page told is not told again by the pages after it, however much of it arrives
meanwhile; nothing else is left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import msgspec
from pydantic import ValidationError

from timeline.cursor import TIME_US_MAX, read_opaque, refused_cursor, write_opaque
from timeline.gap_query import Counted, Counts, gap_json, read_gap_list
from timeline.instance_query import in_scope
from timeline.parameters import INSTANCE_ID, LIMIT_DEFAULT, Parameters
from timeline.scope import Scope
from timeline.spans import Reach
from timeline.store import Store

GAP_FILTERS: Final = ("from", "to", "cli_instance_id", "limit", "cursor")
_CURSOR: Final = "gaps"
_SEQ_MAX: Final = (1 << 63) - 1
ALL_TIME: Final = Reach(0, TIME_US_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapFilters:
    """Empty and None mean: not asked for. `reach`: what a gap has to touch."""

    reach: Reach = ALL_TIME
    instances: tuple[str, ...] = ()
    limit: int = LIMIT_DEFAULT
    start: Counted | None = None  # what arrived behind the last gap of the page before


class GapPage(NamedTuple):
    items: list[dict[str, Any]]
    next_cursor: str | None


def parse_gap_filters(pairs: Iterable[tuple[str, str]]) -> GapFilters:
    """Raises RefusedError naming the parameter at fault."""
    given = Parameters(pairs, GAP_FILTERS)
    from_us, to_us = given.period_us()
    return GapFilters(
        # `to` itself is outside, and both ends of a reach are in.
        reach=Reach(from_us or 0, TIME_US_MAX if to_us is None else to_us - 1),
        instances=given.texts("cli_instance_id", INSTANCE_ID),
        limit=given.limit(),
        start=_read_cursor(given.one("cursor")),
    )


async def read_gap_page(store: Store, scope: Scope, filters: GapFilters) -> GapPage:
    """A page of them. Raises TimelineUnavailableError."""
    parameters: dict[str, Any] = {}
    conditions = in_scope(scope, parameters)
    if filters.instances:
        parameters["instances"] = list(filters.instances)
        conditions.append("cli_instance_id IN {instances:Array(String)}")
    counts = Counts(conditions, parameters)
    gaps = await read_gap_list(store, counts, filters.reach, filters.start, filters.limit + 1)
    shown = gaps[: filters.limit]
    is_more = len(gaps) > filters.limit
    return GapPage(
        list(map(gap_json, shown)),
        _write_cursor(Counted(shown[-1].cli_instance_id, shown[-1].last_missing + 1))
        if is_more
        else None,
    )


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    of: Literal["gaps"]
    cli_instance_id: str
    client_seq: int


def _write_cursor(place: Counted) -> str:
    return write_opaque(_Cursor(_CURSOR, *place))


def _read_cursor(text: str | None) -> Counted | None:
    if text is None:
        return None
    found = read_opaque(text, _Cursor)
    try:
        is_sound = INSTANCE_ID.validate_python(found.cli_instance_id) == found.cli_instance_id
    except ValidationError as error:
        raise refused_cursor() from error
    if not is_sound or not 0 <= found.client_seq <= _SEQ_MAX:
        raise refused_cursor()
    return Counted(found.cli_instance_id, found.client_seq)
