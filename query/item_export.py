"""Lists of plain items as files: NDJSON has the items of the JSON list; the others have the same
values in columns, and as JSON text what has no column type of its own.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import msgspec
import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response

from query.export_format import ExportFormat, other_parameters
from query.export_pages import export_form, page_sizes, with_watermark
from query.export_stream import export_response, ndjson_response
from query.services import QueryServices
from schemas.times import parse_us

Pairs: TypeAlias = Sequence[tuple[str, str]]


class ItemPage(Protocol):
    """What every reading of a list returns."""

    @property
    def items(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def next_cursor(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class ItemList:
    """One list of the API. `read(parameters, limit)` reads a page: what the query parameters ask
    for, `cursor` among them; `limit` None: as many as they say.

    It raises RefusedError for bad ones, and TimelineUnavailableError. `has_watermark`: whether it
    is of what was sent, so that the answer says up to when it is complete.
    """

    name: str
    schema: pa.Schema
    read: Callable[[Pairs, int | None], Awaitable[ItemPage]]
    has_watermark: bool = True

    async def answer(self, services: QueryServices, request: Request) -> Any:
        """A page as JSON, or the whole list as a file."""
        form = export_form(request)
        parameters = other_parameters(request)
        # Before the rows: what it promises is then among them.
        watermark = (
            await services.watermarks.json(services.partitions) if self.has_watermark else None
        )
        first = await self.read(parameters, None)
        if form is None:
            page = {"items": first.items, "next_cursor": first.next_cursor}
            return page if watermark is None else {**page, "watermark": watermark}
        sizes = page_sizes(request, len(first.items))
        file = self._export(form, parameters, first, sizes)
        return file if watermark is None else with_watermark(file, watermark)

    def _export(
        self,
        form: ExportFormat,
        parameters: Pairs,
        first: ItemPage,
        sizes: Iterator[int],
    ) -> Response:
        filename = f"{self.name}{form.suffix}"
        pages = self._pages(parameters, first, sizes)
        if form is ExportFormat.NDJSON:
            return ndjson_response(pages, filename=filename)
        return export_response(form, self.schema, self._batches(pages), filename=filename)

    async def _pages(
        self, parameters: Pairs, first: ItemPage, sizes: Iterator[int]
    ) -> AsyncGenerator[Sequence[Mapping[str, Any]], None]:
        """Raises TimelineUnavailableError."""
        page = first
        next(sizes)  # the first one is read
        while True:
            yield page.items
            limit = next(sizes, None)
            if page.next_cursor is None or limit is None:
                return
            others = [pair for pair in parameters if pair[0] != "cursor"]
            page = await self.read([*others, ("cursor", page.next_cursor)], limit)

    async def _batches(
        self, pages: AsyncGenerator[Sequence[Mapping[str, Any]], None]
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        async with aclosing(pages):
            async for items in pages:
                yield await asyncio.to_thread(_batch, items, self.schema)


def _batch(items: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    rows = [
        {field.name: _value(item[field.name], field.type) for field in schema} for item in items
    ]
    return pa.RecordBatch.from_pylist(rows, schema)


def _value(value: Any, type_: pa.DataType) -> Any:
    """A value of the JSON item as its column takes it."""
    if value is None:
        return None
    if pa.types.is_timestamp(type_):
        return parse_us(value)
    if pa.types.is_list(type_):
        return [_value(each, type_.value_type) for each in value]
    if pa.types.is_struct(type_):
        return {field.name: _value(value[field.name], field.type) for field in type_}
    if pa.types.is_string(type_) and not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    return value
