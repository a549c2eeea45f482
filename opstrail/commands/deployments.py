"""`opstrail deployments`: which version reached which environment when."""

from collections.abc import Callable
from typing import Any, TypeAlias

import click

from opstrail.deployments_text import print_deployments
from opstrail.list_page import show_page
from opstrail.screen import print_page_end
from runtime.settings import Settings

Command: TypeAlias = Callable[..., Any]

_FILTERS = (
    "environment",
    "workspace",
    "block",
    "block-name",
    "block-version",
    "action",
    "actor",
    "hostname",
    "commit",
    "ticket",
)


def _filter_options(command: Command) -> Command:
    for name in reversed(_FILTERS):
        help_ = f"Filter by {name.replace('-', ' ')}; repeatable."
        command = click.option(f"--{name}", multiple=True, help=help_)(command)
    return command


@click.command("deployments")
@_filter_options
@click.option("--from", "from_", metavar="TIME", help="Deployed then or later.")
@click.option("--to", metavar="TIME", help="Deployed before then.")
@click.option("--latest", is_flag=True, help="The newest of each workspace and block only.")
@click.option("--order", type=click.Choice(["desc", "asc"]), default="desc", show_default=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    from_: str | None,
    to: str | None,
    latest: bool,
    order: str,
    limit: int,
    cursor: str | None,
    is_json: bool,
    **filters: tuple[str, ...],
) -> None:
    """Show successful deployments, the newest first.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY. Times are RFC 3339 with an offset.

    \b
    Example:  opstrail deployments --environment production --latest
    """
    show_page(
        settings,
        "/v1/deployments",
        {
            "order": order,
            "limit": str(limit),
            **filters,
            "from": from_,
            "to": to,
            "cursor": cursor,
            "latest": "true" if latest else None,
        },
        is_json=is_json,
        print_items=print_deployments,
        print_end=print_page_end,
    )
