"""What correlation asks of the store for events older than what its memory holds.

Must stay true: what is found may be more than was asked for, never less. Ids come from `entries` at
any revision: kind, start and workspace of an entry never change, an end is stated once and stays,
and a sync that was usable once stays so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import Any, Final

from schemas.kinds import Kind, Status
from timeline import ddl
from timeline.connection import Row
from timeline.entry_conditions import HOUR_US, time_sql
from timeline.statement import Statement
from timeline.store import Store
from timeline.stored_snapshot import STORED_COLUMNS, StoredSnapshot

# So many ids a statement: far below what a statement may be long.
_IDS_PER_STATEMENT: Final = 2_000


class SyncColumn(Enum):
    """By what a usable sync is looked for."""

    INSTANCE = "cli_instance_id"
    COMMIT = f"substring(git_after_sha, 1, {ddl.SHA_DIGITS_MIN})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastQuestion:
    """Of one workspace; times in µs, both ends in.

    `ids`: (kind, id) of records. `windows`: (first, last); every record that was in one of them,
    and the workspace's latest sync when it begins. `commits`: (first digits, since); the runs that
    state it from then on. `named`: ids of runs; the runs that say they repeat one of them.
    `syncs`: (column, name, at); the latest one with that name at or before a time; of commits, the
    latest of each that begins with it.
    """

    organization: str
    workspace: str
    ids: Sequence[tuple[str, str]]
    windows: Sequence[tuple[int, int]]
    commits: Sequence[tuple[str, int]]
    named: Sequence[str]
    syncs: Sequence[tuple[SyncColumn, str, int]] = ()


async def read_past(
    store: Store, question: PastQuestion, lost_after_us: int, database: str | None = None
) -> list[StoredSnapshot]:
    """Every snapshot of the records asked for, in the order of the log.

    Of the generation in `database`, else of the living one. Raises TimelineUnavailableError.
    """
    keys = set(question.ids)
    if (statement := _key_statement(question, lost_after_us)) is not None:
        keys.update((kind, id_) for kind, id_ in await _rows(store, statement, database))
    found: set[StoredSnapshot] = set()
    for statement in _snapshot_statements(question, keys):
        found.update(StoredSnapshot(*row) for row in await _rows(store, statement, database))
    return sorted(found, key=lambda row: (row.partition, row.offset, row.event_index))


async def _rows(store: Store, statement: Statement, database: str | None) -> list[Row]:
    # Not as a reader: those are cut off after some seconds, and correlation would ask for ever.
    return await store.write(lambda connection: connection.rows(statement), database=database)


class _Parts:
    """Of one statement: preparing each costs more than running it."""

    def __init__(self, question: PastQuestion) -> None:
        self.sql: Final[list[str]] = []
        self.parameters: Final[dict[str, Any]] = {
            "organization": question.organization,
            "workspace": question.workspace,
            "run": Kind.ACTION_RUN.value,
            "sync": Kind.WORKSPACE_SYNC.value,
            "successful": Status.SUCCESSFUL.value,
        }

    def time(self, name: str, time_us: int) -> str:
        """A parameter that is a time, and its hour beside it; the suffix of both."""
        number = f"{name}_{len(self.sql)}"
        self.parameters.update({number: time_us, f"{number}_hour": time_us // HOUR_US})
        return number

    def add(self, condition: str, rest: str = "") -> None:
        self.sql.append(
            f"SELECT toString(kind) AS kind_text, id FROM {ddl.ENTRIES.name}"
            " WHERE organization = {organization:String} AND workspace = {workspace:String}"
            f" AND {condition}{rest}"
        )


_USABLE: Final = "kind = {sync:String} AND status = {successful:String} AND git_after_sha != ''"


def _from(time: str) -> str:
    return f"{ddl.HOUR} >= {{{time}_hour:Int64}} AND occurred_at >= {time_sql(time)}"


def _until(time: str) -> str:
    return f"{ddl.HOUR} <= {{{time}_hour:Int64}} AND occurred_at <= {time_sql(time)}"


def _key_statement(question: PastQuestion, lost_after_us: int) -> Statement | None:
    parts = _Parts(question)
    for first, last in question.windows:
        begin, end = parts.time("first", max(0, first)), parts.time("last", last)
        opened = parts.time("opened", max(0, first - lost_after_us))
        # Each with its own index: by end, and by start for those that had none at a time.
        parts.add(f"{_until(end)} AND {ddl.END_AT} >= {time_sql(begin)}")
        parts.add(f"{_until(end)} AND {_from(opened)} AND is_open")
        parts.add(f"{_until(begin)} AND {_USABLE}", " ORDER BY occurred_at DESC, id DESC LIMIT 1")
    names: dict[tuple[SyncColumn, int], list[str]] = {}
    for column, name, at in question.syncs:
        names.setdefault((column, at), []).append(name)
    for (column, at), some in names.items():
        until = parts.time("at", at)
        parts.parameters[f"names_{until}"] = some
        each = "cli_instance_id" if column is SyncColumn.INSTANCE else "git_after_sha"
        parts.add(
            f"{_until(until)} AND {_USABLE} AND {column.value} IN {{names_{until}:Array(String)}}",
            f" ORDER BY occurred_at DESC, id DESC LIMIT 1 BY {each}",
        )
    for commit, since in question.commits:
        start = parts.time("since", since)
        parts.parameters[f"commit_{start}"] = commit
        parts.add(
            f"{_from(start)} AND kind = {{run:String}}"
            f" AND substring(commit_sha, 1, {ddl.SHA_DIGITS_MIN}) = {{commit_{start}:String}}"
        )
    if question.named:
        parts.parameters["named"] = list(question.named)
        parts.add("kind = {run:String} AND has({named:Array(String)}, retriggered_from)")
    if not parts.sql:
        return None
    every = " UNION ALL ".join(f"({sql})" for sql in parts.sql)
    return Statement(f"SELECT DISTINCT kind_text, id FROM ({every})", parts.parameters)


def _snapshot_statements(question: PastQuestion, keys: set[tuple[str, str]]) -> Iterator[Statement]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _IDS_PER_STATEMENT):
        parameters: dict[str, Any] = {
            "organization": question.organization,
            "workspace": question.workspace,
        }
        conditions: list[str] = []
        some = ordered[start : start + _IDS_PER_STATEMENT]
        for kind, of_kind in groupby(some, key=lambda key: key[0]):
            name = f"ids_{len(conditions)}"
            parameters |= {name: [id_ for _, id_ in of_kind], f"kind_{name}": kind}
            conditions.append(f"(kind = {{kind_{name}:String}} AND id IN {{{name}:Array(String)}})")
        yield Statement(
            f"SELECT {STORED_COLUMNS} FROM {ddl.SNAPSHOTS.name}"
            " WHERE organization = {organization:String} AND workspace = {workspace:String}"
            f" AND ({' OR '.join(conditions)})",
            parameters,
        )
