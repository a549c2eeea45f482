"""Whether the embedded store may merge parts: not while its disk has hardly any room.

A merge that runs into a full disk can leave parts with empty files, which chDB 26.9 takes for whole
ones: queries fail, and at the next start what was in them is set aside. An insert fails cleanly.
"""

import os
import threading
from pathlib import Path
from typing import Final

import structlog

from runtime.errors import UnavailableError
from timeline.store import Store

# What is under way goes on for a moment, and others may fill the disk, too.
RESERVE_BYTES_MAX: Final = 128 * 1024 * 1024
_RESERVE_SHARE: Final = 10  # of a small disk: a tenth
_LOOK_S: Final = 0.05
_log: Final = structlog.get_logger()


class MergeGuard:
    """A thread of its own: start once, stop once, before the store is closed."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store: Final = store
        self._folder: Final = folder
        self._is_stopping: Final = threading.Event()
        self._has_room: Final = threading.Event()
        self._has_room.set()
        self._thread: Final = threading.Thread(target=self._watch, name="merges", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping.set()
        self._has_room.set()
        self._thread.join()

    def has_room(self) -> bool:
        """Whether the store may write."""
        return self._has_room.is_set()

    def _watch(self) -> None:
        while not self._is_stopping.wait(_LOOK_S):
            try:
                disk = os.statvfs(self._folder)
            except OSError:
                continue  # Gone: nothing to go by.
            free = disk.f_bavail * disk.f_frsize
            reserve = min(RESERVE_BYTES_MAX, disk.f_blocks * disk.f_frsize // _RESERVE_SHARE)
            if self.has_room() and free < reserve:
                self._has_room.clear()
                self._tell("STOP")
                _log.error("the disk is nearly full: nothing is merged or inserted", free=free)
            elif not self.has_room() and free > reserve + reserve // 4:
                self._tell("START")
                self._has_room.set()
                _log.warning("the disk has room again", free=free)

    def _tell(self, what: str) -> None:
        try:
            # Not the writing connection: it may be in the middle of an insert.
            self._store.read_now(lambda connection: connection.command(f"SYSTEM {what} MERGES"))
        except UnavailableError as error:
            _log.error("merges could not be told", what=what, error=str(error))
