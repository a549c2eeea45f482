"""One row of `entries` as it is read: every column under its name, times as µs."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from timeline import ddl

EntryColumns: TypeAlias = dict[str, Any]

_NAMES: Final = tuple(column.name for column in ddl.ENTRIES.columns)


def _expression(name: str, type_: str) -> str:
    # Not under its own name: a time means the column wherever a statement compares it.
    return f"toUnixTimestamp64Micro({name}) AS {name}_us" if "DateTime64" in type_ else f"`{name}`"


SELECTED: Final = ", ".join(_expression(column.name, column.type) for column in ddl.ENTRIES.columns)


def entry_row(row: Sequence[Any]) -> EntryColumns:
    """A row of a SELECT of `SELECTED`, by name."""
    return dict(zip(_NAMES, row, strict=True))
