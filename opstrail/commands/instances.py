"""`opstrail instances`: which version of the CLI runs where."""

import click

from opstrail.instances_text import print_instances
from opstrail.list_page import show_page
from opstrail.screen import print_page_end
from runtime.settings import Settings


@click.command("instances")
@click.option("--version", multiple=True, help="Of this version; repeatable.")
@click.option("--version-below", metavar="VERSION", help="Of an older version than this.")
@click.option("--seen-before", metavar="TIME", help="Not seen since.")
@click.option("--seen-after", metavar="TIME", help="Seen then or later.")
@click.option("--first-seen-after", metavar="TIME", help="New since.")
@click.option("--actor", multiple=True, help="Seen with this actor; repeatable.")
@click.option("--os", multiple=True, help="On this system; repeatable.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def command(
    settings: Settings, /, limit: int, is_json: bool, **filters: str | tuple[str, ...] | None
) -> None:
    """Show the CLI instances that were seen: version, machine, and with whom.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY. Times are RFC 3339 with an offset.

    \b
    Example:  opstrail instances --version-below 0.18.0
    """
    show_page(
        settings,
        "/v1/cli-instances",
        {"limit": str(limit), **filters},
        is_json=is_json,
        print_items=print_instances,
        print_end=print_page_end,
    )
