"""`opstrail backup`: everything that `opstrail up` holds, in one file, while it runs.

Must stay true:
- Everything accepted before it began is inside, once: each copy is of one moment after that.
- The copies are in this order: the log, the control database, the access log. So the control
  database knows whoever the log speaks of, and no change of it lacks its access event.
- It takes whoever may read the folder, and no key: no key reaches all that is in there.

Nothing else of the folder is inside: the timeline is made of these anew (decision 0019).
"""

import contextlib
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click

from control.database import open_control
from opstrail.output import write_json
from opstrail.progress_bar import bytes_progress
from opstrail.screen import harmless
from runtime.backup_archive import (
    ACCESS,
    CONTROL,
    DATABASES,
    FORMAT,
    LOG,
    BackupArchive,
    BackupHead,
    ReadBackup,
    read_backup,
)
from runtime.errors import RefusedError, SettingsError
from runtime.settings import Settings
from runtime.sqlite_copy import copy_database
from schemas.times import format_us, to_us


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with all data.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(settings: Settings, file: Path, data_dir: Path | None, as_json: bool) -> None:
    """Write a backup of `opstrail up`, running or not, to FILE, for `opstrail restore`.

    It is made on the server's own machine, by who may read the data folder. FILE is there when it
    is whole and was read back, and only its owner may read it: it holds the trail of every
    organization. Keys work on with a restored copy, and no key is inside.

    \b
    Example:  opstrail backup /backup/opstrail-$(date +%F).backup --data-dir /var/lib/opstrail
    """
    if settings.kafka_bootstrap:
        raise SettingsError(
            "OPSTRAIL_KAFKA_BOOTSTRAP is set: a backup is of `opstrail up`, which brings its own"
            " log; docs/backup.md has the way for the others"
        )
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    databases = _databases(settings)
    if file.exists():
        raise RefusedError(f"{file} is there already; choose another name")
    is_shown = sys.stderr.isatty() and not as_json
    try:
        with _part(file) as part:
            with _copies(databases, file) as (made_at, copies):
                _write(made_at, copies, part, is_shown=is_shown)
            made = _read_back(part, is_shown=is_shown)
            part.rename(file)
            _sync(file.parent)
    except sqlite3.Error as error:
        raise RefusedError(f"copying the databases of {settings.data_dir}: {error}") from error
    except OSError as error:
        raise RefusedError(f"{file}: {error.strerror or error}") from error
    if as_json:
        write_json(
            {"file": str(file), "made_at": made.head.made_at, "bytes": made.bytes}
            | {"databases": list(made.databases)}
        )
        return
    click.echo(harmless(f"{file}: {made.bytes:,} bytes, all that was accepted until"))
    click.echo(harmless(f"{made.head.made_at}; try it: opstrail restore FILE --data-dir DIR"))


def _databases(settings: Settings) -> dict[str, Path]:
    """Those of the folder. Raises SettingsError when it is none."""
    folder = settings.data_dir
    databases = {LOG: folder / LOG, ACCESS: folder / ACCESS}
    # Of PostgreSQL a copy is made with its own tools.
    control = open_control(settings.control_database_url)
    try:
        if control.file is not None:
            databases[CONTROL] = control.file
    finally:
        control.close()
    for path in databases.values():
        if not os.access(path, os.R_OK):
            raise SettingsError(f"OPSTRAIL_DATA_DIR: {path} is not there or cannot be read")
    return databases


@contextlib.contextmanager
def _copies(databases: Mapping[str, Path], file: Path) -> Iterator[tuple[str, dict[str, Path]]]:
    """When they were begun, and the copies, in a folder beside `file` that is gone at the end."""
    with tempfile.TemporaryDirectory(prefix=f"{file.name}.", dir=file.parent) as folder:
        made_at = format_us(to_us(datetime.now(UTC)))
        copies: dict[str, Path] = {}
        for name in DATABASES:
            if name in databases:
                copies[name] = Path(folder, name)
                copy_database(databases[name], copies[name])
        yield made_at, copies


def _write(made_at: str, copies: Mapping[str, Path], part: Path, *, is_shown: bool) -> None:
    head = BackupHead(format=FORMAT, opstrail=version("opstrail"), made_at=made_at)
    archive = BackupArchive(head, copies)
    with bytes_progress(is_shown=is_shown) as progress, part.open("wb") as target:
        task = progress.add_task("writing", total=archive.bytes)
        for chunk in archive.chunks():
            target.write(chunk)
            progress.advance(task, len(chunk))
        target.flush()
        os.fsync(target.fileno())


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


def _read_back(part: Path, *, is_shown: bool) -> ReadBackup:
    """What cannot be read is no backup. Raises RefusedError."""
    with bytes_progress(is_shown=is_shown) as progress, part.open("rb") as file:
        task = progress.add_task("reading it back", total=part.stat().st_size)
        try:
            return read_backup(
                file, into=None, told=lambda done: progress.update(task, completed=done)
            )
        except RefusedError as error:
            raise RefusedError(f"what was written is no backup: {error}") from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
