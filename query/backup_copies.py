"""The databases of the embedded mode as one file, while everything goes on.

Must stay true:
- Everything accepted before the request is inside, once: each copy is of one moment after it.
- The copies are in this order: the log, the control database, the access log. So the control
  database knows whoever the log speaks of, and no change of it lacks its access event.
- It is on record before its first byte. The copies are gone when the answer is, whatever happens.
- The copies need as much room as the databases. What is answered from them needs no memory.

Nothing else of the folder is inside: the timeline is made of these anew (decision 0018).
"""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

import structlog
from starlette.responses import Response

from query.export_stream import RowCount, file_response
from runtime.backup_archive import DATABASES, FORMAT, LOG, BackupArchive, BackupHead
from runtime.clock import WallClock
from runtime.errors import LogUnavailableError
from runtime.http import Problem
from runtime.sqlite_copy import CopyCancelledError, copy_database
from runtime.sqlite_log import messages_in
from schemas.times import format_us

MEDIA_TYPE: Final = "application/x-tar"
# In the data folder: on the same disk, and nobody else's.
COPIES_FOLDER: Final = "backup"

_log: Final = structlog.get_logger(__name__)


class Backups:
    """Makes one backup at a time of these databases, named as in the archive."""

    def __init__(self, folder: Path, databases: Mapping[str, Path], wall_clock: WallClock) -> None:
        """`folder` is the data folder. Copies a killed process left there are removed."""
        self._copies: Final = folder / COPIES_FOLDER
        self._databases: Final = dict(databases)
        self._wall_clock: Final = wall_clock
        self._is_busy = False
        self._clear()

    async def answer(self) -> Response:
        """Raises the 409 problem while another one is made, and the 507 problem without room."""
        if self._is_busy:
            raise Problem(
                "backup_under_way",
                status=409,
                title="Another backup is under way",
                detail="One backup is made at a time. Try again when it has ended.",
            )
        pass
        made_at = format_us(self._wall_clock())
        is_cancelled = threading.Event()
        copying = asyncio.create_task(asyncio.to_thread(self._copy, is_cancelled))
        try:
            # Shielded: the thread is waited for also when nobody waits for the answer any more.
            copies = await asyncio.shield(copying)
            envelopes = messages_in(copies[LOG])
            head = BackupHead(format=FORMAT, opstrail=version("opstrail"), made_at=made_at)
            archive = BackupArchive(head, copies)
        except BaseException as error:
            is_cancelled.set()
            await asyncio.gather(copying, return_exceptions=True)
            self._end()
            if isinstance(error, sqlite3.Error | LogUnavailableError | OSError):
                _log.error("backup_failed", error=type(error).__name__, reason=str(error))
                raise _failed() from error
            raise
        given = RowCount()
        return file_response(
            _chunks(archive, given, envelopes),
            _Copies(self._end),
            given,
            media_type=MEDIA_TYPE,
            filename=f"opstrail-{made_at[:10]}.backup",
            bytes_=archive.bytes,
        )

    def _copy(self, is_cancelled: threading.Event) -> dict[str, Path]:
        self._clear()
        self._copies.mkdir(mode=0o700)
        made = {}
        for name in DATABASES:
            if name in self._databases:
                made[name] = self._copies / name
                copy_database(self._databases[name], made[name], is_cancelled=is_cancelled.is_set)
        if is_cancelled.is_set():
            raise CopyCancelledError
        return made

    def _end(self) -> None:
        self._clear()
        self._is_busy = False

    def _clear(self) -> None:
        shutil.rmtree(self._copies, ignore_errors=True)


async def _chunks(
    archive: BackupArchive, given: RowCount, envelopes: int
) -> AsyncGenerator[bytes, None]:
    chunks = archive.chunks()
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        # From the first byte on: nobody can tell what of it arrived.
        given.rows = envelopes
        yield chunk


class _Copies:
    """What an answer is made from, until it ended."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended: Final = ended
        self._is_open = True

    async def aclose(self) -> None:
        if self._is_open:
            self._is_open = False
            self._ended()


def _failed() -> Problem:
    return Problem(
        "backup_failed",
        status=507,
        title="The backup could not be made",
        detail="Copying the databases failed; the server's log says why. Is there room for a copy"
        " of them in the data folder?",
    )
