"""`opstrail access-log`: who used the audit trail."""

import click

from opstrail.access_log_text import print_access_log
from opstrail.list_page import show_page
from runtime.settings import Settings
from schemas.access_event import AccessAction


@click.command("access-log")
@click.option("--from", "from_", metavar="TIME", help="Happened then or later.")
@click.option("--to", metavar="TIME", help="Happened before then.")
@click.option("--actor", multiple=True, help="By this person or service; repeatable.")
@click.option("--key-id", multiple=True, help="With this key; repeatable.")
@click.option(
    "--action",
    multiple=True,
    type=click.Choice([action.value for action in AccessAction]),
    help="Of this kind; repeatable.",
)
@click.option("--operation", multiple=True, help="Such as 'POST /v1/sql'; repeatable.")
@click.option("--installation", is_flag=True, help="What belongs to no organization instead.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    from_: str | None,
    to: str | None,
    installation: bool,
    limit: int,
    cursor: str | None,
    is_json: bool,
    **filters: tuple[str, ...],
) -> None:
    """Show who read, exported, asked and changed what, and who was refused, the newest first.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY, an admin key; --installation an operator's. Times are RFC
    3339 with an offset.

    \b
    Example:  opstrail access-log --actor alice --action export
    """
    show_page(
        settings,
        "/v1/access-log",
        {
            "limit": str(limit),
            **filters,
            "from": from_,
            "to": to,
            "installation": "true" if installation else None,
            "cursor": cursor,
        },
        is_json=is_json,
        print_items=print_access_log,
    )
