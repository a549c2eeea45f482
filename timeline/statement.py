"""One SQL statement with its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Statement:
    """`sql` is our own text; whatever comes from outside is in `parameters`, as {name:Type}."""

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
