"""`opstrail case`: everything about one record."""

import re
from typing import Final

import click

from opstrail.case_text import print_case
from opstrail.client import client_of
from opstrail.kind_name import KindName
from opstrail.output import write_json
from opstrail.screen import open_console
from runtime.settings import Settings
from schemas.kinds import Kind

# Wider than what is accepted today, narrower than what could lead to another address.
_ID: Final = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z-]{15,127}", re.ASCII)


@click.command("case")
@click.argument("kind", type=KindName())
@click.argument("id_", metavar="ID")
@click.option("--workspace", "-w", help="Needed when the id lives in several workspaces.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def command(
    settings: Settings, /, kind: Kind, id_: str, workspace: str | None, is_json: bool
) -> None:
    """Show a record with all that an investigator needs to know about it.

    KIND is run, ssh or sync, ID the record's whole id. You see its configuration, what was before,
    during and after it, its actor's other work, and whether more may still come.
    Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail case ssh c5f4411d-641a-4b0a-8ee6-291d1c725c20
    """
    if _ID.fullmatch(id_) is None:
        raise click.BadParameter("give the whole id, as the tables show it", param_hint="ID")
    client = client_of(settings)
    params = {} if workspace is None else {"workspace": workspace}
    case = client.get(f"/v1/cases/{kind.value}/{id_}", params)
    client.close()
    if is_json:
        write_json(case)
    else:
        print_case(open_console(), case)
