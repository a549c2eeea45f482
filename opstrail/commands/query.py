"""`opstrail query`: the read API over the timeline store."""

import click

from opstrail.query_process import serve_query
from opstrail.server import run
from runtime.settings import Settings


@click.command("query")
@click.pass_obj
def command(settings: Settings) -> None:
    """Answer questions over HTTP from ClickHouse.

    \b
    Example:  OPSTRAIL_PORT=8082 opstrail query
    """
    run(serve_query(settings))
