"""What the commands print on: one kind of console, and text from outside that cannot act on it.

Must stay true:
- What came from outside is never read as markup, and no character of it moves the cursor, changes
  colours or turns the direction of writing round: such a one is shown as its code.
- Colours only on a terminal, and none when NO_COLOR is set.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

# Control, format (the bidirectional overrides are of these), lone surrogates, line separators.
_ACTING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def open_console() -> Console:
    """As wide as the terminal; 80 columns where there is none and COLUMNS says nothing."""
    return Console(highlight=False, markup=False, emoji=False)


def shown(text: object, style: str = "") -> Text:
    """`text` as it is but for characters that would act on the terminal; nothing for None."""
    return Text("" if text is None else harmless(str(text)), style=style)


def harmless(text: str) -> str:
    """`text` with the characters that would act on a terminal as their codes: `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        _code(character) if unicodedata.category(character) in _ACTING else character
        for character in text
    )


def _code(character: str) -> str:
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def print_more(console: Console, page: Mapping[str, Any]) -> None:
    """How to go on, where there is more."""
    if page["next_cursor"]:
        console.print(shown(f"more: --cursor {page['next_cursor']}", "dim"), soft_wrap=True)


def print_page_end(console: Console, page: Mapping[str, Any]) -> None:
    """How to go on, and up to when the answer is whole."""
    console.print()
    print_more(console, page)
    until = page["watermark"]["complete_until"]
    console.print(shown(f"complete until {until or 'not known yet'}", "dim"))
