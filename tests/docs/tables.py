"""Reads the tables of our pages, so that tests can compare them with the code."""

from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"


def table_rows(page: Path, first_heading: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading, without heading and rule."""
    rows: list[list[str]] = []
    is_inside = False
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            is_inside = False
        elif is_inside:
            rows.append(cells)
        elif cells[0] == first_heading:
            is_inside = True
    assert rows, f"{page.name}: no table with the heading {first_heading!r}"
    return rows[1:]


def code(cell: str) -> str:
    """What stands between the back quotes of a cell."""
    assert cell.startswith("`"), cell
    return cell[1:].partition("`")[0]
