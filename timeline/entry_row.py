"""One row of `entries` as it is read: every column under its name, times as µs."""

from collections.abc import Collection, Sequence
from typing import Any, Final, TypeAlias

from schemas.kinds import Kind
from schemas.records import RECORD_KINDS
from timeline import ddl
from timeline.column import Column

EntryColumns: TypeAlias = dict[str, Any]

# The fields of other kinds, as their columns hold them.
NOT_KNOWN: Final = {
    column.name: "" if column.type == "String" else None for column in ddl.OWN_COLUMNS
}


def column_sql(column: Column) -> str:
    """What a column is read by; not under its own name, which means the column in comparisons."""
    is_time = "DateTime64" in column.type
    return f"toUnixTimestamp64Micro({column.name})" if is_time else f"`{column.name}`"


def columns_of(kinds: Collection[str]) -> Sequence[Column]:
    """What entries of these kinds may fill; of a kind that this version does not know, all."""
    if not Kind._value2member_map_.keys() >= set(kinds):
        return ddl.ENTRIES.columns
    own = {field.column for kind in kinds for field in RECORD_KINDS[Kind(kind)].own_fields}
    return tuple(
        column
        for column in ddl.ENTRIES.columns
        if column.name not in NOT_KNOWN or column.name in own
    )


def selected(columns: Sequence[Column]) -> str:
    """What a SELECT reads for `entry_row`."""
    return ", ".join(map(column_sql, columns))


def entry_row(columns: Sequence[Column], row: Sequence[Any]) -> EntryColumns:
    """A row of a SELECT of `selected(columns)`, by name."""
    names = (column.name for column in columns)
    return {**NOT_KNOWN, **dict(zip(names, row, strict=True))}
