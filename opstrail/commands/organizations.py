"""`opstrail organizations`: the tenants of an installation."""

import click

from opstrail.client import client_of
from opstrail.list_page import show_page
from opstrail.organizations_text import print_organizations
from opstrail.output import write_json
from opstrail.screen import harmless
from runtime.settings import Settings


@click.group("organizations")
def command() -> None:
    """Make and list organizations; takes a key with the role operator.

    \b
    Example:  opstrail organizations create acme
    """


@command.command("create")
@click.argument("name")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is, with the key.")
@click.pass_obj
def create(settings: Settings, name: str, is_json: bool) -> None:
    """Make the organization NAME and print its first admin key, which is shown once.

    The key alone goes to standard output, the rest to standard error.
    Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail organizations create acme > acme-admin.key
    """
    client = client_of(settings)
    made = client.create("/v1/organizations", {"name": name})
    client.close()
    if is_json:
        write_json(made)
        return
    admin = made["admin"]
    told = f"organization {made['name']} made; key {admin['key_id']} of {admin['principal']}"
    click.echo(harmless(f"{told} (admin) is shown once, keep it:"), err=True)
    click.echo(harmless(admin["key"]))


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def list_(settings: Settings, limit: int, cursor: str | None, is_json: bool) -> None:
    """Show the organizations, by name.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail organizations list
    """
    show_page(
        settings,
        "/v1/organizations",
        {"limit": str(limit), "cursor": cursor},
        is_json=is_json,
        print_items=print_organizations,
    )
