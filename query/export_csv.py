"""Cells of CSV that a spreadsheet shows and never runs. Pure.

A cell that starts like a formula gets a leading apostrophe, which spreadsheets take as "this is
text". Only text can carry one: the minus of a number stays.
Source: RFC 4180; OWASP, CSV Injection.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

# With their full-width forms, which spreadsheets of some languages read as the same.
_FORMULA_STARTS: Final = frozenset("=+-@\t\r\n＝＋－＠")  # noqa: RUF001
# What a spreadsheet may strip or not show before a formula: blanks of all kinds are found by
# str.isspace, these are the ones without width.
_INVISIBLE: Final = frozenset("\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\x00")
_TEXT_MARK: Final = "'"


def harmless(text: str) -> str:
    """`text`, with a leading apostrophe if a spreadsheet might run it."""
    for character in text:
        if character in _FORMULA_STARTS:
            return _TEXT_MARK + text
        if not (character.isspace() or character in _INVISIBLE):
            return text
    return text


def csv_bytes(rows: Iterable[Sequence[Any]]) -> bytes:
    """RFC 4180 in UTF-8: CRLF, quotes where needed; None is empty."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    # A lone surrogate cannot be written; nothing that was accepted holds one.
    return text.getvalue().encode("utf-8", "replace")
