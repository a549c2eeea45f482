"""What a renderer prints where there is no terminal, checked for what holds of all of them."""

import io
from collections.abc import Callable
from typing import Any

from rich.cells import cell_len
from rich.console import Console


def printed(print_: Callable[..., None], *arguments: Any, width: int = 80, **more: Any) -> str:
    """No line is too wide or ends in a space, and no character acts on a terminal."""
    file = io.StringIO()
    print_(Console(file=file, width=width, highlight=False, markup=False), *arguments, **more)
    text = file.getvalue()
    for line in text.splitlines():
        assert cell_len(line) <= width, line
        assert line == line.rstrip(), line
        assert "\x1b" not in line
    return text


def squeezed(text: str) -> str:
    """Without what wrapping adds."""
    return "".join(text.split())
