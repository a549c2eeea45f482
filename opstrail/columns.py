"""Rows in columns, each with lines of its own below, which a rich table does not have.

Must stay true: no line is wider than the console, and none ends in spaces.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_INDENT: Final = 2
_BETWEEN: Final = 2
# Below this, words are cut into pieces no one can read.
_WIDTH_MIN: Final = 6
# Names and paths read well when they are broken after one of these.
_SIGNS: Final = "-_./:@,;="


@dataclass(frozen=True, slots=True)
class Column:
    """A fixed one is never narrower than its widest cell while another can still give way."""

    heading: str
    is_fixed: bool = False
    is_right: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One cell a column; `below` stands under all but the first of them."""

    cells: Sequence[Text]
    below: Sequence[Text] = ()


def print_rows(
    console: Console, columns: Sequence[Column], rows: Sequence[Row], *, indent: int = _INDENT
) -> None:
    """All rows under the headings of the columns; headings that are all empty are left out."""
    widths = _widths(columns, rows, console.width - indent)
    if any(column.heading for column in columns):
        heading = [Text(column.heading, style="dim") for column in columns]
        _print(console, _lines(columns, widths, heading), indent)
    below_indent = indent + widths[0] + _BETWEEN
    for row in rows:
        _print(console, _lines(columns, widths, row.cells), indent)
        for text in row.below:
            print_text(console, text, indent=below_indent)


def print_facts(console: Console, facts: Sequence[tuple[str, Text]]) -> None:
    """A name and its value a line; those without a value are left out."""
    rows = [Row((Text(name, style="dim"), value)) for name, value in facts if value.plain]
    print_rows(console, (Column("", is_fixed=True), Column("")), rows)


def print_text(console: Console, text: Text, *, indent: int = 0) -> None:
    """A paragraph, indented also where it has to be broken."""
    _print(console, _wrapped(text, max(1, console.width - indent)), indent)


def print_title(console: Console, title: str, count: int | None = None) -> None:
    """A heading after an empty line, with how many come under it."""
    text = Text(title, style="bold underline")
    if count is not None:
        text.append(f" ({count})" if count else ": none", style="not underline not bold dim")
    console.print()
    print_text(console, text)


def fits(console: Console, columns: Sequence[Column], rows: Sequence[Row]) -> bool:
    """Whether the rows can stand side by side without words being cut into pieces."""
    narrow = [min(width, 2 * _WIDTH_MIN) for width in _natural_widths(columns, rows)]
    return sum(narrow) + _BETWEEN * (len(columns) - 1) + _INDENT <= console.width


def _natural_widths(columns: Sequence[Column], rows: Sequence[Row]) -> list[int]:
    return [
        max(1, len(column.heading), *(row.cells[index].cell_len for row in rows))
        for index, column in enumerate(columns)
    ]


def _widths(columns: Sequence[Column], rows: Sequence[Row], available: int) -> list[int]:
    """The widest give way first."""
    available = max(len(columns), available - _BETWEEN * (len(columns) - 1))
    widths = [min(width, available) for width in _natural_widths(columns, rows)]
    while sum(widths) > available:
        giving = [
            index
            for index, column in enumerate(columns)
            if not column.is_fixed and widths[index] > max(_WIDTH_MIN, len(column.heading))
        ]
        widest = max(giving or range(len(columns)), key=lambda index: widths[index])
        widths[widest] -= 1
    return widths


def _lines(
    columns: Sequence[Column], widths: Sequence[int], cells: Sequence[Text]
) -> Iterator[Text]:
    wrapped = [_wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(map(len, wrapped))):
        line = Text()
        for column, width, parts in zip(columns, widths, wrapped, strict=True):
            part = parts[number] if number < len(parts) else Text()
            padding = " " * max(0, width - part.cell_len)
            line.append(padding if column.is_right else "").append_text(part)
            line.append("" if column.is_right else padding).append(" " * _BETWEEN)
        line.rstrip()
        yield line


def _wrapped(text: Text, width: int) -> list[Text]:
    """At least one line."""
    if text.cell_len <= width:
        return [text]
    lines = list(text.divide(_breaks(text.plain, width)))
    for line in lines:
        line.rstrip()
    return lines


def _breaks(plain: str, width: int) -> list[int]:
    """Where to break: after a space, else inside a name after a sign, else anywhere."""
    breaks: list[int] = []
    start = used = 0
    for index, character in enumerate(plain):
        used += cell_len(character)
        # A space at the end of a line is not shown.
        if used <= width or character == " " or index == start:
            continue
        start = _break_before(plain, start, index)
        breaks.append(start)
        used = cell_len(plain[start : index + 1])
    return breaks


def _break_before(plain: str, start: int, end: int) -> int:
    """The best place for a new line to begin, after `start`, at `end` at the latest."""
    for signs in (" ", _SIGNS):
        found = max(plain.rfind(sign, start, end) for sign in signs)
        # So near the start it would leave a line with next to nothing.
        if found + 1 > start + (end - start) // 4:
            return found + 1
    return end


def _print(console: Console, lines: Sequence[Text] | Iterator[Text], indent: int) -> None:
    for line in lines:
        # Our own wrapping is done: rich only has to write.
        indented = Text(" " * indent).append_text(line)
        indented.rstrip()
        console.print(indented, soft_wrap=True)
