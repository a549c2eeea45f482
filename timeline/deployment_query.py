"""Deployments: successful runs of deploy actions, by the time they ended. The contract, section 5.

Must stay true:
- Only rows of the scope's organization and workspaces come back, as their highest revision says.
- What counts as a deploy action is what the workspace's label says now, else the installation.
- Pages go by (deployed_at, run id, workspace). A run that ended has these for good, so no
  deployment is shown twice, and none is left out that was there when the first page was read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from schemas.kinds import Kind, Status
from schemas.times import format_us
from timeline import ddl
from timeline.connection import Connection, Row
from timeline.cursor import Cursor, Order
from timeline.deployment_filters import (
    DeploymentFilters,
    DeploymentPlace,
    write_deployment_cursor,
)
from timeline.entry_conditions import (
    HOUR_US,
    STRETCHES,
    at_places,
    between,
    key_conditions,
    narrowness,
    portions,
    time_sql,
)
from timeline.entry_times import ENTRY_TIMES, searched_table
from timeline.filters import Filters
from timeline.scope import Scope
from timeline.statement import Statement
from timeline.store import Store
from timeline.windows import GROWTH, Stretch, Window, windows

DeploymentJson: TypeAlias = dict[str, Any]


class DeploymentPage(NamedTuple):
    items: list[DeploymentJson]
    next_cursor: str | None


async def read_deployments(
    store: Store, scope: Scope, filters: DeploymentFilters, deploy_actions: Sequence[str]
) -> DeploymentPage:
    """The next `filters.limit` deployments. `deploy_actions`: where the label says nothing.

    Raises TimelineUnavailableError.
    """
    read = _latest_rows if filters.is_latest else _rows
    rows = await store.read(
        lambda connection: read(
            connection,
            _Question(scope, filters, deploy_actions, _has_labels(connection, scope)),
        )
    )
    shown = rows[: filters.limit]
    is_more = len(rows) > filters.limit
    cursor = write_deployment_cursor(_place(shown[-1]), filters.order) if is_more else None
    return DeploymentPage([_deployment_json(row) for row in shown], cursor)


@dataclass(frozen=True, slots=True)
class _Question:
    scope: Scope
    filters: DeploymentFilters
    deploy_actions: Sequence[str]
    has_labels: bool  # whether any workspace says itself what its deploy actions are

    @property
    def wanted(self) -> int:
        return self.filters.limit + 1  # one more tells whether there is a next page


def _rows(connection: Connection, question: _Question) -> list[Row]:
    filters = question.filters
    after = filters.after
    rows: list[Row] = []
    for window in _windows(connection, question):
        while len(rows) < question.wanted:
            wanted = question.wanted - len(rows)
            near = _narrowed(connection, question, window, after, wanted)
            if near is None:
                break
            places = connection.rows(places_statement(question, near, after, wanted))
            if places:
                rows += _newest(connection, question, places)
                after = DeploymentPlace(*places[-1][:3])
            if len(places) < wanted:
                break
        if len(rows) >= question.wanted:
            break
    return rows


def _newest(connection: Connection, question: _Question, places: Sequence[Row]) -> list[Row]:
    """Those of the places whose highest revision still ended there and fits, in order."""
    known = {DeploymentPlace(*place[:3]) for place in places}
    # Later places stand behind earlier ones, so their deployments do.
    return [
        row
        for portion in portions(places)
        for row in connection.rows(deployments_statement(question, portion))
        if _place(row) in known
    ]


def _narrowed(
    connection: Connection,
    question: _Question,
    window: Window,
    after: DeploymentPlace | None,
    wanted: int,
) -> Window | None:
    """The part of `window` where the first `wanted` places lie, as far as that is cheap to tell.
    None: there are none.

    Few runs of all fit, and each stands among others: their ids and workspaces would be read with
    all that is around them. So the ends alone are read first, in the order of the table, until
    there are enough; that many places lie no further away than the furthest of these ends.
    """
    filters = question.filters
    table = searched_table(question.scope, filters.common)
    if table != ENTRY_TIMES.name or narrowness(filters.common) == 0:
        return window
    # Several revisions of a run end at one time, and so may different runs.
    if after is not None:
        window = (
            Window(window.start, min(window.end, after.deployed_at + 1))
            if filters.order is Order.DESC
            else Window(max(window.start, after.deployed_at), window.end)
        )
    limit = _ENDS_EACH * wanted
    rows = connection.rows(_ends_statement(question, window, limit))
    if not rows:
        return None
    ends = {row[0] for row in rows}
    # Of those that ended with the last one shown, some are shown already.
    behind = ends if after is None else ends - {after.deployed_at}
    if len(behind) < wanted and len(rows) == limit:
        return window
    if filters.order is Order.DESC:
        return Window(min(ends), window.end)
    return Window(window.start, max(ends) + 1)


_ENDS_EACH: Final = 2


def _ends_statement(question: _Question, window: Window, limit: int) -> Statement:
    """When runs ended that may be wanted: `limit` of those inside `window`, by their starts."""
    parameters: dict[str, Any] = {"limit": limit}
    return Statement(
        f"SELECT {_ENDED} AS ended_us FROM {ENTRY_TIMES.name}"
        f" WHERE {' AND '.join(_search_conditions(question, window, parameters))}"
        f" ORDER BY occurred_at {question.filters.order.value.upper()} LIMIT {{limit:UInt32}}",
        parameters,
    )


def _windows(connection: Connection, question: _Question) -> Iterator[Window]:
    """Windows on the end of a run that together hold every end inside the bounds, in order.

    How starts are spread tells how ends are, as most runs are short. Unlike starts, ends may lie
    anywhere after the first start: so it is one stretch, and what is behind the last start belongs
    to the last window.
    """
    filters = question.filters
    bounds = bounds_of(filters)
    stretches = [Stretch(*row) for row in connection.rows(STRETCHES)]
    if not stretches or bounds.start >= bounds.end:
        return
    last = max(bounds.start, *(stretch.last for stretch in stretches))
    first = min(last, *(stretch.first for stretch in stretches))
    whole = Stretch(first, last, sum(stretch.rows for stretch in stretches))
    # As if more were wanted: about one entry in ten is a deployment, and fewer fit narrow filters.
    looked_at = question.wanted * GROWTH ** (1 + _narrowness(filters.common))
    for window in windows([whole], bounds, filters.order, looked_at):
        yield Window(window.start, bounds.end) if window.end > last else window


def _narrowness(filters: Filters) -> int:
    """As of entries; but a version is in use for a time only, and has an index that knows when."""
    return narrowness(filters) + (2 if "block_version" in filters.texts else 0)


def bounds_of(filters: DeploymentFilters) -> Window:
    start, end = filters.from_us, filters.to_us
    if filters.after is not None:
        if filters.order is Order.DESC:
            end = min(end, filters.after.deployed_at + 1)
        else:
            start = max(start, filters.after.deployed_at)
    return Window(start, end)


def places_statement(
    question: _Question, window: Window, after: DeploymentPlace | None, limit: int
) -> Statement:
    """The first `limit` places of runs that ended inside `window`, where any revision fits.

    Few columns, and nothing has to be brought together: this is what may look at many rows.
    """
    parameters: dict[str, Any] = {"limit": limit}
    table = searched_table(question.scope, question.filters.common)
    conditions = _search_conditions(question, window, parameters)
    order = question.filters.order
    if after is not None:
        conditions.append(_behind(after, order, parameters))
    return Statement(
        f"SELECT DISTINCT {_ENDED} AS ended_us, id, workspace,"
        " toUnixTimestamp64Micro(occurred_at) AS started_us"
        f" FROM {table} WHERE {' AND '.join(conditions)}"
        f" ORDER BY {_order('ended_us', order)} LIMIT {{limit:UInt32}}",
        parameters,
    )


def _search_conditions(
    question: _Question, window: Window, parameters: dict[str, Any]
) -> list[str]:
    """Any revision of a run that ended inside `window` and fits."""
    table = searched_table(question.scope, question.filters.common)
    return [
        *_run_conditions(question, window, parameters, table),
        *value_conditions(question, window, parameters),
        # Both follow from the ones above, and are what the table's index by end knows.
        f"{ddl.END_AT} >= {time_sql('ended_from')}",
        f"{ddl.END_AT} < {time_sql('ended_to')}",
    ]


def deployments_statement(question: _Question, places: Sequence[Row]) -> Statement:
    """The deployments at these places whose highest revision fits, in order."""
    kind = Kind.ACTION_RUN.value
    starts = [place[3] for place in places]
    parameters: dict[str, Any] = {"kind": kind}
    runs = [Cursor(started, kind, id_, workspace) for _, id_, workspace, started in places]
    keys = [
        *question.scope.conditions(parameters),
        "kind = {kind:String}",
        *between(Window(min(starts), max(starts) + 1), parameters, ENTRY_TIMES.name),
        *at_places(runs, parameters, ENTRY_TIMES.name),
    ]
    values = value_conditions(question, bounds_of(question.filters), parameters)
    newest = (
        f"SELECT {_COLUMNS}, status, ticket FROM {ENTRY_TIMES.name} WHERE {' AND '.join(keys)}"
        " ORDER BY revision DESC LIMIT 1 BY workspace, occurred_at, id"
    )
    return _shown(f"SELECT * FROM ({newest}) WHERE {' AND '.join(values)}", question, parameters)


def _latest_rows(connection: Connection, question: _Question) -> list[Row]:
    return connection.rows(latest_statement(question))


def latest_statement(question: _Question) -> Statement:
    """The page of the newest deployment of each workspace and block.

    A workspace has one environment, so these are the newest of each environment, too. All that fit
    have to be looked at, whatever the page: what is behind the cursor is left out at the end.
    """
    filters = question.filters
    window = Window(filters.from_us, filters.to_us)
    parameters: dict[str, Any] = {"limit": question.wanted}
    keys = _run_conditions(question, window, parameters, ddl.ENTRIES.name)
    values = value_conditions(question, window, parameters)
    latest = (
        f"SELECT {_COLUMNS} FROM {ddl.ENTRIES.name} FINAL"
        f" PREWHERE {' AND '.join(keys)} WHERE {' AND '.join(values)}"
        " ORDER BY ended_at DESC, id DESC LIMIT 1 BY workspace, block"
    )
    behind = "1"
    if filters.after is not None:
        behind = _behind(filters.after, filters.order, parameters)
    page = f"SELECT * FROM ({latest}) WHERE {behind}"
    return _shown(page, question, parameters, " LIMIT {limit:UInt32}")


_ENDED: Final = "toUnixTimestamp64Micro(assumeNotNull(ended_at))"
# The run's own, else the one it was configured by.
_COMMIT: Final = "if(commit_sha != '', commit_sha, configured_by_commit)"
_COLUMNS: Final = (
    "workspace, id, occurred_at, ended_at, duration_ms, block, block_name, block_version, action,"
    " actor, hostname, commit_sha, configured_by_commit"
)


def _shown(
    runs: str, question: _Question, parameters: dict[str, Any], limit: str = ""
) -> Statement:
    """What an answer shows of `runs`, in order."""
    return Statement(
        f"SELECT {_ENDED} AS ended_us, id, workspace, environment, block, block_name,"
        " block_version, action, toUnixTimestamp64Micro(occurred_at) AS started_us, duration_ms,"
        f" actor, hostname, {_COMMIT}"
        f" FROM ({runs}) AS run LEFT ANY JOIN (SELECT name, environment FROM {ddl.WORKSPACES.name}"
        " FINAL WHERE organization = {organization:String}) AS label ON run.workspace = label.name"
        f" ORDER BY {_order('ended_us', question.filters.order)}{limit}",
        parameters,
    )


def _run_conditions(
    question: _Question, window: Window, parameters: dict[str, Any], table: str
) -> list[str]:
    """On what never changes of a run that ends inside `window`: it started before its end."""
    parameters |= {"kind": Kind.ACTION_RUN.value, "window_end": window.end}
    conditions = [
        *question.scope.conditions(parameters),
        "kind = {kind:String}",
        f"occurred_at < {time_sql('window_end')}",
        *key_conditions(question.filters.common, parameters),
    ]
    if table == ddl.ENTRIES.name:
        parameters["hour_last"] = window.end // HOUR_US
        conditions.append(f"{ddl.HOUR} <= {{hour_last:Int64}}")
    return conditions


def value_conditions(question: _Question, window: Window, parameters: dict[str, Any]) -> list[str]:
    """On what a later revision may change."""
    common = question.filters.common
    parameters |= {
        "ended_from": window.start,
        "ended_to": window.end,
        "deploy_actions": list(question.deploy_actions),
    }
    conditions = [
        f"ended_at >= {time_sql('ended_from')}",
        f"ended_at < {time_sql('ended_to')}",
        f"status = '{Status.SUCCESSFUL.value}'",
        _IS_DEPLOY if question.has_labels else _IS_DEPLOY_UNLABELLED,
    ]
    for name, texts in common.texts.items():
        parameters[f"{name}_in"] = list(texts)
        conditions.append(f"{name} IN {{{name}_in:Array(String)}}")
    if common.commits:
        parameters["commits"] = list(common.commits)
        # SHAs of different length are the same commit when one is the beginning of the other.
        conditions.append(
            f"({_COMMIT} != '' AND arrayExists(sha -> startsWith({_COMMIT}, sha)"
            f" OR startsWith(sha, {_COMMIT}), {{commits:Array(String)}}))"
        )
    return conditions


_LABELLED: Final = (
    f"{ddl.WORKSPACES.name} FINAL WHERE organization = {{organization:String}}"
    " AND isNotNull(deploy_actions)"
)


def _has_labels(connection: Connection, scope: Scope) -> bool:
    """Looked up once: a statement that looks itself takes three times as long."""
    parameters = {"organization": scope.organization}
    return bool(connection.rows(Statement(f"SELECT 1 FROM {_LABELLED} LIMIT 1", parameters)))


_IS_DEPLOY_UNLABELLED: Final = "action IN {deploy_actions:Array(String)}"
_IS_DEPLOY: Final = (
    "(action IN {deploy_actions:Array(String)}"
    f" AND workspace NOT IN (SELECT name FROM {_LABELLED})"
    " OR (workspace, action) IN (SELECT name, arrayJoin("
    f"JSONExtract(assumeNotNull(deploy_actions), 'Array(String)')) FROM {_LABELLED}))"
)


def _order(time: str, order: Order) -> str:
    return ", ".join(f"{name} {order.value.upper()}" for name in (time, "id", "workspace"))


def _behind(place: DeploymentPlace, order: Order, parameters: dict[str, Any]) -> str:
    """Behind this place in this order."""
    parameters |= {
        "after_at": place.deployed_at,
        "after_id": place.id,
        "after_workspace": place.workspace,
    }
    sign = "<" if order is Order.DESC else ">"
    return (
        f"({_ENDED}, id, workspace) {sign}"
        " ({after_at:Int64}, {after_id:String}, {after_workspace:String})"
    )


def _place(row: Row) -> DeploymentPlace:
    return DeploymentPlace(*row[:3])


def _deployment_json(row: Row) -> DeploymentJson:
    (ended, id_, workspace, environment, block, name, version, action) = row[:8]
    (started, duration_ms, actor, hostname, commit) = row[8:]
    return {
        "run_id": id_,
        "environment": environment or None,
        "workspace": workspace,
        "block": block or None,
        "block_name": name or None,
        "block_version": version or None,
        "action": action or None,
        "started_at": format_us(started),
        "deployed_at": format_us(ended),
        "duration_ms": duration_ms,
        "actor": actor or None,
        "hostname": hostname or None,
        "commit": commit or None,
    }
