"""`opstrail dead-letters`: what was accepted and could not be used.

What nobody could read belongs to no organization: it is looked at where it is kept, without a key.
"""

import asyncio
import os
import re
from pathlib import Path
from typing import Any, Final

import click

from opstrail.client import client_of
from opstrail.dead_letters_text import print_dead_letter, print_dead_letters
from opstrail.kind_name import KindName
from opstrail.list_page import show_page
from opstrail.output import write_json
from opstrail.screen import harmless, open_console
from opstrail.unreadable_resend import resend_unreadable
from opstrail.unreadable_text import print_unreadable, print_unreadables, unreadable_json
from processors.kafka_unreadable import KafkaUnreadable
from processors.unreadable import EmbeddedUnreadable, LogAddress, UnreadableMessage
from runtime.errors import RefusedError
from runtime.settings import Settings
from schemas.kinds import DEAD_EVENT_DETAILS

_PATH: Final = "/v1/dead-letters"
_PLACE: Final = re.compile(r"[0-9]{1,19}-[0-9]{1,19}-[0-9]{1,19}", re.ASCII)
# Of a whole message, which nobody could read.
_ADDRESS: Final = re.compile(r"([0-9]{1,10})-([0-9]{1,19})", re.ASCII)
_UNDECODABLE_ONLY: Final = "goes with --undecodable or the place of such a message only"


class _Place(click.ParamType):
    """Only what may stand in a path."""

    name = "place"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | LogAddress:
        if _PLACE.fullmatch(str(value)) is None:
            self.fail(
                "give the place, as `opstrail dead-letters list` shows it: 0-4711-0", param, ctx
            )
        return str(value)


class _PlaceOrAddress(_Place):
    """Also where a message stands that nobody could read."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | LogAddress:
        found = _ADDRESS.fullmatch(str(value))
        return (
            super().convert(value, param, ctx)
            if found is None
            else LogAddress(*map(int, found.groups()))
        )


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
@click.option(
    "--undecodable",
    "is_undecodable",
    is_flag=True,
    help="Instead, on the server's machine: what nobody could read.",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Of it, with --undecodable.")
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
    is_undecodable: bool,
    data_dir: Path | None,
    is_json: bool,
) -> None:
    """Show the dead letters of the key's organization, the newest first.

    Needs OPSTRAIL_URL and OPSTRAIL_KEY. Times are RFC 3339 with an offset.

    With --undecodable those of no organization: messages of audit.events that
    nobody could read. That takes no key, but the right to read the data folder,
    or the topic audit.dead-letters (OPSTRAIL_KAFKA_BOOTSTRAP).

    \b
    Example:  opstrail dead-letters list --reason foreign_snapshot
              opstrail dead-letters list --undecodable
    """
    if is_undecodable:
        if from_ or to or reasons or workspaces or kinds or ids or cursor:
            raise click.UsageError("--undecodable has no filters but --limit")
        _list_unreadable(_in(settings, data_dir), limit, is_json=is_json)
        return
    if data_dir is not None:
        raise click.UsageError(f"--data-dir {_UNDECODABLE_ONLY}")
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
@click.argument("place", type=_PlaceOrAddress())
@click.option("--data-dir", type=click.Path(path_type=Path), help="Of a message nobody could read.")
@click.option(
    "--raw",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write such a message there, byte by byte.",
)
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def show(
    settings: Settings,
    place: str | LogAddress,
    data_dir: Path | None,
    raw: Path | None,
    is_json: bool,
) -> None:
    """Show all of the dead letter PLACE.

    What was sent and by whom, why it was not used, and what can be done.
    Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    The PLACE of a message that nobody could read has two numbers; it is shown
    on the server's machine, without a key. What is in it may be of anybody: it
    is only given away by --raw, into a new file for its owner.

    \b
    Example:  opstrail dead-letters show 0-4711-0
              opstrail dead-letters show 3-17 --raw message.bin
    """
    if isinstance(place, LogAddress):
        _show_unreadable(_in(settings, data_dir), place, raw, is_json=is_json)
        return
    if data_dir is not None or raw is not None:
        option = "--raw" if data_dir is None else "--data-dir"
        raise click.UsageError(f"{option} {_UNDECODABLE_ONLY}")
    client = client_of(settings)
    letter = client.get(f"{_PATH}/{place}")
    client.close()
    if is_json:
        write_json(letter)
        return
    print_dead_letter(open_console(), letter)


@command.command("resend")
@click.argument("place", type=_PlaceOrAddress())
@click.option("--force", is_flag=True, help="Also when it would be set aside again.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Of a message nobody could read.")
@click.option("--json", "is_json", is_flag=True, help="The API's answer as it is.")
@click.pass_obj
def resend(
    settings: Settings, place: str | LogAddress, force: bool, data_dir: Path | None, is_json: bool
) -> None:
    """Put the event of PLACE on the log again.

    As it was sent, and from who sent it; to be judged anew. What came first on
    the log stays, so this is of use only after a mistake of the server was mended, and
    takes --force until then. Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    The PLACE of a message that nobody could read has two numbers; when this
    version can read it, its events are put on the log again, on the server's
    machine and without a key. `opstrail up` has to be stopped for that.

    \b
    Example:  opstrail dead-letters resend 0-4711-0 --force
              opstrail dead-letters resend 3-17
    """
    if isinstance(place, LogAddress):
        if force:
            raise click.UsageError("--force is not for what nobody could read")
        _resend_unreadable(_in(settings, data_dir), place, is_json=is_json)
        return
    if data_dir is not None:
        raise click.UsageError(f"--data-dir {_UNDECODABLE_ONLY}")
    client = client_of(settings)
    path = f"{_PATH}/{place}/resend"
    answer = client.create(f"{path}?force=true" if force else path, {})
    client.close()
    if is_json:
        write_json(answer)
        return
    click.echo(harmless(f"the event of dead letter {place} is on the log again, to be judged anew"))
    click.echo("set aside again, it is on top of: opstrail dead-letters list")


def _in(settings: Settings, data_dir: Path | None) -> Settings:
    return settings if data_dir is None else settings.model_copy(update={"data_dir": data_dir})


def _kept(settings: Settings) -> EmbeddedUnreadable | KafkaUnreadable:
    """Where what nobody could read is kept."""
    if settings.kafka_bootstrap:
        return KafkaUnreadable(settings)
    return EmbeddedUnreadable(settings.data_dir)


def _list_unreadable(settings: Settings, limit: int, *, is_json: bool) -> None:
    items = [unreadable_json(each) for each in asyncio.run(_kept(settings).newest(limit))]
    if is_json:
        write_json({"items": items})
        return
    print_unreadables(open_console(), items)


def _show_unreadable(
    settings: Settings, address: LogAddress, raw: Path | None, *, is_json: bool
) -> None:
    found = asyncio.run(_one(settings, address))
    if raw is not None:
        _write_raw(raw, found.content)
    if is_json:
        write_json(unreadable_json(found.about))
        return
    print_unreadable(open_console(), unreadable_json(found.about))
    if raw is not None:
        click.echo(harmless(f"\n{raw}: {len(found.content):,} bytes, as they were"))


def _resend_unreadable(settings: Settings, address: LogAddress, *, is_json: bool) -> None:
    async def resend() -> LogAddress:
        return LogAddress(*await resend_unreadable(settings, await _one(settings, address)))

    landed = asyncio.run(resend())
    if is_json:
        write_json({"partition": landed.partition, "offset": landed.offset})
        return
    click.echo(f"the events of message {address.text} are on the log again, as {landed.text}")


async def _one(settings: Settings, address: LogAddress) -> UnreadableMessage:
    found = await _kept(settings).one(address)
    if found is None:
        raise RefusedError(f"nothing is kept of a message at {address.text} that nobody could read")
    return found


def _write_raw(path: Path, content: bytes) -> None:
    """A new file that only its owner may read, from its first byte on."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}") from error
