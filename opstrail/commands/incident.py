"""`opstrail incident`: what happened before a moment."""

import click

from opstrail.client import client_of
from opstrail.incident_text import print_incident
from opstrail.output import write_json
from opstrail.screen import open_console
from runtime.settings import Settings


@click.command("incident")
@click.option("--at", required=True, metavar="TIME", help="The moment: RFC 3339 with an offset.")
@click.option(
    "--before", default="8h", show_default=True, help="How far to look back: 30m, 8h, 2d."
)
@click.option("--workspace", "-w", multiple=True, help="Only there; repeatable.")
@click.option("--environment", "-e", multiple=True, help="Only there; repeatable.")
@click.option("--limit", type=click.IntRange(1, 1000), help="Rows of each list.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    at: str,
    before: str,
    workspace: tuple[str, ...],
    environment: tuple[str, ...],
    limit: int | None,
    is_json: bool,
) -> None:
    """Show what happened before a moment, and what still ran then.

    With it come the configuration of each workspace at that moment, who was at work and with
    which tools. Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail incident --at 2026-03-20T21:30:00+01:00 -e production
    """
    params = [("at", at), ("before", before)]
    params += [("workspace", name) for name in workspace]
    params += [("environment", name) for name in environment]
    if limit is not None:
        params.append(("limit", str(limit)))
    client = client_of(settings)
    incident = client.get("/v1/incidents", params)
    client.close()
    if is_json:
        write_json(incident)
    else:
        print_incident(open_console(), incident)
