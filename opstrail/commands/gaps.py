"""`opstrail gaps`: what command lines counted and never arrived."""

from typing import Any

import click
from rich.console import Console

from opstrail.completeness_text import print_gaps
from opstrail.list_page import show_page
from opstrail.screen import print_page_end
from runtime.settings import Settings


@click.command("gaps")
@click.option("--from", metavar="TIME", help="May have happened then or later.")
@click.option("--to", metavar="TIME", help="May have happened before.")
@click.option("--cli-instance-id", multiple=True, metavar="ID", help="Of this one; repeatable.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def command(
    settings: Settings, /, limit: int, is_json: bool, **filters: str | tuple[str, ...] | None
) -> None:
    """Show the events that CLI instances counted and that never arrived.

    A gap lies between two events that did arrive; one that arrives late closes it. Needs
    OPSTRAIL_URL and OPSTRAIL_KEY. Times are RFC 3339 with an offset.

    \b
    Example:  opstrail gaps --from 2026-03-24T00:00:00Z
    """
    show_page(
        settings,
        "/v1/gaps",
        {"limit": str(limit), **filters},
        is_json=is_json,
        print_items=_print_gaps,
        print_end=print_page_end,
    )


def _print_gaps(console: Console, gaps: list[dict[str, Any]]) -> None:
    if gaps:
        print_gaps(console, gaps)
    else:
        console.print("no gaps")
