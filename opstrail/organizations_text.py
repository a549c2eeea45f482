"""Organizations as a table in a terminal, 80 columns and up."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console

from opstrail.columns import Column, Row, print_rows
from opstrail.completeness_text import moment_text
from opstrail.screen import shown

_COLUMNS: Final = (Column("organization"), Column("made (UTC)", is_fixed=True))


def print_organizations(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """One row an organization, by name."""
    if not items:
        console.print("no organizations")
        return
    rows = [
        Row([shown(item["name"], "bold"), shown(moment_text(item["created_at"])[:16])])
        for item in items
    ]
    print_rows(console, _COLUMNS, rows, indent=0)
