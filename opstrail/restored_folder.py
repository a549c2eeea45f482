"""Makes a data folder of a backup.

Must stay true: the folder holds all databases of a backup that was read to its end, or it is as
empty as before. Killed in between it is marked, and nothing starts on it.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from opstrail.data_folder import LOCK, RESTORING, locked
from runtime.backup_archive import ReadBackup, read_backup
from runtime.errors import RefusedError


def restore_folder(file: BinaryIO, folder: Path, told: Callable[[int], None]) -> ReadBackup:
    """Put what is in the archive `file` into `folder`, which is empty or not there.

    `told` hears how many bytes were read. Raises RefusedError, also when the file is no whole
    backup; SettingsError when the folder cannot be used; OSError.
    """
    if folder.is_dir() and any(each.name != LOCK for each in folder.iterdir()):
        raise RefusedError(f"{folder} is not empty; a backup is restored into a folder of its own")
    is_new = not folder.exists()
    with locked(folder):
        try:
            return _restore(file, folder, told)
        except BaseException:
            if not (folder / RESTORING).exists():
                (folder / LOCK).unlink()
                if is_new:
                    folder.rmdir()
            raise


def _restore(file: BinaryIO, folder: Path, told: Callable[[int], None]) -> ReadBackup:
    parts = folder / RESTORING
    parts.mkdir(mode=0o700)
    _sync(folder)
    placed: list[Path] = []
    try:
        found = read_backup(file, into=parts, told=told)
        for name in found.databases:
            (parts / name).rename(folder / name)
            placed.append(folder / name)
    except BaseException:
        for path in placed:
            path.unlink()
        shutil.rmtree(parts)
        raise
    _sync(folder)
    parts.rmdir()
    _sync(folder)
    return found


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
