"""`opstrail restore`: a data folder for `opstrail up`, made of a backup."""

import asyncio
import sys
from pathlib import Path
from typing import BinaryIO

import click

from opstrail.embedded import Embedded
from opstrail.output import write_json
from opstrail.progress_bar import bytes_progress, count_progress
from opstrail.restored_folder import restore_folder
from opstrail.screen import harmless
from runtime.backup_archive import CONTROL, ReadBackup
from runtime.errors import RefusedError, SettingsError
from runtime.settings import Settings


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder for all data.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(settings: Settings, file: Path, data_dir: Path | None, as_json: bool) -> None:
    """Make a data folder of the backup in FILE, and the timeline in it.

    The folder must be empty or not there. The timeline is made anew from what was accepted, with
    the settings of now; when that is broken off, `opstrail up` goes on with it.

    \b
    Example:  opstrail restore opstrail-2026-03-24.backup --data-dir /var/lib/opstrail
    """
    if settings.kafka_bootstrap:
        raise SettingsError(
            "OPSTRAIL_KAFKA_BOOTSTRAP is set: a backup is of `opstrail up`, which brings its own"
            " log; docs/backup.md has the way for the others"
        )
    folder = settings.data_dir if data_dir is None else data_dir
    is_shown = sys.stderr.isatty() and not as_json
    try:
        with file.open("rb") as archive:
            made = _unpack(archive, folder, file.stat().st_size, is_shown=is_shown)
    except RefusedError as error:
        raise RefusedError(f"{file}: {error}") from error
    except OSError as error:
        raise RefusedError(f"{error.filename or file}: {error.strerror or error}") from error
    has_control = CONTROL in made.databases
    if not has_control and not settings.control_url:
        # Going on would make a new one, with keys nobody has.
        raise SettingsError(
            f"OPSTRAIL_CONTROL_URL: the control database is not inside. {folder} holds the rest:"
            " restore PostgreSQL, set its address, and `opstrail up` makes the timeline"
        )
    # What was restored, and not what another installation may use at this moment.
    here = {"data_dir": folder, "control_url": "" if has_control else settings.control_url}
    handled = _replay(settings.model_copy(update=here), is_shown=is_shown)
    _tell(made, folder, handled, as_json=as_json)
    if has_control and settings.control_url:
        click.echo(f"OPSTRAIL_CONTROL_URL is set: the restored one is {folder / CONTROL}", err=True)


def _unpack(archive: BinaryIO, folder: Path, size: int, *, is_shown: bool) -> ReadBackup:
    with bytes_progress(is_shown=is_shown) as progress:
        task = progress.add_task("unpacking", total=size)
        return restore_folder(archive, folder, lambda done: progress.update(task, completed=done))


def _replay(settings: Settings, *, is_shown: bool) -> int:
    """Bring all that is in the logs onto the timeline; how many requests that were."""
    embedded = Embedded(settings)
    try:
        with count_progress(is_shown=is_shown) as progress:
            task = progress.add_task("making the timeline", total=None)
            return asyncio.run(
                embedded.catch_up(
                    lambda done, total: progress.update(task, completed=done, total=total)
                )
            )
    finally:
        embedded.close()


def _tell(made: ReadBackup, folder: Path, handled: int, *, as_json: bool) -> None:
    if as_json:
        write_json(
            {"data_dir": str(folder), "made_at": made.head.made_at, "opstrail": made.head.opstrail}
            | {"databases": list(made.databases), "messages": handled}
        )
        return
    click.echo(harmless(f"restored into {folder}, as of {made.head.made_at}"))
    click.echo(harmless(f"start it: opstrail up --data-dir {folder}"))
