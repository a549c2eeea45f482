"""A copy of a SQLite database that others go on writing to."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

_BUSY_TIMEOUT_S: Final = 5.0
# Some hundred times a second: what the question costs does not show.
_STEPS_PER_QUESTION: Final = 100_000


class CopyCancelledError(Exception):
    """`is_cancelled` said so."""


def copy_database(source: Path, target: Path, *, is_cancelled: Callable[[], bool]) -> None:
    """Make `target`, which must not be there: what was committed at one moment, and nothing else.

    It is one long read: in WAL mode writers do not wait for it, and the write-ahead log grows
    meanwhile. Row ids and AUTOINCREMENT stay. Not durable: for something that is taken further.

    Raises sqlite3.Error (also: no room), CopyCancelledError; part of a target may then be there.
    """
    # Opening a file that is not there would make one.
    with contextlib.closing(
        sqlite3.connect(
            f"{source.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
        )
    ) as connection:
        connection.set_progress_handler(lambda: int(is_cancelled()), _STEPS_PER_QUESTION)
        try:
            # Not page by page: the library would begin anew with each write of somebody else.
            connection.execute("VACUUM INTO ?", (str(target),))
        except sqlite3.OperationalError as error:
            if is_cancelled():
                raise CopyCancelledError from error
            raise
