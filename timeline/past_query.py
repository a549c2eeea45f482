"""What correlation asks of the store for events older than what its memory holds.

Must stay true: what is found may be more than was asked for, never less. Ids come from `entries` at
any revision: kind, start and workspace of an entry never change, an end is stated once and stays,
and a sync that was usable once stays so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PastQuestion:
    """Of one workspace; times in µs, both ends in.

    `ids`: (kind, id) of records. `windows`: (first, last); every record that was in one of them,
    and the syncs in force when it begins. `commits`: (first digits, since); the runs that state it
    from then on. `named`: ids of runs; the runs that say they repeat one of them.
    """

    organization: str
    workspace: str
    ids: Sequence[tuple[str, str]]
    windows: Sequence[tuple[int, int]]
    commits: Sequence[tuple[str, int]]
    named: Sequence[str]


async def read_past(
    store: Store, question: PastQuestion, lost_after_us: int, database: str | None = None
) -> list[StoredSnapshot]:
    """Every snapshot of the records asked for, in the order of the log.

    Of the generation in `database`, else of the living one. Raises TimelineUnavailableError.
    """
    keys = set(question.ids)
    for statement in _key_statements(question, lost_after_us):
        keys.update((kind, id_) for kind, id_ in await _rows(store, statement, database))
    found: set[StoredSnapshot] = set()
    for statement in _snapshot_statements(question, keys):
        found.update(StoredSnapshot(*row) for row in await _rows(store, statement, database))
    return sorted(found, key=lambda row: (row.partition, row.offset, row.event_index))


async def _rows(store: Store, statement: Statement, database: str | None) -> list[Row]:
    # Not as a reader: those are cut off after some seconds, and correlation would ask for ever.
    return await store.write(lambda connection: connection.rows(statement), database=database)


def _key_statements(question: PastQuestion, lost_after_us: int) -> Iterator[Statement]:
    for first, last in question.windows:
        times = {
            "first": first,
            "last": last,
            "last_hour": last // HOUR_US,
            "open_first": max(0, first - lost_after_us),
            "open_first_hour": max(0, first - lost_after_us) // HOUR_US,
        }
        until = f"{ddl.HOUR} <= {{last_hour:Int64}} AND occurred_at <= {time_sql('last')}"
        # Each with its own index: by end, and by start for those that had none at a time.
        yield _keys(question, f"{until} AND {ddl.END_AT} >= {time_sql('first')}", times)
        yield _keys(
            question,
            f"{until} AND {ddl.HOUR} >= {{open_first_hour:Int64}}"
            f" AND occurred_at >= {time_sql('open_first')} AND is_open",
            times,
        )
        for column in ("cli_instance_id", "git_after_sha"):
            yield _keys(
                question,
                f"{ddl.HOUR} <= {{first_hour:Int64}} AND kind = {{sync:String}}"
                f" AND occurred_at <= {time_sql('first')}"
                " AND status = {successful:String} AND git_after_sha != ''",
                {
                    "first": max(0, first),
                    "first_hour": max(0, first) // HOUR_US,
                    "sync": Kind.WORKSPACE_SYNC.value,
                    "successful": Status.SUCCESSFUL.value,
                },
                f" ORDER BY occurred_at DESC, id DESC LIMIT 1 BY {column}",
            )
    for commit, since in question.commits:
        yield _keys(
            question,
            f"{ddl.HOUR} >= {{since_hour:Int64}} AND kind = {{run:String}}"
            f" AND occurred_at >= {time_sql('since')}"
            f" AND substring(commit_sha, 1, {ddl.SHA_DIGITS_MIN}) = {{commit:String}}",
            {
                "since": since,
                "since_hour": since // HOUR_US,
                "run": Kind.ACTION_RUN.value,
                "commit": commit,
            },
        )
    if question.named:
        yield _keys(
            question,
            "kind = {run:String} AND has({named:Array(String)}, retriggered_from)",
            {"run": Kind.ACTION_RUN.value, "named": list(question.named)},
        )


def _keys(
    question: PastQuestion, condition: str, parameters: dict[str, Any], rest: str = ""
) -> Statement:
    return Statement(
        f"SELECT toString(kind), id FROM {ddl.ENTRIES.name}"
        " WHERE organization = {organization:String} AND workspace = {workspace:String}"
        f" AND {condition}{rest}",
        {
            "organization": question.organization,
            "workspace": question.workspace,
            **parameters,
        },
    )


def _snapshot_statements(question: PastQuestion, keys: set[tuple[str, str]]) -> Iterator[Statement]:
    for kind, of_kind in groupby(sorted(keys), key=lambda key: key[0]):
        ids = [id_ for _, id_ in of_kind]
        for start in range(0, len(ids), _IDS_PER_STATEMENT):
            yield Statement(
                f"SELECT {STORED_COLUMNS} FROM {ddl.SNAPSHOTS.name}"
                " WHERE organization = {organization:String}"
                " AND workspace = {workspace:String} AND kind = {kind:String}"
                " AND id IN {ids:Array(String)}",
                {
                    "organization": question.organization,
                    "workspace": question.workspace,
                    "kind": kind,
                    "ids": ids[start : start + _IDS_PER_STATEMENT],
                },
            )
