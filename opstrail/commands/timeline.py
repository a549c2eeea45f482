"""`opstrail timeline`: read the trail in a terminal."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from opstrail.client import client_of
from opstrail.kind_name import KindName
from opstrail.output import JSON, TABLE, chosen_format, format_options, write_chunks, write_json
from opstrail.screen import open_console, print_page_end
from opstrail.timeline_text import print_timeline
from runtime.settings import Settings

Command: TypeAlias = Callable[..., Any]

_COMMON = (
    "workspace",
    "environment",
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
_LIMIT_DEFAULT: Final = 50


def _common_filters(command: Command) -> Command:
    """`--workspace`, `--host` and so on, as a shorter spelling of --filter."""
    for name in reversed(_COMMON):
        help_ = f"Filter by {name}; repeatable."
        type_ = KindName() if name == "kind" else None
        command = click.option(f"--{name}", multiple=True, type=type_, help=help_)(command)
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
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    help=f"So many at most; {_LIMIT_DEFAULT} in a table or json, else all.",
)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--links/--no-links", default=True, help="Show why entries are linked.")
@format_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    filters: tuple[str, ...],
    order: str,
    limit: int | None,
    cursor: str | None,
    links: bool,
    form: str,
    is_json: bool,
    output: Path | None,
    **common: tuple[str, ...],
) -> None:
    """Show runs, sessions and syncs, the newest first.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY, for files one with the role analyst. Times are RFC 3339
    with an offset.

    \b
    Example:  opstrail timeline --host server01 --from 2026-03-24T00:00:00Z
              opstrail timeline --kind ssh --format csv --output ssh.csv
    """
    form = chosen_format(form, is_json=is_json, output=output)
    params = [("order", order)]
    params += [(name, value) for name, values in common.items() for value in values]
    for text in filters:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--filter")
        params.append((name, value))
    if cursor is not None:
        params.append(("cursor", cursor))
    if form in (TABLE, JSON):
        limit = limit or _LIMIT_DEFAULT
    if limit is not None:
        params.append(("limit", str(limit)))
    client = client_of(settings)
    if form in (TABLE, JSON):
        page = client.get("/v1/timeline", params)
        if form == JSON:
            write_json(page, output)
        else:
            console = open_console()
            print_timeline(console, page["items"], with_links=links)
            print_page_end(console, page)
    else:
        params.append(("format", form))
        with client.stream("GET", "/v1/timeline", params=params) as chunks:
            write_chunks(chunks, output)
    client.close()
