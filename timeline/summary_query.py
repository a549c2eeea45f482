"""How runs went, counted by group. Source: the contract, section 5.

Must stay true:
- A run counts once, as its highest revision says; whether a filter holds is decided by that one.
- Only runs of the scope's organization and workspaces are counted.
- No value from outside is ever part of the SQL; the keys of a group come from a closed list.
- Times are grouped in UTC and by whole numbers: ClickHouse's own toStartOf… have 32 bits and stand
  still or start anew past February 2106.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from runtime.errors import RefusedError
from schemas.kinds import Kind, Status
from schemas.times import format_us
from timeline import ddl
from timeline.entry_conditions import (
    HOUR_US,
    between,
    bounds_of,
    key_conditions,
    time_sql,
    value_conditions,
)
from timeline.entry_times import searched_table
from timeline.filters import FILTERS, Filters, parse_filters
from timeline.moment import Moment
from timeline.parameters import Parameters, refuse
from timeline.scope import Scope
from timeline.statement import Statement
from timeline.store import Store

# More of them are a list of runs, which there is already.
KEYS_MAX: Final = 6
# An answer somebody reads or draws; also what bounds the memory of grouping.
GROUPS_MAX: Final = 10_000

GroupJson: TypeAlias = dict[str, Any]


class _Key(NamedTuple):
    expression: str
    shown: Callable[[Any], Any]


_US: Final = "toUnixTimestamp64Micro(occurred_at)"
_DAY: Final = f"intDiv({_US}, {24 * HOUR_US})"
_EPOCH: Final = date(1970, 1, 1)
# That day was a Thursday; the Monday of its week is three days before.
_FROM_MONDAY_DAYS: Final = 3


def _known(text: str) -> str | None:
    return text or None


def _hour(hours: int) -> str:
    return format_us(hours * HOUR_US)


def _day(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).isoformat()


def _week(weeks: int) -> str:
    return _day(weeks * 7 - _FROM_MONDAY_DAYS)


def _month(year_month: int) -> str:
    return f"{year_month // 100:04}-{year_month % 100:02}"


_LOST: Final = f"(is_open AND occurred_at <= {time_sql('lost_before')})"
_KEYS: Final[Mapping[str, _Key]] = {
    "workspace": _Key("workspace", _known),
    "environment": _Key("environment", _known),
    "block": _Key("block", _known),
    "block_name": _Key("block_name", _known),
    "block_version": _Key("block_version", _known),
    "action": _Key("action", _known),
    "actor": _Key("actor", _known),
    "hostname": _Key("hostname", _known),
    "status": _Key(f"if({_LOST}, '{Status.LOST.value}', toString(status))", _known),
    "hour": _Key(f"intDiv({_US}, {HOUR_US})", _hour),
    "day": _Key(_DAY, _day),
    "week": _Key(f"intDiv({_DAY} + {_FROM_MONDAY_DAYS}, 7)", _week),
    "month": _Key("toYYYYMM(occurred_at)", _month),
}
GROUP_KEYS: Final = tuple(_KEYS)

# Runs have one kind, and groups are neither ordered otherwise nor paged.
_NOT_HERE: Final = frozenset({"kind", "order", "limit", "cursor"})
SUMMARY_PARAMETERS: Final = ("group_by", *(name for name in FILTERS if name not in _NOT_HERE))


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryQuestion:
    """`keys`: names from GROUP_KEYS in the order asked for; none: one group of all."""

    keys: tuple[str, ...]
    filters: Filters


def parse_summary(pairs: Iterable[tuple[str, str]]) -> SummaryQuestion:
    """Raises RefusedError naming the parameter at fault."""
    pairs = list(pairs)
    given = Parameters(pairs, SUMMARY_PARAMETERS)
    return SummaryQuestion(
        keys=_keys(given.all("group_by")),
        filters=parse_filters(pair for pair in pairs if pair[0] != "group_by"),
    )


def _keys(values: Sequence[str]) -> tuple[str, ...]:
    keys = tuple(key for value in values for key in value.split(","))
    if not set(keys) <= set(GROUP_KEYS):
        refuse("group_by", f"any of: {', '.join(GROUP_KEYS)}")
    if len(set(keys)) < len(keys):
        refuse("group_by", "a key is given more than once")
    if len(keys) > KEYS_MAX:
        refuse("group_by", f"more than {KEYS_MAX} keys")
    return keys


async def read_summary(
    store: Store, scope: Scope, question: SummaryQuestion, moment: Moment
) -> list[GroupJson]:
    """The groups by their keys, ascending, what is not known last.

    Raises TimelineUnavailableError, and RefusedError: more than GROUPS_MAX groups.
    """
    statement = summary_statement(scope, question, moment)
    rows = await store.read(lambda connection: connection.rows(statement, _LIMITS))
    if len(rows) > GROUPS_MAX:
        raise RefusedError(
            f"group_by: more than {GROUPS_MAX} groups; group by less, or filter more",
            code="bad_value",
            field="group_by",
        )
    count = len(question.keys)
    rows.sort(key=lambda row: [(value == "", value) for value in row[:count]])
    return [_group(question.keys, row) for row in rows]


# Grouping ends soon after there are too many groups: then they are refused, not shown.
_LIMITS: Final = {"max_rows_to_group_by": GROUPS_MAX, "group_by_overflow_mode": "any"}

# A closed run has its duration. Percentiles are durations that occurred, not estimates: sorted by
# size, the one number floor(p * n) from 0.
_MEASURES: Final = (
    "count()",
    *(
        f"countIf(NOT is_open AND status = '{status.value}')"
        for status in (Status.SUCCESSFUL, Status.FAILED, Status.ABORTED)
    ),
    f"countIf({_LOST})",
    "countIf(is_open)",
    "avg(duration_ms)",
    "quantilesExactIf(0.5, 0.95)(assumeNotNull(duration_ms), isNotNull(duration_ms))",
)


def summary_statement(scope: Scope, question: SummaryQuestion, moment: Moment) -> Statement:
    """One row a group: its keys, then the measures."""
    filters = question.filters
    parameters: dict[str, Any] = {
        "kind": Kind.ACTION_RUN.value,
        "lost_before": moment.lost_before_us,
    }
    # On what is the same in all revisions of a run: FINAL then brings together only these rows.
    # By itself ClickHouse would bring together first and look afterwards.
    table = searched_table(scope, filters)
    keys = [
        *scope.conditions(parameters),
        *between(bounds_of(filters), parameters, table),
        "kind = {kind:String}",
        *key_conditions(filters, parameters),
    ]
    values = value_conditions(filters, moment, parameters) or ["1"]
    runs = (
        f"SELECT {_COLUMNS} FROM {table} FINAL"
        f" PREWHERE {' AND '.join(keys)} WHERE {' AND '.join(values)}"
    )
    joined = _ENVIRONMENTS if "environment" in question.keys else ""
    groups = [_KEYS[key].expression for key in question.keys]
    return Statement(
        f"SELECT {', '.join((*groups, *_MEASURES))} FROM ({runs}) AS run{joined}"
        + (f" GROUP BY {', '.join(groups)}" if groups else "")
        + f" LIMIT {GROUPS_MAX + 1}",
        parameters,
    )


# Only those that a statement uses are read.
_COLUMNS: Final = (
    "workspace, occurred_at, block, block_name, block_version, action, actor, hostname, status,"
    " is_open, duration_ms"
)
_ENVIRONMENTS: Final = (
    " LEFT ANY JOIN (SELECT name, environment FROM"
    f" {ddl.WORKSPACES.name} FINAL WHERE organization = {{organization:String}}) AS label"
    " ON run.workspace = label.name"
)


def _group(keys: Sequence[str], row: Sequence[Any]) -> GroupJson:
    runs, successful, failed, aborted, lost, opened, mean, quantiles = row[len(keys) :]
    finished = successful + failed + aborted
    p50, p95 = quantiles if finished else (None, None)
    return {
        **{key: _KEYS[key].shown(value) for key, value in zip(keys, row, strict=False)},
        "runs": runs,
        "successful": successful,
        "failed": failed,
        "aborted": aborted,
        "running": opened - lost,
        "lost": lost,
        "failure_share": failed / finished if finished else None,
        "duration_ms": {"mean": mean if finished else None, "p50": p50, "p95": p95},
    }
