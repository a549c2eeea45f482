"""Entries once more, by time: what is searched for in a column each, the whole in a document.

The table `entries` keeps together what belongs to a workspace; this one what happened at a time,
wherever: a page over many workspaces stands in a few places here, and in hundreds there.

Must stay true:
- It holds the newest revision of all that `entries` holds: the view copies what is inserted there,
  in the same insert, and a repeated insert repeats the copy.
- Which of the two tables is asked decides what an answer costs, never what it says.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Final

from timeline import ddl
from timeline.column import FEW_VALUES, Table
from timeline.connection import Connection, Row
from timeline.entry_document import (
    DOCUMENT,
    DOCUMENT_SQL,
    DOCUMENTED,
    TAGS,
    OtherLayoutError,
    entry_of,
)
from timeline.entry_row import EntryColumns, columns_of, entry_row, selected
from timeline.filters import Filters
from timeline.scope import Scope
from timeline.statement import Statement

# What filters, cases, incidents, deployments and summaries look into.
_SEARCHED: Final = frozenset(
    (
        *("organization", "workspace", "kind", "id", "occurred_at", "ended_at", "duration_ms"),
        *("is_open", "status", "actor", "actor_kind", "user", "os_user", "hostname"),
        *("cli_instance_id", "ticket", "block", "block_name", "block_version", "action"),
        *("exit_code", "commit_sha", "git_after_sha", "git_branch", "flags"),
        *("host_inventory_name", "host_ansible_host", "host_hostname_reported"),
        *("configured_by_commit", "unexplained", "revision"),
    )
)
# Few values, as far as an organization goes: summaries over months group by them, and then read
# half as long. Not what may be as many as there are machines.
_FEW: Final = frozenset(
    (
        *("organization", "workspace", "actor"),
        *("block", "block_name", "block_version", "action"),
    )
)
_COLUMNS: Final = tuple(
    replace(column, type=FEW_VALUES) if column.name in _FEW else column
    for column in ddl.ENTRIES.columns
    if column.name in _SEARCHED
)
assert len(_COLUMNS) == len(_SEARCHED), "a column was renamed"
# Neighbours are of one hour, so many rows may share an index entry; what a search costs is asking
# each entry of the index (decision 0015).
_SKIPPED_TOGETHER: Final = 32
ENTRY_TIMES: Final = Table(
    name="entry_times",
    comment="Entries by time, each with its document; filled from entries",
    columns=(*_COLUMNS, DOCUMENT),
    engine="ReplacingMergeTree(revision)",
    partition_by=ddl.ENTRIES.partition_by,
    primary_key="(organization, occurred_at)",
    order_by="(organization, occurred_at, kind, id, workspace)",
    indexes=(
        ddl.end_index(_SKIPPED_TOGETHER),
        # A version is in use for a time, so its runs stand together here.
        ddl.searched_index("block_version", _SKIPPED_TOGETHER),
    ),
    settings=ddl.ENTRIES.settings,
    settings_embedded=ddl.ENTRIES.settings_embedded,
)
_COPIED: Final = (
    f"SELECT {', '.join(f'`{column.name}`' for column in _COLUMNS)}, {DOCUMENT_SQL} AS document"
    f" FROM {ddl.ENTRIES.name}"
)
_VIEW: Final = f"{ENTRY_TIMES.name}_view"
ENTRY_TIMES_VIEW: Final = (
    f"CREATE MATERIALIZED VIEW IF NOT EXISTS {_VIEW} TO {ENTRY_TIMES.name} AS {_COPIED}"
)
# When kinds or their fields are new.
ENTRY_TIMES_VIEW_AGAIN: Final = f"ALTER TABLE {_VIEW} MODIFY QUERY {_COPIED}"
# An insert of so many rows ends long before its client gives up waiting.
_FILL_ROWS: Final = 4_000_000


def fill_entry_times(connection: Connection) -> None:
    """Copy the rows that were there before the view; once more changes nothing."""
    partitions = connection.rows(
        Statement(f"SELECT _partition_id, count() FROM {ddl.ENTRIES.name} GROUP BY 1 ORDER BY 1")
    )
    for partition, rows in partitions:
        portions = -(-rows // _FILL_ROWS)
        for portion in range(portions):
            connection.rows(
                Statement(
                    f"INSERT INTO {ENTRY_TIMES.name} {_COPIED}"
                    " WHERE _partition_id = {partition:String}"
                    " AND cityHash64(id) % {portions:UInt64} = {portion:UInt64}",
                    {"partition": partition, "portions": portions, "portion": portion},
                )
            )


def is_view_current(connection: Connection) -> bool:
    """Whether documents are made as this version reads them; else they are read by the columns."""
    ((select,),) = connection.rows(
        Statement(
            "SELECT as_select FROM system.tables"
            " WHERE database = currentDatabase() AND name = {view:String}",
            {"view": _VIEW},
        )
    )
    return all(tag in select for tag in TAGS)


def searched_table(scope: Scope, filters: Filters) -> str:
    """The table where fewer rows have to be looked at for those that fit.

    `entries` has those of a workspace together, and an index by what is rare. Whoever sees only
    some workspaces is not to search through all the others.
    """
    texts = filters.texts.keys() - {"block_version"}
    is_rare = filters.commits or filters.flags or not ddl.INDEXED.isdisjoint(texts)
    is_near = filters.workspaces or scope.workspace_patterns is not None
    return ddl.ENTRIES.name if is_rare or is_near else ENTRY_TIMES.name


def read_whole(
    connection: Connection, scope: Scope, statement: Callable[[str, str], Statement]
) -> list[EntryColumns]:
    """The rows of a bounded SELECT of entries in `scope` that fit.

    `statement(table, columns)` selects these columns from that table and whether the row fits, in
    the same order for either.
    """
    rows = _fitting(connection, statement(ENTRY_TIMES.name, DOCUMENTED))
    try:
        return [entry_of(scope.organization, row) for row in rows]
    except OtherLayoutError:
        return read_by_columns(connection, statement)


def read_by_columns(
    connection: Connection,
    statement: Callable[[str, str], Statement],
    kinds: Collection[str] | None = None,
) -> list[EntryColumns]:
    """As `read_whole`, from `entries`: for what stands together there.

    `kinds`: there are no others among the rows.
    """
    columns = ddl.ENTRIES.columns if kinds is None else columns_of(kinds)
    rows = _fitting(connection, statement(ddl.ENTRIES.name, selected(columns)))
    return list(map(partial(entry_row, columns), rows))


def _fitting(connection: Connection, statement: Statement) -> list[Row]:
    return [row[:-1] for row in connection.rows(statement) if row[-1]]
