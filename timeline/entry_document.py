"""A whole entry in one string, so that reading it from a known place reads few columns. Pure.

The engine makes the document of a row when it is inserted: a JSON list of what the columns hold, in
the order of its kind's layout, without the columns by which the row is found.

Must stay true:
- An entry reads the same from its document as from its columns.
- A document begins with the tag of its layout. Those of older versions are read as well; one of a
  layout that is not known is never guessed at.
- A new kind changes the layout of no other.
"""

import hashlib
from collections.abc import Container, Sequence
from typing import Any, Final, Literal

import msgspec

from schemas.kinds import Kind
from schemas.records import RECORD_KINDS
from timeline import ddl
from timeline.column import Column
from timeline.entry_row import NOT_KNOWN, EntryColumns, column_sql

# What finds the row and tells its revisions apart; the organization is the scope's.
_BESIDE: Final = ("workspace", "kind", "id", "occurred_at", "revision")
# What is selected for `entry_of`.
DOCUMENTED: Final = (
    "workspace, toString(kind), id, toUnixTimestamp64Micro(occurred_at), revision, document"
)


class OtherLayoutError(Exception):
    """The document is another version's: read the entry by its columns."""


def entry_of(organization: str, row: Sequence[Any]) -> EntryColumns:
    """The entry of a row of a SELECT of `DOCUMENTED`. Raises OtherLayoutError."""
    layout = _LAYOUTS.get((row[1], row[5][_TAG]))
    if layout is None:
        raise OtherLayoutError
    try:
        _, *inside = layout.decoder.decode(row[5])
    except msgspec.DecodeError as error:
        raise OtherLayoutError from error
    entry = {**NOT_KNOWN, **_ADDED, "organization": organization}
    entry.update(zip(_BESIDE, row, strict=False))
    entry.update(zip(layout.names, inside, strict=True))
    return entry


class _Layout:
    """What the document of a kind holds, in which order."""

    def __init__(self, kind: Kind, *, without: Container[str] = ()) -> None:
        own = {field.column for field in RECORD_KINDS[kind].own_fields}
        columns = [
            column
            for column in ddl.ENTRIES.columns
            if _is_inside(column.name, own) and column.name not in without
        ]
        # Types as well: the value of a column that changed its type would be another one.
        named = ",".join(f"{column.name} {column.type}" for column in columns)
        tag = hashlib.sha256(named.encode()).hexdigest()[:8]
        types: Any = (Literal[tag], *(_type(column.type) for column in columns))
        self.tag: Final = tag
        self.names: Final = [column.name for column in columns]
        # Not strict: settings of the engine decide whether it writes a number in quotes.
        self.decoder: Final = msgspec.json.Decoder(tuple[types], strict=False)
        self.sql: Final = (
            f"formatRowNoNewline('JSONCompactEachRow', '{tag}',"
            f" {', '.join(map(column_sql, columns))})"
        )


_ALL_OWN: Final = frozenset(column.name for column in ddl.OWN_COLUMNS)


def _is_inside(name: str, own: set[str]) -> bool:
    if name == "organization" or name in _BESIDE:
        return False
    return name not in _ALL_OWN or name in own


_TYPES: Final[dict[str, Any]] = {"String": str, "Bool": bool, "Int64": int, "UInt64": int}


def _type(sql: str) -> Any:
    """What the value of a column of this type is in JSON; times are numbers there."""
    outer, _, inner = sql.partition("(")
    match outer:
        case "Nullable":
            return _type(inner[:-1]) | None
        case "Array":
            return list[_type(inner[:-1])]  # type: ignore[misc]
        case "LowCardinality":
            return _type(inner[:-1])
        case "DateTime64":
            return int
        case _:
            return _TYPES[sql]


_NEWEST: Final = {kind.value: _Layout(kind) for kind in RECORD_KINDS}
# Columns that came later, with what they hold in the entries from before.
_ADDED: Final[dict[str, Any]] = {ddl.LINK_ORIGIN.name: []}
_OLDER: Final = {kind.value: _Layout(kind, without=_ADDED) for kind in RECORD_KINDS}
_LAYOUTS: Final = {
    (kind, layout.tag): layout for each in (_OLDER, _NEWEST) for kind, layout in each.items()
}
# Where it stands in a document: '["' is before it.
_TAG: Final = slice(2, 10)
# A kind that this version does not know gets none.
DOCUMENT_SQL: Final = (
    "multiIf("
    + ", ".join(f"kind = '{kind}', {layout.sql}" for kind, layout in _NEWEST.items())
    + ", '')"
)
# Each stands in DOCUMENT_SQL.
TAGS: Final = tuple(layout.tag for layout in _NEWEST.values())
DOCUMENT: Final = Column(
    "document",
    "String",
    "The columns of the entry but those of its key, as a JSON list",
    # Read a piece at a time and searched by nobody: packed tighter than the others.
    "ZSTD(3)",
    settings={"min_compress_block_size": 65_536, "max_compress_block_size": 131_072},
)
