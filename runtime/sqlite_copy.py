"""A copy of a SQLite database that others go on writing to, in this process or another."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

_BUSY_TIMEOUT_S: Final = 5.0
# Some hundred times a second Python gets to hear of Ctrl-C; what that costs does not show.
_STEPS_BETWEEN: Final = 100_000


def copy_database(source: Path, target: Path) -> None:
    """Make `target`, which must not be there: what was committed at one moment, and nothing else.

    It is one long read: in WAL mode writers do not wait for it, and the write-ahead log grows
    meanwhile. Row ids and AUTOINCREMENT stay. Not durable: for something that is taken further.

    Raises sqlite3.Error (also: no room); part of a target may then be there.
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
        connection.set_progress_handler(lambda: 0, _STEPS_BETWEEN)
        # Not page by page: the library would begin anew with each write of somebody else.
        connection.execute("VACUUM INTO ?", (str(target),))
