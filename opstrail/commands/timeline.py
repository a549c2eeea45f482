"""`opstrail timeline`: read the trail in a terminal."""

import json
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import click
from rich.console import Console

from opstrail.client import client_of
from opstrail.timeline_text import print_timeline
from runtime.settings import Settings

Command: TypeAlias = Callable[..., Any]

_COMMON = (
    "workspace",
    "host",
    "actor",
    "user",
    "kind",
    "status",
    "from",
    "to",
    "block",
    "action",
    "commit",
    "ticket",
)


def _common_filters(command: Command) -> Command:
    """`--workspace`, `--host` and so on, as a shorter spelling of --filter."""
    for name in reversed(_COMMON):
        command = click.option(f"--{name}", multiple=True, help=f"Filter by {name}; repeatable.")(
            command
        )
    return command


@click.command("timeline")
@_common_filters
@click.option(
    "--filter",
    "-f",
    "filters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any filter of GET /v1/timeline; may be repeated.",
)
@click.option("--order", type=click.Choice(["desc", "asc"]), default="desc")
@click.option("--limit", type=click.IntRange(1, 1000), default=50)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--links/--no-links", default=True, help="Show why entries are linked.")
@click.option("--json", "as_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    filters: tuple[str, ...],
    order: str,
    limit: int,
    cursor: str | None,
    links: bool,
    as_json: bool,
    **common: tuple[str, ...],
) -> None:
    """Show runs, sessions and syncs, the newest first.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY. Times are RFC 3339 with an offset.

    \b
    Example:  opstrail timeline --host server01.acme-corp.com --from 2026-03-24T00:00:00Z
    """
    params = [("order", order), ("limit", str(limit))]
    params += [(name, value) for name, values in common.items() for value in values]
    for text in filters:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--filter")
        params.append((name, value))
    if cursor is not None:
        params.append(("cursor", cursor))
    client = client_of(settings)
    page = client.get("/v1/timeline", params)
    client.close()
    if as_json:
        click.echo(json.dumps(page, ensure_ascii=False))
        return
    console = Console(highlight=False)
    print_timeline(console, page["items"], with_links=links)
    if sys.stdout.isatty() and page["next_cursor"]:
        console.print(f"\nmore: --cursor {page['next_cursor']}", style="dim")
    console.print(f"complete until {page['watermark']['complete_until']}", style="dim")
