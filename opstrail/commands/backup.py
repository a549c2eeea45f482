"""`opstrail backup`: everything that `opstrail up` holds, in one file, while it runs."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from opstrail.client import Client, client_of
from opstrail.output import write_json
from opstrail.progress_bar import bytes_progress
from opstrail.screen import harmless
from runtime.backup_archive import ReadBackup, read_backup
from runtime.errors import RefusedError
from runtime.settings import Settings

# The server copies its databases before its first byte.
_FIRST_BYTE_WAIT_S: Final = 3_600.0


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(settings: Settings, file: Path, as_json: bool) -> None:
    """Write a backup of a running `opstrail up` to FILE, for `opstrail restore`.

    FILE is there when it is whole and was read back, and only its owner may read it: it holds the
    trail of every organization. Keys work on with a restored copy, and no key is inside. Takes a
    key with the role operator; needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail backup /backup/opstrail-$(date +%F).backup
    """
    if file.exists():
        raise RefusedError(f"{file} is there already; choose another name")
    client = client_of(settings)
    try:
        with _part(file) as part:
            is_shown = sys.stderr.isatty() and not as_json
            _download(client, part, is_shown=is_shown)
            made = _read_back(part, is_shown=is_shown)
            part.rename(file)
            _sync(file.parent)
    except OSError as error:
        raise RefusedError(f"{file}: {error.strerror or error}") from error
    finally:
        client.close()
    if as_json:
        write_json(
            {"file": str(file), "made_at": made.head.made_at, "bytes": made.bytes}
            | {"databases": list(made.databases)}
        )
        return
    click.echo(harmless(f"{file}: {made.bytes:,} bytes, all that was accepted until"))
    click.echo(harmless(f"{made.head.made_at}; try it: opstrail restore FILE --data-dir DIR"))


@contextlib.contextmanager
def _part(file: Path) -> Iterator[Path]:
    """A new file beside it, which is gone at the end unless it was given another name."""
    handle, name = tempfile.mkstemp(prefix=f"{file.name}.", suffix=".part", dir=file.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _download(client: Client, part: Path, *, is_shown: bool) -> None:
    asked = client.download("POST", "/v1/backup", first_byte_wait_s=_FIRST_BYTE_WAIT_S)
    with (
        bytes_progress(is_shown=is_shown) as progress,
        part.open("wb") as target,
    ):
        task = progress.add_task("copying on the server", total=None)
        with asked as (total, chunks):
            progress.update(task, description="fetching", total=total)
            for chunk in chunks:
                target.write(chunk)
                progress.advance(task, len(chunk))
        target.flush()
        os.fsync(target.fileno())


def _read_back(part: Path, *, is_shown: bool) -> ReadBackup:
    """What cannot be read is no backup. Raises RefusedError."""
    with bytes_progress(is_shown=is_shown) as progress, part.open("rb") as file:
        task = progress.add_task("reading it back", total=part.stat().st_size)
        try:
            return read_backup(
                file, into=None, told=lambda done: progress.update(task, completed=done)
            )
        except RefusedError as error:
            raise RefusedError(f"what arrived is no backup: {error}") from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
