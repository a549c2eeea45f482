"""Record batches as bytes of each format, piece by piece.

Must stay true:
- An encoder keeps at most one row group, however long the export. (The footer of Parquet lists the
  row groups: a few KiB for each ROW_GROUP_ROWS rows stay.)
- Nothing is finished but by `finish`: an export that breaks off has no footer and no end mark.
- No asyncio here: this is work for a thread.
"""

import base64
import io
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from query.export_csv import csv_bytes, harmless
from query.export_format import ExportFormat
from schemas.times import format_us, to_us

# Small ones compress badly, and each costs its place in the footer.
ROW_GROUP_ROWS: Final = 20_000
# Rows with many links are large: whichever is reached first.
ROW_GROUP_BYTES: Final = 32 * 1024**2
# Rows of text that become bytes at once.
TEXT_ROWS: Final = 2_000


class Encoder(Protocol):
    """`encode` and `finish` return the bytes that are ready, which may be none."""

    def encode(self, batch: pa.RecordBatch) -> bytes: ...

    def finish(self) -> bytes: ...


def encoder_of(form: ExportFormat, schema: pa.Schema) -> Encoder:
    """An encoder of batches of this schema."""
    return _ENCODERS[form](schema)


class NdjsonEncoder:
    """One object a line. Times as the API writes them; NaN and the infinities are null."""

    def __init__(self, schema: pa.Schema) -> None:
        self._names = list(schema.names)

    def encode(self, batch: pa.RecordBatch) -> bytes:
        return ndjson_bytes([dict(zip(self._names, row, strict=True)) for row in _rows(batch)])

    def finish(self) -> bytes:
        return b""


class CsvEncoder:
    """With a header. Null is empty, nested values are JSON, no cell is a formula."""

    def __init__(self, schema: pa.Schema) -> None:
        self._cells = [_cell_of(field.type) for field in schema]
        self._head = csv_bytes([[harmless(name) for name in schema.names]])

    def encode(self, batch: pa.RecordBatch) -> bytes:
        rows = (
            [
                None if value is None else cell(value)
                for cell, value in zip(self._cells, row, strict=True)
            ]
            for row in _rows(batch)
        )
        return self._take_head() + csv_bytes(rows)

    def finish(self) -> bytes:
        return self._take_head()

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head


class ParquetEncoder:
    """Zstd; small batches are brought together into row groups."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0

    def encode(self, batch: pa.RecordBatch) -> bytes:
        self._wait(batch)
        if self._waiting_rows >= ROW_GROUP_ROWS:
            self._write(self._waiting_rows - self._waiting_rows % ROW_GROUP_ROWS)
        if self._waiting_bytes >= ROW_GROUP_BYTES:
            self._write(self._waiting_rows)
        return self._sink.drain()

    def finish(self) -> bytes:
        self._write(self._waiting_rows)
        self._writer.close()
        return self._sink.drain()

    def _wait(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.nbytes

    def _write(self, rows: int) -> None:
        """The first of the rows that wait, in full groups but for the last."""
        table = pa.Table.from_batches(self._waiting, self._schema)
        if rows:
            self._writer.write_table(table.slice(0, rows), row_group_size=ROW_GROUP_ROWS)
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0
        for batch in table.slice(rows).to_batches():
            self._wait(batch)


class ArrowEncoder:
    """The IPC stream format, uncompressed: not every reader knows its codecs."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Sink()
        self._writer = pa.ipc.new_stream(self._sink, schema)

    def encode(self, batch: pa.RecordBatch) -> bytes:
        self._writer.write_batch(batch)
        return self._sink.drain()

    def finish(self) -> bytes:
        self._writer.close()
        return self._sink.drain()


_ENCODERS: Final[dict[ExportFormat, Callable[[pa.Schema], Encoder]]] = {
    ExportFormat.NDJSON: NdjsonEncoder,
    ExportFormat.CSV: CsvEncoder,
    ExportFormat.PARQUET: ParquetEncoder,
    ExportFormat.ARROW: ArrowEncoder,
}


def ndjson_bytes(objects: Sequence[Any]) -> bytes:
    """One JSON value a line."""
    return _JSON.encode_lines(objects)


class _Sink(io.RawIOBase):
    """A file that forgets what was taken from it."""

    def __init__(self) -> None:
        self._ready: list[bytes] = []
        self._written_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._ready.append(bytes(data))
        self._written_bytes += len(self._ready[-1])
        return len(self._ready[-1])

    def tell(self) -> int:
        return self._written_bytes

    def drain(self) -> bytes:
        ready, self._ready = b"".join(self._ready), []
        return ready


_JSON: Final = msgspec.json.Encoder(enc_hook=str)
_Value: TypeAlias = Callable[[Any], Any]


def _rows(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """Rows of what JSON knows: text, numbers, booleans, lists, objects and null.

    By column, not by name: a query may give two columns one name.
    """
    columns = [_values(column) for column in batch.columns]
    return list(zip(*columns, strict=True)) if columns else []


def _values(column: Any) -> list[Any]:
    readable = _readable_type(column.type)
    if readable != column.type:
        column = column.cast(readable, safe=False)
    value_of = _value_of(readable)
    values: list[Any] = column.to_pylist()
    if value_of is None:
        return values
    return [None if value is None else value_of(value) for value in values]


def _readable_type(type_: pa.DataType) -> pa.DataType:
    """Python's own times end at microseconds; a time without a zone is UTC, as all of ours are."""
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us", "UTC")
    if pa.types.is_dictionary(type_):
        return _readable_type(type_.value_type)
    if pa.types.is_list(type_):
        return pa.list_(type_.value_field.with_type(_readable_type(type_.value_type)))
    if pa.types.is_struct(type_):
        return pa.struct([field.with_type(_readable_type(field.type)) for field in type_])
    return type_


def _value_of(type_: pa.DataType) -> _Value | None:
    """From what pyarrow makes of a value of this type to what JSON shows; None: as it is."""
    types = pa.types
    if types.is_timestamp(type_):
        return _time
    if types.is_floating(type_):
        return _number
    if types.is_binary(type_) or types.is_large_binary(type_) or types.is_fixed_size_binary(type_):
        return _bytes
    if types.is_map(type_):
        return _map_of(_value_of(type_.key_type), _value_of(type_.item_type))
    if types.is_struct(type_):
        return _object_of({field.name: _value_of(field.type) for field in type_})
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        return _list_of(_value_of(type_.value_type))
    return None


def _time(value: datetime) -> str:
    return format_us(to_us(value.astimezone(UTC)))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _bytes(value: bytes) -> str:
    """Text where it is some; else base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _list_of(inner: _Value | None) -> _Value | None:
    if inner is None:
        return None
    return lambda values: [_converted(inner, value) for value in values]


def _object_of(inner: dict[str, _Value | None]) -> _Value | None:
    if not any(inner.values()):
        return None
    return lambda value: {name: _converted(inner[name], part) for name, part in value.items()}


def _map_of(key: _Value | None, item: _Value | None) -> _Value:
    return lambda pairs: {
        str(_converted(key, name)): _converted(item, value) for name, value in pairs
    }


def _converted(convert: _Value | None, value: Any) -> Any:
    return value if convert is None or value is None else convert(value)


def _cell_of(type_: pa.DataType) -> _Value:
    """From what JSON shows of a value of this type to its cell."""
    types = pa.types
    if types.is_dictionary(type_):
        return _cell_of(type_.value_type)
    if types.is_boolean(type_):
        return lambda value: "true" if value else "false"
    if types.is_nested(type_):
        return lambda value: harmless(_JSON.encode(value).decode())
    if types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_):
        return lambda value: value
    return lambda value: harmless(str(value))
