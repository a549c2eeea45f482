"""The data folder: one process owns it, and it is whole or it is not used at all."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runtime.errors import SettingsError

# There while a restore puts the databases in their places: without some of them a start would
# make new, empty ones.
RESTORING: Final = "restoring"
LOCK: Final = "lock"


class FolderInUseError(SettingsError):
    """Another process of ours is at work in it."""


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made if need be: chDB and the log allow one process.

    Raises SettingsError: it is in use, or cannot be used.
    """
    with locked(folder):
        if (folder / RESTORING).exists():
            raise SettingsError(
                f"OPSTRAIL_DATA_DIR: a restore into {folder} was broken off; empty the folder and"
                " run `opstrail restore` again"
            )
        yield


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The same, whatever is in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise SettingsError(f"OPSTRAIL_DATA_DIR: {folder}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise FolderInUseError(
            f"OPSTRAIL_DATA_DIR: {folder} is in use by another opstrail process"
        ) from error
    try:
        yield
    finally:
        os.close(lock)
