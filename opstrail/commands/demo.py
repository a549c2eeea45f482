"""`opstrail demo`: the same as `up`, with a story in it."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Final

import click
import msgspec
from rich.console import Console

from opstrail.case_text import print_case
from opstrail.client import Client
from opstrail.embedded import Embedded
from opstrail.screen import open_console, shown
from opstrail.server import run, serve
from opstrail.story import AUTOMATION, OUTAGE_AT, PRODUCTION, SESSION_ID, Actor, story
from opstrail.timeline_text import print_timeline
from runtime.errors import UnavailableError
from runtime.settings import Settings

_VISIBLE_WAIT_S = 20.0
_PORT_ANY = 0
# What the story has an answer to.
NEXT: Final = (
    "opstrail deployments --environment production",
    f"opstrail incident --at {OUTAGE_AT}",
    "opstrail sql 'SELECT actor, kind, count() FROM timeline GROUP BY actor, kind'",
    "opstrail sql --schema",
)


class _Done(Exception):
    """The story is told and --exit was given."""


@click.command("demo")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Keep the data here.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT_ANY, help="0: any free one.")
@click.option("--exit", "is_exiting", is_flag=True, help="Stop when the story is told.")
@click.pass_obj
def command(settings: Settings, data_dir: Path | None, port: int, is_exiting: bool) -> None:
    """Play a small incident through HTTP and show what the trail makes of it.

    Without --data-dir everything is in a temporary folder and gone afterwards.

    \b
    Example:  opstrail demo --exit
    """
    with _folder(data_dir) as folder:
        settings = settings.model_copy(
            update={
                "data_dir": folder,
                "port": port,
                "control_url": "",
                "clickhouse_url": "",
                "kafka_bootstrap": "",
                # It talks to itself by an address no certificate names.
                "tls_certificate": "",
                "tls_key": "",
            }
        )
        embedded = Embedded(settings)

        async def tell(address: str) -> None:
            keys = {actor: embedded.key_for(actor.name, actor.kind) for actor, _ in story()}
            await asyncio.to_thread(_tell, address, keys, embedded.admin_key)
            key_path = embedded.admin_key_path
            _print_next(address, key_path, is_running=not is_exiting, data_dir=data_dir)
            if is_exiting:
                raise _Done
            click.echo(f"\nlistening on {address}; admin key in {key_path}\nstop with Ctrl-C")

        try:
            run(serve(embedded.app, settings.host, settings.port, on_listening=tell))
        except _Done:
            pass
        finally:
            embedded.close()


@contextmanager
def _folder(data_dir: Path | None) -> Iterator[Path]:
    if data_dir is not None:
        yield data_dir
        return
    with tempfile.TemporaryDirectory(prefix="opstrail-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _tell(address: str, keys: dict[Actor, str], admin_key: str) -> None:
    console = open_console()
    admin = Client(address, admin_key)
    # What is production is said by a label, never by a name.
    admin.put(f"/v1/workspaces/{PRODUCTION}", {"environment": "production"})
    for actor, events in story():
        sender = Client(address, keys[actor])
        answer = sender.send(msgspec.json.encode(events), "application/json")
        sender.close()
        console.print(
            f"{actor.name} sent {len(events)} events: {answer['accepted']} accepted",
            style="dim",
        )
        if not admin.wait_until_visible(answer["position"], _VISIBLE_WAIT_S):
            raise UnavailableError("the timeline did not show the story in time")
    timeline = admin.get("/v1/timeline", {"order": "asc"})
    case = admin.get(f"/v1/cases/ssh_session/{SESSION_ID}", {"workspace": AUTOMATION})
    admin.close()
    _print_title(console, "The timeline")
    print_timeline(console, timeline["items"], with_links=True)
    _print_title(console, "The case: who was on server01, and why?")
    print_case(console, case)


def _print_title(console: Console, title: str) -> None:
    console.print()
    console.rule(shown(title, "bold"), align="left")


def _print_next(address: str, key_path: Path, *, is_running: bool, data_dir: Path | None) -> None:
    """Commands to go on with."""
    if is_running:
        click.echo("\nAsk more in another shell:")
        click.echo(f"  export OPSTRAIL_URL={address} OPSTRAIL_KEY=$(cat {quote(str(key_path))})")
    elif data_dir is not None:
        click.echo(f"\nAsk more with `opstrail up --data-dir {quote(str(data_dir))}` running:")
    else:
        click.echo("\nAsk more while `opstrail demo` runs, without --exit:")
    for command_line in NEXT:
        click.echo(f"  {command_line}")
