"""Runs an analyst's query that has passed the guard.

Must stay true:
- The engine itself is told to change nothing and to stay within limits, whatever the text says.
- The engine filters each of our tables by the organization, also where the guard was deceived and
  a query reads one directly. That is a setting, which a subquery with SETTINGS would lift: where a
  server has the user of `sql_user.py`, its policies go by the id of the query, which none can.
- It runs on lanes of its own: analysts wait for analysts only.
"""

import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from clickhouse_connect.datatypes.base import ClickHouseType
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.common import StreamContext
from clickhouse_connect.driver.exceptions import ClickHouseError

from runtime.errors import TimelineUnavailableError
from timeline import ddl
from timeline.connection import Connection
from timeline.entry_times import ENTRY_TIMES
from timeline.host_workspaces import HOST_WORKSPACES
from timeline.long_entries import LONG_ENTRIES
from timeline.sql_error import told
from timeline.sql_user import SECONDS_MAX, STREAM_SECONDS_MAX, new_query_id, query_id_stem
from timeline.sql_values import arrow_batch, arrow_schema, json_column, type_name
from timeline.statement import Statement
from timeline.store import Store

ROWS_MAX: Final = 100_000
# A row may have many columns: what is put together for one answer is bounded by its values, too.
VALUES_MAX: Final = 2_000_000

# Every table with a column of this name, also those that no view reads.
_FILTERED: Final = tuple(
    table.name
    for table in (
        *(ddl.ENTRIES, ENTRY_TIMES, ddl.ENTRY_IDS, ddl.OBSERVATIONS, ddl.INSTANCES, ddl.WORKSPACES),
        *(ddl.SNAPSHOTS, ddl.CLIENT_SEQS, ddl.DEAD_LETTERS, ddl.WORKSPACE_REGISTER),
        *(HOST_WORKSPACES, LONG_ENTRIES),
    )
)
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_LIMITS: Final[Mapping[str, Any]] = {
    "readonly": 1,
    "timeout_overflow_mode": "throw",
    # With `timeout_overflow_mode`: do not guess from the first second how long it will take.
    "timeout_before_checking_execution_speed": 0,
    "max_ast_depth": 1_000,
    "max_ast_elements": 50_000,
    "max_subquery_depth": 100,
    "max_threads": 2,
    "max_block_size": 8_192,
    "group_by_overflow_mode": "throw",
    "join_algorithm": "default",
    "allow_introspection_functions": 0,
    "cancel_http_readonly_queries_on_client_close": 1,
    # The meaning that the documentation of ClickHouse gives a name in a query.
    "prefer_column_name_to_alias": 0,
    # It remembers what a condition did not find, and not who had asked.
    "use_query_condition_cache": 0,
}
# Sent like a setting, and given an end of its own with each request.
_QUERY_ID: Final = "query_id"


@dataclass(frozen=True, slots=True)
class SqlResult:
    """`columns` as (name, type); the rows as JSON shows them. `is_truncated`: there were more."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]]
    is_truncated: bool
    elapsed_ms: int


async def run_sql(store: Store, statement: Statement, organization: str) -> SqlResult:
    """The first rows. Raises RefusedError (`sql_refused`), TimelineUnavailableError."""
    database = await store.living_database()
    settings = _settings(store, database, organization, SECONDS_MAX)
    async with store.sql_lane() as lane:
        return await lane.run(
            lambda connection: _read(connection, statement, settings), database=database
        )


class SqlStream:
    """All rows of a query, as record batches of one `schema`, for one reader.

    It has a lane of its own from `open_stream` until its `batches` are closed.
    """

    def __init__(self, schema: pa.Schema, batches: AsyncGenerator[pa.RecordBatch, None]) -> None:
        self.schema = schema
        self.batches = batches


async def open_stream(store: Store, statement: Statement, organization: str) -> SqlStream:
    """Start a query; `batches` has to be closed. Raises as `run_sql`."""
    database = await store.living_database()
    settings = _settings(store, database, organization, STREAM_SECONDS_MAX)
    batches = _batches(store, database, statement, settings)
    try:
        schema = await anext(batches)
    except BaseException:
        await batches.aclose()
        raise
    return SqlStream(schema, batches)


async def _batches(
    store: Store, database: str, statement: Statement, settings: Mapping[str, Any]
) -> AsyncGenerator[Any, None]:
    """The schema, then the batches."""
    async with store.sql_lane() as lane:
        reading = await lane.run(
            lambda connection: _Reading(connection, statement, settings), database=database
        )
        try:
            yield reading.schema
            while (batch := await lane.run(lambda _: reading.next_batch())) is not None:
                yield batch
        finally:
            # Not waited for: whoever hung up does not wait, and the lane is free afterwards.
            lane.submit(lambda _: reading.close())


class _Reading:
    """An open result. For the thread of its connection only."""

    def __init__(
        self, connection: Connection, statement: Statement, settings: Mapping[str, Any]
    ) -> None:
        self._connection = connection
        try:
            stream = _open(connection, statement, settings)
            self._opened = ExitStack()
            self._stream = self._opened.enter_context(stream)
            self._names, self._types = _shape(connection, stream, statement, settings)
        except ClickHouseError as error:
            raise told(error) from error
        self.schema = arrow_schema(self._names, self._types)

    def next_batch(self) -> pa.RecordBatch | None:
        try:
            block = next(self._stream, None)
        except ClickHouseError as error:
            # A part is on its way already: no refusal can be told any more.
            raise TimelineUnavailableError(f"a stream ended early: {told(error)}") from error
        return None if block is None else arrow_batch(self._names, self._types, block)

    def close(self) -> None:
        self._connection.break_off()
        self._opened.close()


def _read(connection: Connection, statement: Statement, settings: Mapping[str, Any]) -> SqlResult:
    started_s = time.perf_counter()
    rows: list[Sequence[Any]] = []
    try:
        with _open(connection, statement, settings) as stream:
            names, types = _shape(connection, stream, statement, settings)
            rows_max = min(ROWS_MAX, VALUES_MAX // max(len(names), 1))
            for block in stream:
                # One block may hold any number of rows, where lists are joined.
                wanted = rows_max + 1 - len(rows)
                columns = (
                    json_column(type_, column[:wanted])
                    for type_, column in zip(types, block, strict=True)
                )
                rows += zip(*columns, strict=True)
                if len(rows) > rows_max:
                    connection.break_off()
                    break
    except ClickHouseError as error:
        raise told(error) from error
    return SqlResult(
        columns=[(name, type_name(type_)) for name, type_ in zip(names, types, strict=True)],
        rows=rows[:rows_max],
        is_truncated=len(rows) > rows_max,
        elapsed_ms=int((time.perf_counter() - started_s) * 1_000),
    )


def _open(
    connection: Connection, statement: Statement, settings: Mapping[str, Any]
) -> StreamContext:
    return connection.client.query_column_block_stream(
        statement.sql,
        parameters=dict(statement.parameters),
        settings=_settable(connection, settings),
    )


def _settable(connection: Connection, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A user that may only read must not say so once more."""
    readonly = connection.client.server_settings.get("readonly")
    is_reader = readonly is not None and readonly.value != "0"
    return {
        name: new_query_id(value) if name == _QUERY_ID else value
        for name, value in settings.items()
        if not (is_reader and name == "readonly")
    }


def _shape(
    connection: Connection,
    stream: StreamContext,
    statement: Statement,
    settings: Mapping[str, Any],
) -> tuple[Sequence[str], Sequence[ClickHouseType]]:
    """Names and types of the columns. A result without rows comes without them."""
    result: Any = stream.source
    if result.column_names:
        return result.column_names, result.column_types
    result.close()
    described = connection.client.query(
        f"DESCRIBE ({statement.sql})",
        parameters=dict(statement.parameters),
        settings=_settable(connection, settings),
    ).result_rows
    return [row[0] for row in described], [get_from_name(row[1]) for row in described]


def _settings(store: Store, database: str, organization: str, seconds: int) -> Mapping[str, Any]:
    # The names of organizations need no escaping; this is what that rests on.
    assert _NAME.fullmatch(organization), "an organization's name"
    filters = ", ".join(
        f"'{database}.{table}': 'organization = \\'{organization}\\''" for table in _FILTERED
    )
    return {
        **_LIMITS,
        # The embedded store has no users, no policies, and no ids.
        **({} if store.is_embedded else {_QUERY_ID: query_id_stem(organization)}),
        "max_execution_time": seconds,
        "additional_table_filters": f"{{{filters}}}",
    }
