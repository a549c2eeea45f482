"""In which workspaces a host was ever reached; filled from entries.

A host is reached from a few workspaces. Without this, its sessions are searched for in all of them,
and in the end through the whole history.

Must stay true: it may name a workspace too many (of a revision that named another host), never one
too few: the view copies from each insert into `entries`, in the same insert.
"""

from collections.abc import Sequence
from typing import Any, Final

from timeline import ddl
from timeline.column import Column, Table
from timeline.connection import Connection
from timeline.scope import Scope
from timeline.statement import Statement

HOST_WORKSPACES: Final = Table(
    name="host_workspaces",
    comment="In which workspaces a host was ever reached; filled from entries",
    columns=(
        Column("organization", "String", "Organization the workspace belongs to"),
        Column("host", "String", "Any of the names of the host"),
        Column("workspace", "String", "A workspace with a session on it"),
    ),
    engine="ReplacingMergeTree",
    order_by="(organization, host, workspace)",
    settings=ddl.WORKSPACE_REGISTER.settings,
    settings_embedded=ddl.WORKSPACE_REGISTER.settings_embedded,
)
_COPIED: Final = (
    "SELECT DISTINCT organization, arrayJoin(arrayFilter(name -> name != '',"
    f" {ddl.HOSTS})) AS host, workspace FROM {ddl.ENTRIES.name}"
)
HOST_WORKSPACES_VIEW: Final = (
    f"CREATE MATERIALIZED VIEW IF NOT EXISTS {HOST_WORKSPACES.name}_view"
    f" TO {HOST_WORKSPACES.name} AS {_COPIED}"
)
# For the rows that were there before the view; once more changes nothing.
HOST_WORKSPACES_FILL: Final = f"INSERT INTO {HOST_WORKSPACES.name} {_COPIED}"

# Of a host that is reached from more, a search by time finds something soon.
WORKSPACES_MAX: Final = 50


def workspaces_of(
    connection: Connection, scope: Scope, hosts: Sequence[str]
) -> tuple[str, ...] | None:
    """The workspaces in scope where any of `hosts` was reached; None: more than are worth it."""
    parameters: dict[str, Any] = {"hosts": list(hosts), "most": WORKSPACES_MAX + 1}
    conditions = [*scope.conditions(parameters), "host IN {hosts:Array(String)}"]
    rows = connection.rows(
        Statement(
            f"SELECT DISTINCT workspace FROM {HOST_WORKSPACES.name}"
            f" WHERE {' AND '.join(conditions)} LIMIT {{most:UInt32}}",
            parameters,
        )
    )
    return None if len(rows) > WORKSPACES_MAX else tuple(name for (name,) in rows)
