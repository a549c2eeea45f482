"""Who was around a record: in its workspace before, during and after it, and its actor's work.

Must stay true:
- Before, during and after are the rules of the links, so whom a link names is in one of the lists;
  a list that has to be cut keeps those first.
- The newest revision counts.

Source: the contract, sections 4 and 5.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from schemas.kinds import Kind
from schemas.limits import LINK_WINDOW_US
from timeline import ddl
from timeline.cursor import Cursor, Order
from timeline.entry_row import EntryColumns
from timeline.entry_times import ENTRY_TIMES
from timeline.filters import Filters
from timeline.moment import Moment
from timeline.scope import Scope
from timeline.spans import TOUCHES, Reach, span_of, spans_sql
from timeline.statement import Statement
from timeline.store import Store
from timeline.timeline_query import read_places

# Who needs more asks the timeline for the period.
NEIGHBOURS_MAX: Final = 100
# CLI instances whose gaps are looked for.
INSTANCES_MAX: Final = 1_000


class Relation(StrEnum):
    """When a neighbour was, seen from the record."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


class Places(NamedTuple):
    """The nearest ones, the nearest first."""

    nearest: list[Cursor]
    is_cut: bool


class Neighbours(NamedTuple):
    """Where they stand, and the CLI instances of all of them, shown or not, and of the record."""

    places: dict[Relation, Places]
    instances: list[str]


async def read_neighbours(
    store: Store, scope: Scope, record: EntryColumns, moment: Moment
) -> Neighbours:
    """The runs and sessions around `record`. Raises TimelineUnavailableError."""
    found: dict[Relation, list[Cursor]] = {relation: [] for relation in Relation}
    instances = {record["cli_instance_id"]}
    for relation, *place, seen in await store.rows(_neighbours(scope, record, moment)):
        found[Relation(relation)].append(Cursor(*place))
        instances.update(seen)
    return Neighbours(
        {relation: _places(places) for relation, places in found.items()},
        sorted(instances - {""}),
    )


async def read_actor_work(
    store: Store, scope: Scope, record: EntryColumns, moment: Moment
) -> Places:
    """Where the other records of `record`'s actor stand that touch it or the hour on either side.

    Of every kind and workspace. Raises TimelineUnavailableError.
    """
    rows = await store.rows(_actor_work(scope, record, moment))
    return _places([Cursor(*row) for row in rows])


async def read_at(
    store: Store, scope: Scope, places: Sequence[Cursor], moment: Moment
) -> list[EntryColumns]:
    """The entries at these places by time. Raises TimelineUnavailableError."""
    by_time = sorted(places)
    filters = Filters(order=Order.ASC)
    return await store.read(
        lambda connection: list(read_places(connection, scope, filters, moment, by_time))
    )


def reach_of(record: EntryColumns, moment: Moment) -> Reach:
    """The record and the hour of the link rules on either side, both ends in."""
    span = span_of(record, moment.lost_after_us)
    return Reach(max(0, span.start - LINK_WINDOW_US), span.end + LINK_WINDOW_US)


def _places(places: list[Cursor]) -> Places:
    return Places(places[:NEIGHBOURS_MAX], len(places) > NEIGHBOURS_MAX)


def _neighbours(scope: Scope, record: EntryColumns, moment: Moment) -> Statement:
    parameters: dict[str, Any] = {
        "linked": list(zip(record["link_target_kind"], record["link_target_id"], strict=True)),
        "limit": NEIGHBOURS_MAX + 1,
    }
    related = _related(scope, record, moment, parameters)
    return Statement(
        "SELECT relation, start_us, kind_text, id, workspace,"
        # Of all rows, before LIMIT cuts them.
        f" groupUniqArray({INSTANCES_MAX})(cli_instance_id) OVER () AS instances"
        f" FROM ({related}) WHERE relation != '' AND {_OTHERS}"
        " ORDER BY relation,"
        " has({linked:Array(Tuple(String, String))}, (kind_text, id)) DESC,"
        f" {_DISTANCE}, id DESC LIMIT {{limit:UInt32}} BY relation",
        parameters,
    )


# The three do not overlap: what starts with the record is during it, even a moment.
_RELATION: Final = (
    "multiIf(start_us = {start:Int64}"
    " OR (start_us < {end:Int64} AND end_us > {start:Int64}), 'during',"
    " NOT is_open AND end_us <= {start:Int64} AND end_us >= {start:Int64} - {around:Int64},"
    " 'before',"
    " NOT {is_open:Bool} AND start_us >= {end:Int64}"
    " AND start_us <= {end:Int64} + {around:Int64}, 'after',"
    " '') AS relation"
)
# By the links' rules: the distance of the starts, or the gap. Beside the relation, the engine would
# take that apart three times.
_DISTANCE: Final = (
    "multiIf(relation = 'during', toInt64(abs(start_us - {start:Int64})),"
    " relation = 'before', {start:Int64} - end_us, start_us - {end:Int64})"
)
_OTHERS: Final = (
    "NOT (kind_text = {kind:String} AND id = {id:String} AND workspace = {workspace:String})"
)


def _related(scope: Scope, record: EntryColumns, moment: Moment, parameters: dict[str, Any]) -> str:
    """Each run and session of the workspace with its relation to the record; '': none."""
    _state(record, moment, parameters)
    parameters |= {"neighbour_kinds": [Kind.ACTION_RUN.value, Kind.SSH_SESSION.value]}
    spans = spans_sql(
        scope,
        reach_of(record, moment),
        moment.lost_after_us,
        parameters,
        table=ddl.ENTRIES,
        conditions=("workspace = {workspace:String}", "kind IN {neighbour_kinds:Array(String)}"),
        columns=("cli_instance_id",),
    )
    return (
        f"SELECT workspace, kind_text, id, start_us, end_us, cli_instance_id, {_RELATION}"
        f" FROM ({spans}) WHERE {TOUCHES}"
    )


def _actor_work(scope: Scope, record: EntryColumns, moment: Moment) -> Statement:
    parameters: dict[str, Any] = {"actor": record["actor"], "limit": NEIGHBOURS_MAX + 1}
    _state(record, moment, parameters)
    spans = spans_sql(
        scope,
        reach_of(record, moment),
        moment.lost_after_us,
        parameters,
        table=ENTRY_TIMES,
        conditions=("actor = {actor:String}",),
    )
    return Statement(
        f"SELECT start_us, kind_text, id, workspace FROM ({spans}) WHERE {TOUCHES} AND {_OTHERS}"
        " ORDER BY greatest(start_us - {end:Int64}, {start:Int64} - end_us, 0),"
        " abs(start_us - {start:Int64}), id DESC, workspace LIMIT {limit:UInt32}",
        parameters,
    )


def _state(record: EntryColumns, moment: Moment, parameters: dict[str, Any]) -> None:
    span = span_of(record, moment.lost_after_us)
    parameters |= {
        "start": span.start,
        "end": span.end,
        "is_open": span.is_open,
        "around": LINK_WINDOW_US,
        "kind": record["kind"],
        "id": record["id"],
        "workspace": record["workspace"],
    }
