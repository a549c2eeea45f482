"""People and service accounts as a table in a terminal, 80 columns and up."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console

from opstrail.columns import Column, Row, print_rows
from opstrail.completeness_text import moment_text
from opstrail.screen import shown

_COLUMNS: Final = (
    Column("principal"),
    Column("kind", is_fixed=True),
    Column("made (UTC)", is_fixed=True),
)


def print_principals(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """One row a principal, by name."""
    if not items:
        console.print("no principals")
        return
    rows = [
        Row(
            [
                shown(item["name"], "bold"),
                shown(item["kind"]),
                shown(moment_text(item["created_at"])[:16]),
            ]
        )
        for item in items
    ]
    print_rows(console, _COLUMNS, rows, indent=0)
