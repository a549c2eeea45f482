"""`opstrail demo`: the same as `up`, with a story in it."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console

from opstrail.client import Client
from opstrail.embedded import Embedded
from opstrail.server import run, serve
from opstrail.story import AUTOMATION, SESSION_ID, Actor, story
from opstrail.timeline_text import entry_text, print_timeline
from runtime.errors import UnavailableError
from runtime.settings import Settings

_VISIBLE_WAIT_S = 20.0
_PORT_ANY = 0


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
            }
        )
        embedded = Embedded(settings)

        async def tell(address: str) -> None:
            keys = {actor: embedded.key_for(actor.name, actor.kind) for actor, _ in story()}
            reader = embedded.admin_key
            await asyncio.to_thread(_tell, address, keys, reader)
            if is_exiting:
                raise _Done
            click.echo(
                f"\nlistening on {address}; admin key in {embedded.admin_key_path}"
                "\nstop with Ctrl-C"
            )

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


def _tell(address: str, keys: dict[Actor, str], reader_key: str) -> None:
    console = Console(highlight=False)
    for actor, events in story():
        sender = Client(address, keys[actor])
        answer = sender.send(msgspec.json.encode(events), "application/json")
        sender.close()
        console.print(
            f"{actor.name} sent {len(events)} events: {answer['accepted']} accepted",
            style="dim",
        )
        reader = Client(address, reader_key)
        if not reader.wait_until_visible(answer["position"], _VISIBLE_WAIT_S):
            raise UnavailableError("the timeline did not show the story in time")
    timeline = reader.get("/v1/timeline", {"order": "asc"})
    session = reader.get(f"/v1/records/ssh_session/{SESSION_ID}", {"workspace": AUTOMATION})
    reader.close()
    console.print("\n[bold]The timeline[/bold]")
    print_timeline(console, timeline["items"], with_links=True)
    console.print("\n[bold]The case: who was on server01, and why?[/bold]")
    console.print(entry_text(session, with_links=True))
    console.print(f"\ncomplete until {timeline['watermark']['complete_until']}", style="dim")
