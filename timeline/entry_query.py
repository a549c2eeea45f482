"""Entries by kind and id."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from timeline import ddl
from timeline.connection import Connection
from timeline.cursor import Cursor
from timeline.entry_conditions import time_sql
from timeline.entry_row import EntryColumns
from timeline.entry_times import read_whole
from timeline.scope import Scope
from timeline.statement import Statement
from timeline.store import Store


async def read_entries(
    store: Store, scope: Scope, kind: str, id_: str, workspace: str | None = None
) -> list[EntryColumns]:
    """The entries of this kind and id, sorted by workspace: an id may live in several.

    Raises TimelineUnavailableError.
    """
    return await store.read(lambda connection: _read(connection, scope, kind, id_, workspace))


async def read_named_places(
    store: Store, scope: Scope, workspace: str, named: Sequence[tuple[str, str]]
) -> list[Cursor]:
    """Where the entries of these kinds and ids stand in one workspace; in no order.

    Raises TimelineUnavailableError.
    """
    if not named:
        return []
    parameters: dict[str, Any] = {
        "workspace": workspace,
        "named": [(id_, kind) for kind, id_ in named],
    }
    conditions = [
        *scope.conditions(parameters),
        # The table is sorted by them.
        "(id, kind) IN {named:Array(Tuple(String, String))}",
        "workspace = {workspace:String}",
    ]
    rows = await store.rows(
        Statement(
            "SELECT DISTINCT toUnixTimestamp64Micro(occurred_at), toString(kind), id, workspace"
            f" FROM {ddl.ENTRY_IDS.name} WHERE {' AND '.join(conditions)}",
            parameters,
        )
    )
    return [Cursor(*row) for row in rows]


def _read(
    connection: Connection, scope: Scope, kind: str, id_: str, workspace: str | None
) -> list[EntryColumns]:
    parameters: dict[str, Any] = {"kind": kind, "id": id_}
    conditions = [*scope.conditions(parameters), "id = {id:String}", "kind = {kind:String}"]
    if workspace is not None:
        parameters["workspace"] = workspace
        conditions.append("workspace = {workspace:String}")
    places = connection.rows(
        Statement(
            # A row that stands twice says the same twice: no need for FINAL.
            "SELECT DISTINCT workspace, toUnixTimestamp64Micro(occurred_at) AS occurred_at_us"
            f" FROM {ddl.ENTRY_IDS.name} WHERE {' AND '.join(conditions)}"
            " ORDER BY workspace",
            parameters,
        )
    )
    return [
        entry
        for found, occurred_at in places
        for entry in read_whole(
            connection, scope, partial(_at, scope, kind, id_, found, occurred_at)
        )
    ]


def _at(
    scope: Scope,
    kind: str,
    id_: str,
    workspace: str,
    occurred_at: int,
    table: str,
    columns: str,
) -> Statement:
    parameters = {
        "organization": scope.organization,
        "workspace": workspace,
        "kind": kind,
        "id": id_,
        "occurred_at": occurred_at,
    }
    conditions = [
        "organization = {organization:String} AND workspace = {workspace:String}",
        "kind = {kind:String} AND id = {id:String}",
        f"occurred_at = {time_sql('occurred_at')}",
    ]
    if table == ddl.ENTRIES.name:
        # Its key has the hour before the time.
        conditions.append(f"{ddl.HOUR} = intDiv({{occurred_at:Int64}}, 3600000000)")
    return Statement(
        f"SELECT {columns}, true AS fits FROM {table} WHERE {' AND '.join(conditions)}"
        " ORDER BY revision DESC LIMIT 1",
        parameters,
    )
