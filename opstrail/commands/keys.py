"""`opstrail keys`: who gets in, to do what, and for how long."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click

from control.roles import Role
from opstrail.client import client_of
from opstrail.expiry import Expiry
from opstrail.keys_text import print_keys, workspaces_text
from opstrail.list_page import show_page
from opstrail.output import write_json
from opstrail.screen import harmless
from runtime.settings import Settings
from schemas.kinds import ActorKind
from schemas.times import format_us, to_us

_KEY_ID: Final = re.compile(r"key-[0-9a-f]{12}", re.ASCII)


@click.group("keys")
def command() -> None:
    """Make, list and revoke API keys; takes an admin key of their organization.

    \b
    Example:  opstrail keys create --principal ci --role submit --expires 90d
    """


@command.command("create")
@click.option("--principal", required=True, metavar="NAME", help="Whose key it is.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="What it may do; repeatable.",
)
@click.option(
    "--workspace",
    "workspaces",
    multiple=True,
    metavar="PATTERN",
    help="Only there: a name, or 'prefix*'; repeatable. Without it: everywhere.",
)
@click.option(
    "--expires", type=Expiry(), metavar="90d|TIME", help="When it ends; without it: never."
)
@click.option("--name", metavar="TEXT", help="What it is for; without it: the day.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is, with the key.")
@click.option("--offline", is_flag=True, help="Write into the control database; see above.")
@click.option("--organization", metavar="NAME", help="With --offline: of which organization.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in ActorKind]),
    help="With --offline: as what a principal is made that is not there; service if not stated.",
)
@click.pass_obj
def create(
    settings: Settings,
    principal: str,
    roles: tuple[str, ...],
    workspaces: tuple[str, ...],
    expires: datetime | None,
    name: str | None,
    is_json: bool,
    offline: bool,
    organization: str | None,
    kind: str | None,
) -> None:
    """Make a key and print it: once, and alone on standard output; the rest goes to standard error.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY. With --offline neither: for when every admin key is lost,
    it writes into the control database (OPSTRAIL_CONTROL_URL, or OPSTRAIL_DATA_DIR) and makes the
    principal if it is missing.

    \b
    Example:  KEY=$(opstrail keys create --principal ci --role submit)
              opstrail keys create --offline --organization default \\
                --principal admin --role admin --role operator
    """
    wanted = {
        "principal": principal,
        "name": f"made {datetime.now(UTC):%Y-%m-%d}" if name is None else name,
        "roles": sorted(set(roles)),
        "workspaces": list(workspaces) or None,
        "expires_at": None if expires is None else format_us(to_us(expires)),
    }
    if offline:
        if organization is None:
            raise click.UsageError("--offline needs --organization")
        if is_json:
            raise click.UsageError("--offline and --json exclude each other")
        made = _created_offline(settings, wanted, expires, organization, kind or ActorKind.SERVICE)
    else:
        if organization is not None or kind is not None:
            raise click.UsageError("--organization and --kind go with --offline only")
        client = client_of(settings)
        made = client.create("/v1/keys", wanted)
        client.close()
    if is_json:
        write_json(made)
        return
    click.echo(harmless(_told(made)), err=True)
    click.echo("it is shown once, keep it:", err=True)
    click.echo(harmless(made["key"]))


@command.command("list")
@click.option("--principal", "principals", multiple=True, metavar="NAME", help="Of it; repeatable.")
@click.option("--active", is_flag=True, help="Only those neither revoked nor expired.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def list_(
    settings: Settings,
    principals: tuple[str, ...],
    active: bool,
    limit: int,
    cursor: str | None,
    is_json: bool,
) -> None:
    """Show the keys of the key's organization, by id; the keys themselves are kept nowhere.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail keys list --principal ci --active
    """
    show_page(
        settings,
        "/v1/keys",
        {
            "limit": str(limit),
            "principal": principals,
            "active": "true" if active else None,
            "cursor": cursor,
        },
        is_json=is_json,
        print_items=print_keys,
    )


@command.command("revoke")
@click.argument("key_id")
@click.option("--force", is_flag=True, help="Also the last key that could manage keys.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def revoke(settings: Settings, key_id: str, force: bool, is_json: bool) -> None:
    """Revoke the key with the id KEY_ID, for good.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail keys revoke key-3f9a1c0e77b2
    """
    if _KEY_ID.fullmatch(key_id) is None:
        # Not repeated: it may be the key itself.
        raise click.BadParameter(
            "give the id, as `opstrail keys list` shows it: key-3f9a1c0e77b2", param_hint="KEY_ID"
        )
    client = client_of(settings)
    revoked = client.delete(f"/v1/keys/{key_id}", {"force": "true"} if force else {})
    client.close()
    if is_json:
        write_json(revoked)
        return
    told = f"key {revoked['key_id']} of {revoked['principal']} is revoked"
    click.echo(harmless(f"{told}; every process refuses it within 10 s"))


def _created_offline(
    settings: Settings,
    wanted: Mapping[str, Any],
    expires: datetime | None,
    organization: str,
    kind: str,
) -> Mapping[str, Any]:
    """As the API would answer, where it is needed here."""
    # Imported here: no other of these commands needs a database.
    from control.keys import NewKey
    from opstrail.offline_key import create_offline_key

    created = create_offline_key(
        settings,
        NewKey(
            organization=organization,
            principal=wanted["principal"],
            name=wanted["name"],
            roles=frozenset(map(Role, wanted["roles"])),
            workspace_patterns=wanted["workspaces"],
            expires_at=expires,
        ),
        ActorKind(kind),
    )
    return {**wanted, "key_id": created.key.key_id, "key": created.text}


def _told(made: Mapping[str, Any]) -> str:
    until = f" until {made['expires_at']}" if made["expires_at"] else ""
    return (
        f"key {made['key_id']} of {made['principal']} ({', '.join(made['roles'])}),"
        f" {workspaces_text(made['workspaces'])}{until}"
    )
