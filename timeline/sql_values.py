"""What ClickHouse answers to an analyst, as JSON and as Arrow: which value becomes what.

Times are UTC. What JSON numbers cannot hold (Decimal, integers beyond 64 bits) is text; NaN and the
infinities are null. Pure.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias

import pyarrow as pa
from clickhouse_connect.datatypes.base import ClickHouseType

from schemas.times import format_us, to_us

_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**64 - 1


def type_name(type_: ClickHouseType) -> str:
    """As ClickHouse writes it, without the quotes around the names inside a Tuple."""
    return str(type_.name).replace("`", "")


# Whose values JSON shows as they are.
_PLAIN: Final = frozenset(
    {"String", "Bool", *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))}
)


def json_column(type_: ClickHouseType, column: Sequence[Any]) -> Sequence[Any]:
    return column if type_.base_type in _PLAIN else [json_value(value) for value in column]


def json_value(value: Any) -> Any:
    """A value of the client's as JSON shows it. Depth is bounded by the type it comes from."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if _INTEGER_MIN <= value <= _INTEGER_MAX else str(value)
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return format_us(to_us(_utc(value)))
        case date():
            return value.isoformat()
        case bytes():
            return value.rstrip(b"\0").decode(errors="replace")
        case Mapping():
            return {str(json_value(name)): json_value(inner) for name, inner in value.items()}
        case list() | tuple():
            return [json_value(inner) for inner in value]
        case _ if hasattr(value, "item"):  # NumPy's own numbers
            return json_value(value.item())
        case _:
            return str(value)


def _utc(value: datetime) -> datetime:
    # The client leaves the zone out where it is UTC.
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_Convert: TypeAlias = Callable[[Any], Any]

_SIMPLE: Final[Mapping[str, tuple[pa.DataType, _Convert | None]]] = {
    **{
        f"{sign}Int{bits}": (getattr(pa, f"{sign.lower()}int{bits}")(), None)
        for sign in ("", "U")
        for bits in (8, 16, 32, 64)
    },
    "Float32": (pa.float32(), None),
    "Float64": (pa.float64(), None),
    "Bool": (pa.bool_(), bool),
    "Date": (pa.date32(), None),
    "Date32": (pa.date32(), None),
    "DateTime": (pa.timestamp("us", "UTC"), _utc),
    "DateTime64": (pa.timestamp("us", "UTC"), _utc),
}


def _as_text(value: Any) -> str:
    shown = json_value(value)
    return shown if isinstance(shown, str) else str(shown)


def arrow_type(type_: ClickHouseType) -> pa.DataType:
    return _arrow(type_)[0]


def arrow_batch(
    names: Sequence[str], types: Sequence[ClickHouseType], columns: Sequence[Sequence[Any]]
) -> pa.RecordBatch:
    arrays = []
    for type_, column in zip(types, columns, strict=True):
        shape, convert = _arrow(type_)
        values = column if convert is None else [_converted(convert, value) for value in column]
        arrays.append(pa.array(values, type=shape))
    return pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(names, types))


def arrow_schema(names: Sequence[str], types: Sequence[ClickHouseType]) -> pa.Schema:
    pairs = zip(names, types, strict=True)
    return pa.schema([pa.field(name, arrow_type(type_)) for name, type_ in pairs])


def _arrow(type_: Any) -> tuple[pa.DataType, _Convert | None]:
    """The Arrow type and what makes a value fit it; None: it fits as it is."""
    base = type_.base_type.partition("(")[0]
    match base:
        case "Array":
            inner, convert = _arrow(type_.element_type)
            return pa.list_(inner), _list_of(convert)
        case "Map":
            key, of_key = _arrow(type_.key_type)
            item, of_item = _arrow(type_.value_type)
            return pa.map_(key, item), _pairs_of(of_key, of_item)
        case "Tuple":
            parts = [_arrow(part) for part in type_.element_types]
            names = list(type_.element_names or map(str, range(1, len(parts) + 1)))
            fields = [pa.field(name, shape) for name, (shape, _) in zip(names, parts, strict=True)]
            return pa.struct(fields), _struct_of(names, [convert for _, convert in parts])
        case _:
            return _SIMPLE.get(base, (pa.string(), _as_text))


def _converted(convert: _Convert | None, value: Any) -> Any:
    return value if convert is None or value is None else convert(value)


def _list_of(convert: _Convert | None) -> _Convert:
    return lambda values: [_converted(convert, value) for value in values]


def _pairs_of(of_key: _Convert | None, of_item: _Convert | None) -> _Convert:
    return lambda value: [
        (_converted(of_key, name), _converted(of_item, item)) for name, item in value.items()
    ]


def _struct_of(names: list[str], converts: list[_Convert | None]) -> _Convert:
    def convert(value: Any) -> dict[str, Any]:
        # Named tuples come as objects.
        parts = value.values() if isinstance(value, Mapping) else value
        return {
            name: _converted(of_part, part)
            for name, of_part, part in zip(names, converts, parts, strict=True)
        }

    return convert
