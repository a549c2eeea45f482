"""What SQL answers, as a table in a terminal; and the views it may ask."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import Column, Row, fits, print_facts, print_rows, print_text
from opstrail.screen import shown

# More than anyone reads, and as many as are quickly laid out.
ROWS_SHOWN_MAX: Final = 1_000
_NUMBER: Final = re.compile(r"(Nullable\()?(U?Int|Float|Decimal)", re.ASCII)


def print_result(console: Console, result: Mapping[str, Any]) -> None:
    """Rows side by side, or, where there are too many columns for it, one below the other."""
    columns = [
        Column(column["name"], is_right=_NUMBER.match(column["type"]) is not None)
        for column in result["columns"]
    ]
    rows = [Row([_cell(value) for value in row]) for row in result["rows"][:ROWS_SHOWN_MAX]]
    if rows and fits(console, columns, rows):
        print_rows(console, columns, rows, indent=0)
    else:
        _print_records(console, columns, rows)
    _print_end(console, result)


def print_schema(console: Console, views: Sequence[Mapping[str, Any]]) -> None:
    """Each view with its columns and what they mean."""
    for number, view in enumerate(views):
        if number:
            console.print()
        console.print(shown(view["name"], "bold underline"))
        print_text(console, shown(view["comment"], "italic"))
        rows = [
            Row(
                (shown(column["name"], "bold"), shown(column["type"], "dim")),
                [shown(column["comment"])],
            )
            for column in view["columns"]
        ]
        print_rows(console, (Column("", is_fixed=True), Column("")), rows)


def _print_records(console: Console, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    for number, row in enumerate(rows, start=1):
        console.print(shown(f"row {number}", "bold underline"))
        names = [column.heading for column in columns]
        print_facts(console, list(zip(names, row.cells, strict=True)))


def _cell(value: object) -> Text:
    match value:
        case None:
            return Text("NULL", style="dim")
        case str():
            return shown(value)
        case _:
            return shown(json.dumps(value, ensure_ascii=False))


def _print_end(console: Console, result: Mapping[str, Any]) -> None:
    count = len(result["rows"])
    rows = f"{count:,} row" if count == 1 else f"{count:,} rows"
    end = Text(f"\n{rows}", style="dim")
    end.append(f" in {result['elapsed_ms'] / 1000:.2f} s")
    console.print(end)
    if count > ROWS_SHOWN_MAX:
        more = f"Only the first {ROWS_SHOWN_MAX:,} are shown; --format csv gives them all."
        print_text(console, Text(more, style="yellow"))
    if result["truncated"]:
        more = f"The answer was cut after {rows}; --format csv gives more."
        print_text(console, Text(more, style="yellow"))
