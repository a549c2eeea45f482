"""`opstrail gaps`: what command lines counted and never arrived."""

import click

from opstrail.client import client_of
from opstrail.completeness_text import print_gaps
from opstrail.output import write_json
from opstrail.screen import open_console, print_page_end
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
    params = [("limit", str(limit))]
    for name, given in filters.items():
        values = given if isinstance(given, tuple) else (given,)
        params += [(name, value) for value in values if value is not None]
    client = client_of(settings)
    page = client.get("/v1/gaps", params)
    client.close()
    if is_json:
        write_json(page)
        return
    console = open_console()
    if page["items"]:
        print_gaps(console, page["items"])
    else:
        console.print("no gaps")
    print_page_end(console, page)
