"""The register of CLI instances as a file: NDJSON has the items of the JSON list; the others have
the same values in columns, `versions` as a list of objects.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
from starlette.responses import Response

from query.export_format import ExportFormat
from query.export_stream import export_response, ndjson_response
from schemas.times import parse_us
from timeline.instance_query import InstanceFilters, InstanceJson, read_instances
from timeline.store import Store

_TIME: Final = pa.timestamp("us", "UTC")
_TIMES: Final = ("first_seen", "last_seen")
_VERSION: Final = pa.struct([("version", pa.string()), *((name, _TIME) for name in _TIMES)])
INSTANCE_SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "cli_version", "os", "arch", "hostname")),
        *((name, _TIME) for name in _TIMES),
        ("actors", pa.list_(pa.string())),
        ("versions", pa.list_(_VERSION)),
    ]
)


@dataclass(frozen=True, slots=True)
class InstanceExport:
    """`page_sizes` says how many instances to read at a time, and no more pages than it has."""

    store: Store
    organization: str
    filters: InstanceFilters
    page_sizes: Iterator[int]

    def response(self, form: ExportFormat, *, filename: str) -> Response:
        """The whole register in this format."""
        if form is ExportFormat.NDJSON:
            return ndjson_response(self._pages(), filename=filename)
        return export_response(form, INSTANCE_SCHEMA, self._batches(), filename=filename)

    async def _batches(self) -> AsyncGenerator[pa.RecordBatch, None]:
        async with aclosing(self._pages()) as pages:
            async for items in pages:
                yield await asyncio.to_thread(_batch, items)

    async def _pages(self) -> AsyncGenerator[list[InstanceJson], None]:
        """Raises TimelineUnavailableError."""
        filters = self.filters
        for limit in self.page_sizes:
            filters = replace(filters, limit=limit)
            page = await read_instances(self.store, self.organization, filters)
            yield page.items
            if page.next_cursor is None:
                return
            filters = replace(filters, after_id=page.items[-1]["id"])


def _batch(items: Sequence[InstanceJson]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(map(_with_times, items)), INSTANCE_SCHEMA)


def _with_times(item: dict[str, Any]) -> dict[str, Any]:
    """Times as µs, also those of the versions."""
    known = {**item, **{name: parse_us(item[name]) for name in _TIMES}}
    if "versions" in item:
        known["versions"] = [_with_times(version) for version in item["versions"]]
    return known
