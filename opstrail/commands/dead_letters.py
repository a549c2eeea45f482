"""`opstrail dead-letters`: what was accepted and could not be used."""

import re
from typing import Any, Final

import click

from opstrail.client import client_of
from opstrail.dead_letters_text import print_dead_letter, print_dead_letters
from opstrail.kind_name import KindName
from opstrail.list_page import show_page
from opstrail.output import write_json
from opstrail.screen import harmless, open_console
from runtime.settings import Settings
from schemas.kinds import DEAD_EVENT_DETAILS

_PATH: Final = "/v1/dead-letters"
_PLACE: Final = re.compile(r"[0-9]{1,19}-[0-9]{1,19}-[0-9]{1,19}", re.ASCII)


class _Place(click.ParamType):
    """Only what may stand in a path."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if _PLACE.fullmatch(str(value)) is None:
            self.fail(
                "give the place, as `opstrail dead-letters list` shows it: 0-4711-0", param, ctx
            )
        return str(value)


@click.group("dead-letters")
def command() -> None:
    """List, show and resend what could not be used; takes an admin key.

    \b
    Example:  opstrail dead-letters list
    """


@command.command("list")
@click.option("--from", "from_", metavar="TIME", help="Received then or later.")
@click.option("--to", metavar="TIME", help="Received before then.")
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice([reason.value for reason in DEAD_EVENT_DETAILS]),
    help="Set aside for this; repeatable.",
)
@click.option("--workspace", "workspaces", multiple=True, help="In it; repeatable.")
@click.option("--kind", "kinds", multiple=True, type=KindName(), help="Of it; repeatable.")
@click.option("--id", "ids", multiple=True, help="Of the record with this id; repeatable.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def list_(
    settings: Settings,
    from_: str | None,
    to: str | None,
    reasons: tuple[str, ...],
    workspaces: tuple[str, ...],
    kinds: tuple[str, ...],
    ids: tuple[str, ...],
    limit: int,
    cursor: str | None,
    is_json: bool,
) -> None:
    """Show the dead letters of the key's organization, the newest first.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY. Times are RFC 3339 with an offset.

    \b
    Example:  opstrail dead-letters list --reason foreign_snapshot
    """
    show_page(
        settings,
        _PATH,
        {
            "limit": str(limit),
            "reason": reasons,
            "workspace": workspaces,
            "kind": [str(kind) for kind in kinds],
            "id": ids,
            "from": from_,
            "to": to,
            "cursor": cursor,
        },
        is_json=is_json,
        print_items=print_dead_letters,
    )


@command.command("show")
@click.argument("place", type=_Place())
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def show(settings: Settings, place: str, is_json: bool) -> None:
    """Show all of the dead letter PLACE.

    What was sent and by whom, why it was not used, and what can be done.
    Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail dead-letters show 0-4711-0
    """
    client = client_of(settings)
    letter = client.get(f"{_PATH}/{place}")
    client.close()
    if is_json:
        write_json(letter)
        return
    print_dead_letter(open_console(), letter)


@command.command("resend")
@click.argument("place", type=_Place())
@click.option("--force", is_flag=True, help="Also when it would be set aside again.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def resend(settings: Settings, place: str, force: bool, is_json: bool) -> None:
    """Put the event of PLACE on the log again.

    As it was sent, and from who sent it; to be judged anew. What came first on
    the log stays, so this is of use only after a mistake of the server was mended, and
    takes --force until then. Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail dead-letters resend 0-4711-0 --force
    """
    client = client_of(settings)
    path = f"{_PATH}/{place}/resend"
    answer = client.create(f"{path}?force=true" if force else path, {})
    client.close()
    if is_json:
        write_json(answer)
        return
    click.echo(harmless(f"the event of dead letter {place} is on the log again, to be judged anew"))
    click.echo("set aside again, it is on top of: opstrail dead-letters list")
