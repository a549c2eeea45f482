"""One row of `entries` as it is read: every column under its name, times as µs."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from timeline import ddl
from timeline.column import Column

EntryColumns: TypeAlias = dict[str, Any]

_NAMES: Final = tuple(column.name for column in ddl.ENTRIES.columns)


def column_sql(column: Column) -> str:
    """What a column is read by; not under its own name, which means the column in comparisons."""
    is_time = "DateTime64" in column.type
    return f"toUnixTimestamp64Micro({column.name})" if is_time else f"`{column.name}`"


SELECTED: Final = ", ".join(map(column_sql, ddl.ENTRIES.columns))


def entry_row(row: Sequence[Any]) -> EntryColumns:
    """A row of a SELECT of `SELECTED`, by name."""
    return dict(zip(_NAMES, row, strict=True))
