"""The workspaces of an organization: those that have a record, and those that were labelled.

Must stay true: labels are read from where filters and environments read them, so that a list and
the timeline never contradict each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from schemas.times import format_us
from timeline import ddl
from timeline.cursor import read_name_cursor, write_name_cursor
from timeline.parameters import LIMIT_DEFAULT, NAME, Parameters
from timeline.scope import Scope
from timeline.statement import Statement
from timeline.store import Store

WorkspaceJson: TypeAlias = dict[str, Any]

_LIST: Final = "workspace"  # in its cursors
WORKSPACE_FILTERS: Final = ("environment", "limit", "cursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceFilters:
    environments: tuple[str, ...] = ()  # any of them; none: not asked for
    limit: int = LIMIT_DEFAULT
    after_name: str = ""


class WorkspacePage(NamedTuple):
    items: list[WorkspaceJson]
    next_cursor: str | None


def parse_workspace_filters(pairs: Iterable[tuple[str, str]]) -> WorkspaceFilters:
    """Raises RefusedError naming the parameter at fault."""
    given = Parameters(pairs, WORKSPACE_FILTERS)
    return WorkspaceFilters(
        environments=given.texts("environment"),
        limit=given.limit(),
        after_name=read_name_cursor(_LIST, given.one("cursor"), NAME),
    )


async def read_workspaces(store: Store, scope: Scope, filters: WorkspaceFilters) -> WorkspacePage:
    """Sorted by name. Raises TimelineUnavailableError."""
    parameters: dict[str, Any] = {"after": filters.after_name, "limit": filters.limit + 1}
    having = ""
    if filters.environments:
        parameters["environments"] = list(filters.environments)
        having = " HAVING label.1 IN {environments:Array(String)}"
    select = _select(scope, "workspace > {after:String}", parameters)
    rows = await store.rows(
        Statement(f"{select}{having} ORDER BY workspace LIMIT {{limit:UInt32}}", parameters)
    )
    items = [_workspace_json(row) for row in rows[: filters.limit]]
    is_more = len(rows) > filters.limit
    return WorkspacePage(items, write_name_cursor(_LIST, items[-1]["name"]) if is_more else None)


async def read_workspace(store: Store, scope: Scope, name: str) -> WorkspaceJson | None:
    """None: it has no record and no label, or lies outside `scope`.

    Raises TimelineUnavailableError.
    """
    parameters: dict[str, Any] = {"name": name}
    select = _select(scope, "workspace = {name:String}", parameters)
    rows = await store.rows(Statement(select, parameters))
    return _workspace_json(rows[0]) if rows else None


def _select(scope: Scope, condition: str, parameters: dict[str, Any]) -> str:
    """0 and version 0 stand for what one of the two tables does not know."""
    where = " AND ".join([*scope.conditions(parameters), condition])
    return (
        "SELECT workspace, max(registered_us),"
        # In one tuple: argMax alone would pass over the null of a later label.
        " argMax((environment, labels, deploy_actions), version) AS label, max(version)"
        " FROM (SELECT name AS workspace,"
        " toUnixTimestamp64Micro(min(registered_at)) AS registered_us,"
        " '' AS environment, CAST(map(), 'Map(String, String)') AS labels,"
        " CAST(NULL, 'Nullable(String)') AS deploy_actions, toUInt64(0) AS version"
        f" FROM {ddl.WORKSPACE_REGISTER.name} WHERE {where} GROUP BY workspace"
        " UNION ALL SELECT name AS workspace, toInt64(0), environment, labels, deploy_actions,"
        f" version FROM {ddl.WORKSPACES.name} FINAL WHERE {where}) GROUP BY workspace"
    )


def _workspace_json(row: Any) -> WorkspaceJson:
    name, registered_us, (environment, labels, deploy_actions), version_us = row
    return {
        "name": name,
        "environment": environment or None,
        "labels": _sorted(labels),
        "deploy_actions": None if deploy_actions is None else msgspec.json.decode(deploy_actions),
        "registered_at": format_us(registered_us) if registered_us else None,
        "updated_at": format_us(version_us) if version_us else None,
    }


def _sorted(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: labels[name] for name in sorted(labels)}
