"""`opstrail principals`: the people and service accounts of an organization."""

import click

from opstrail.client import client_of
from opstrail.list_page import show_page
from opstrail.output import write_json
from opstrail.principals_text import print_principals
from opstrail.screen import harmless
from runtime.settings import Settings
from schemas.kinds import ActorKind


@click.group("principals")
def command() -> None:
    """Make and list people and service accounts; takes an admin key of their organization.

    \b
    Example:  opstrail principals create ci --kind service
    """


@command.command("create")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in ActorKind]),
    required=True,
    help="A person, or a service account.",
)
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def create(settings: Settings, name: str, kind: str, is_json: bool) -> None:
    """Make the principal NAME, which is the actor of all that its keys send.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail principals create anna@example.com --kind person
    """
    client = client_of(settings)
    made = client.create("/v1/principals", {"name": name, "kind": kind})
    client.close()
    if is_json:
        write_json(made)
    else:
        click.echo(harmless(f"principal {made['name']} ({made['kind']}) made"))


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def list_(settings: Settings, limit: int, cursor: str | None, is_json: bool) -> None:
    """Show the people and service accounts of the key's organization, by name.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail principals list
    """
    show_page(
        settings,
        "/v1/principals",
        {"limit": str(limit), "cursor": cursor},
        is_json=is_json,
        print_items=print_principals,
    )
