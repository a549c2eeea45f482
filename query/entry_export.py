"""Lists of entries as files: every entry that fits, page after page.

Must stay true:
- NDJSON has the very items of the JSON list; the other formats have the same values in flat columns
  that are the same for every answer of one list, whatever it holds.
- Pages are read by the code of the JSON list, so none is twice and none is left out here either.
- All pages see one moment: a record does not become lost in the middle.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
from starlette.responses import Response

from query.export_format import ExportFormat
from query.export_stream import export_response, ndjson_response
from query.services import QueryServices
from schemas.kinds import Kind
from schemas.records import COMMON_FIELDS, RECORD_KINDS, ColumnType, OwnField, own_columns
from timeline.cursor import read_cursor
from timeline.entry_json import entries_json
from timeline.entry_row import EntryColumns
from timeline.environment_query import read_environments
from timeline.filters import Filters
from timeline.moment import Moment
from timeline.scope import Scope
from timeline.timeline_query import read_page

TIME: Final = pa.timestamp("us", "UTC")
_TYPES: Final[dict[ColumnType, pa.DataType]] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
}
LINK: Final = pa.struct(
    [
        ("id", pa.string()),
        ("rule", pa.string()),
        ("target", pa.struct([("kind", pa.string()), ("id", pa.string())])),
        ("confidence", pa.string()),
        ("gap_ms", pa.int64()),
        ("explanation", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class _Column:
    """`path` in an entry as JSON: `host.inventory_name`."""

    path: str
    type: pa.DataType

    @property
    def name(self) -> str:
        return self.path.replace(".", "_")


def _texts(names: Iterable[str]) -> list[_Column]:
    return [_Column(name, pa.string()) for name in names]


_BEFORE_OWN: Final = (
    *_texts(("kind", "id", "organization", "workspace", "environment")),
    _Column("occurred_at", TIME),
    _Column("ended_at", TIME),
    _Column("duration_ms", pa.int64()),
    *_texts(("status", "actor", "actor_kind", "key_id", *COMMON_FIELDS)),
)
_AFTER_OWN: Final = (
    *_texts(f"configured_by.{part}" for part in ("id", "sync_id", "commit", "branch")),
    _Column("configured_by.confidence", pa.string()),
    _Column("configured_by.behind", pa.bool_()),
    _Column("configured_by.explanation", pa.string()),
    _Column("links", pa.list_(LINK)),
    _Column("links_omitted", pa.bool_()),
    _Column("unexplained", pa.bool_()),
    _Column("flags", pa.list_(pa.string())),
    _Column("received_at", TIME),
    _Column("revision", pa.uint64()),
)
# What is text in JSON and a number in a row.
_TIMES: Final = frozenset({"occurred_at", "ended_at", "received_at"})


def _columns(own_fields: Iterable[OwnField]) -> tuple[_Column, ...]:
    own = (_Column(field.path, _TYPES[field.type]) for field in own_fields)
    return (*_BEFORE_OWN, *own, *_AFTER_OWN)


# By list; None is the timeline, which has the columns of every kind.
_COLUMNS: Final[dict[Kind | None, tuple[_Column, ...]]] = {
    None: _columns(own_columns().values()),
    **{kind: _columns(spec.own_fields) for kind, spec in RECORD_KINDS.items()},
}


def entry_schema(kind: Kind | None) -> pa.Schema:
    """The columns of this kind's list; None: of the timeline."""
    return pa.schema([(column.name, column.type) for column in _COLUMNS[kind]])


@dataclass(frozen=True, slots=True)
class EntryExport:
    """`kind` is that of the list; `page_sizes` says how many rows to read at a time, and no more
    pages than it has. `filters` None: nothing can fit.
    """

    services: QueryServices
    scope: Scope
    kind: Kind | None
    filters: Filters | None
    page_sizes: Iterator[int]

    def response(self, form: ExportFormat, *, filename: str) -> Response:
        """The whole list in this format."""
        if form is ExportFormat.NDJSON:
            return ndjson_response(self._items(), filename=filename)
        schema = entry_schema(self.kind)
        return export_response(form, schema, self._batches(schema), filename=filename)

    async def _items(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        moment = self.services.moment()
        async with aclosing(self._pages(moment)) as pages:
            async for rows, environments in pages:
                yield await asyncio.to_thread(entries_json, rows, environments, moment)

    async def _batches(self, schema: pa.Schema) -> AsyncGenerator[pa.RecordBatch, None]:
        moment = self.services.moment()
        columns = _COLUMNS[self.kind]
        async with aclosing(self._pages(moment)) as pages:
            async for rows, environments in pages:
                yield await asyncio.to_thread(_batch, rows, environments, moment, columns, schema)

    async def _pages(
        self, moment: Moment
    ) -> AsyncGenerator[tuple[list[EntryColumns], dict[str, str]], None]:
        """Rows with the environments of their workspaces. Raises TimelineUnavailableError."""
        filters = self.filters
        if filters is None:
            return
        for limit in self.page_sizes:
            page = await read_page(
                self.services.store, self.scope, replace(filters, limit=limit), moment
            )
            environments = await read_environments(
                self.services.store,
                self.scope.organization,
                (row["workspace"] for row in page.rows),
            )
            yield page.rows, environments
            if page.next_cursor is None:
                return
            cursor, _ = read_cursor(page.next_cursor)
            filters = replace(filters, cursor=cursor)


def _batch(
    rows: Sequence[EntryColumns],
    environments: dict[str, str],
    moment: Moment,
    columns: Sequence[_Column],
    schema: pa.Schema,
) -> pa.RecordBatch:
    items = entries_json(rows, environments, moment)
    arrays = [
        pa.array(
            [row[column.path] for row in rows]
            if column.path in _TIMES
            else _values(items, column.path),
            column.type,
        )
        for column in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _values(items: Sequence[dict[str, Any]], path: str) -> list[Any]:
    """An entry of another kind, and an object of which nothing is known, leave it empty."""
    holder, _, part = path.partition(".")
    if not part:
        return [item.get(holder) for item in items]
    return [None if (held := item.get(holder)) is None else held[part] for item in items]
