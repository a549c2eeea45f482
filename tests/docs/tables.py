"""Reads the tables of our pages, so that tests can compare them with the code."""

from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"


def table_rows(page: Path, first_heading: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading, without heading and rule."""
    rows: list[list[str]] = []
    was_table = is_wanted = False
    for line in page.read_text().splitlines():
        is_table = line.startswith("|")
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if is_table and not was_table:
            is_wanted = cells[0] == first_heading
        elif is_table and is_wanted:
            rows.append(cells)
        was_table = is_table
    assert rows, f"{page.name}: no table with the heading {first_heading!r}"
    return rows[1:]


def code(cell: str) -> str:
    """What stands between the back quotes of a cell."""
    assert cell.startswith("`"), cell
    return cell[1:].partition("`")[0]
