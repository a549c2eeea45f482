"""A page of one of the API's lists, for a person or a program."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from rich.console import Console

from opstrail.client import client_of
from opstrail.output import write_json
from opstrail.screen import open_console, print_more
from runtime.settings import Settings

Given: TypeAlias = str | Sequence[str] | None  # of a repeatable one all, of another the one or none


def query_of(given: Mapping[str, Given]) -> list[tuple[str, str]]:
    """The parameters that were given, in this order."""
    return [
        (name, value)
        for name, values in given.items()
        for value in ((values,) if isinstance(values, str) else values or ())
    ]


def show_page(
    settings: Settings,
    path: str,
    given: Mapping[str, Given],
    *,
    is_json: bool,
    print_items: Callable[[Console, Any], None],
    print_end: Callable[[Console, Mapping[str, Any]], None] = print_more,
) -> None:
    """Ask for it with these parameters, and print it. Raises as `Client.get`."""
    client = client_of(settings)
    page = client.get(path, query_of(given))
    client.close()
    if is_json:
        write_json(page)
        return
    console = open_console()
    print_items(console, page["items"])
    print_end(console, page)
