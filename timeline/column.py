"""What a table is made of. Pure: DDL is data until `migrations.py` runs it.

Identifiers come from this package and from `schemas/`, never from outside, so they need no
escaping; `Column` and `Table` check that.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)

# Where neighbours differ little; what is left is squeezed by ZSTD.
DELTA: Final = "Delta(8), ZSTD(1)"
ZSTD: Final = "ZSTD(1)"

TIME: Final = "DateTime64(6, 'UTC')"
FEW_VALUES: Final = "LowCardinality(String)"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    comment: str
    codec: str = ZSTD
    settings: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert _IDENTIFIER.fullmatch(self.name), self.name
        assert self.comment, f"{self.name}: say what it holds"

    @property
    def ddl(self) -> str:
        comment = self.comment.replace("\\", "\\\\").replace("'", "\\'")
        settings = ", ".join(f"{name} = {value}" for name, value in self.settings.items())
        return f"`{self.name}` {self.type} COMMENT '{comment}' CODEC({self.codec})" + (
            f" SETTINGS ({settings})" if settings else ""
        )


@dataclass(frozen=True, slots=True)
class Index:
    """Lets a search skip granules: `type` tells by what, over an SQL expression."""

    name: str
    expression: str
    type: str
    granularity: int  # so many granules of the table share one entry of the index

    @property
    def ddl(self) -> str:
        return (
            f"INDEX {self.name} {self.expression} TYPE {self.type} GRANULARITY {self.granularity}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`settings` hold on both engines, `settings_embedded` on chDB only."""

    name: str
    comment: str
    columns: Sequence[Column]
    engine: str
    order_by: str
    partition_by: str = ""
    primary_key: str = ""  # where it is shorter than what the table is sorted by
    indexes: Sequence[Index] = ()
    settings: Mapping[str, int] = field(default_factory=dict)
    settings_embedded: Mapping[str, int] = field(default_factory=dict)

    def create(self, *, is_embedded: bool) -> str:
        """The statement that makes the table where it is missing."""
        assert _IDENTIFIER.fullmatch(self.name), self.name
        parts: list[Column | Index] = [*self.columns, *self.indexes]
        columns = ",\n  ".join(part.ddl for part in parts)
        keys = f"PARTITION BY {self.partition_by} " if self.partition_by else ""
        keys += f"PRIMARY KEY {self.primary_key} " if self.primary_key else ""
        chosen = {**self.settings, **(self.settings_embedded if is_embedded else {})}
        settings = ", ".join(f"{name} = {value}" for name, value in chosen.items())
        return (
            f"CREATE TABLE IF NOT EXISTS {self.name} (\n  {columns}\n) ENGINE = {self.engine} "
            f"{keys}ORDER BY {self.order_by} SETTINGS {settings} COMMENT '{self.comment}'"
        )
