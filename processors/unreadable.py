"""What stood on audit.events and nobody could read, as whoever runs the installation finds it.

Must stay true:
- It names no organization and may hold anything, so no key reaches it: it takes the right to read
  the data folder, or the topic. What is listed holds nothing of the content.
- Reading changes nothing, and stands beside a running process.
- What a newer version set aside is passed over, not taken for less than it is.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from processors.dead_letter import DEAD_LETTER_CODEC
from processors.snapshot_row import snapshot_rows
from runtime.backup_archive import LOG
from runtime.errors import RefusedError, SettingsError
from runtime.sqlite_log import PARTITION
from schemas.codec import UndecodableError
from schemas.envelope import decode_envelope
from schemas.kinds import DeadLetterReason

STATE: Final = "correlate.db"
_BUSY_TIMEOUT_S: Final = 5.0
# So many messages before it are looked at for a time.
_NEIGHBOURS_MAX: Final = 20


class LogAddress(NamedTuple):
    """Where a message stands on audit.events."""

    partition: int
    offset: int

    @property
    def text(self) -> str:
        """`3-17`."""
        return "-".join(map(str, self))


class Unreadable(NamedTuple):
    """One message. Times in µs, None: not known."""

    address: LogAddress
    detail: str  # what was wrong; never what was in it
    size_bytes: int
    found_at: int | None  # when the correlation set it aside
    after: int | None  # when the nearest readable message before it was received
    is_readable_now: bool  # by this version


class UnreadableMessage(NamedTuple):
    about: Unreadable
    content: bytes


class EmbeddedUnreadable:
    """Those of a data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder

    async def newest(self, limit: int) -> list[Unreadable]:
        """The latest on the log first. Raises SettingsError, RefusedError."""
        with _opened(self._folder) as (state, log):
            found = state.execute(
                "SELECT letter FROM dead_letters WHERE place = -1 ORDER BY offset DESC LIMIT ?",
                (limit,),
            )
            return [each.about for (letter,) in found if (each := self._message(letter, log))]

    async def one(self, address: LogAddress) -> UnreadableMessage | None:
        """The one from there; None when there is none. Raises SettingsError, RefusedError."""
        if address.partition != PARTITION:
            return None
        with _opened(self._folder) as (state, log):
            found = state.execute(
                "SELECT letter FROM dead_letters WHERE place = -1 AND offset = ?",
                (address.offset,),
            ).fetchone()
            return None if found is None else self._message(found[0], log)

    def _message(self, letter: bytes, log: sqlite3.Connection) -> UnreadableMessage | None:
        found = unreadable_message(letter, found_at=None)
        if found is None:
            return None
        return found._replace(about=found.about._replace(after=_received_before(log, found.about)))


def unreadable_message(letter: bytes, *, found_at: int | None) -> UnreadableMessage | None:
    """What a dead letter tells; None for one of an event, and of a newer version."""
    try:
        said = DEAD_LETTER_CODEC.decode(letter)
    except UndecodableError:
        return None
    if said["reason"] != DeadLetterReason.UNDECODABLE:
        return None
    content: bytes = said["content"]
    return UnreadableMessage(
        Unreadable(
            address=LogAddress(said["partition"], said["offset"]),
            detail=said["detail"],
            size_bytes=len(content),
            found_at=found_at,
            after=None,
            is_readable_now=_is_readable(content),
        ),
        content,
    )


def _received_before(log: sqlite3.Connection, message: Unreadable) -> int | None:
    found: Iterator[tuple[Any, ...]] = log.execute(
        "SELECT message FROM envelopes WHERE offset < ? ORDER BY offset DESC LIMIT ?",
        (message.address.offset, _NEIGHBOURS_MAX),
    )
    times = (_received_at(before) for (before,) in found)
    return next((time for time in times if time is not None), None)


def _is_readable(message: bytes) -> bool:
    """As the correlation would find now."""
    try:
        snapshot_rows(decode_envelope(message))
    except (UndecodableError, KeyError, ValueError, TypeError, OverflowError):
        return False
    return True


def _received_at(message: bytes) -> int | None:
    """None for what is no envelope of a version known here."""
    try:
        return decode_envelope(message).received_at
    except UndecodableError:
        return None


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """The state and the log. Raises SettingsError, RefusedError."""
    with contextlib.ExitStack() as opened:
        try:
            state, log = [opened.enter_context(_reading(folder / name)) for name in (STATE, LOG)]
            yield state, log
        except sqlite3.Error as error:
            raise RefusedError(f"reading the databases of {folder}: {error}") from error


def _reading(path: Path) -> contextlib.closing[sqlite3.Connection]:
    # Opening a file that is not there would make one.
    if not path.is_file():
        raise SettingsError(f"OPSTRAIL_DATA_DIR: {path} is not there or cannot be read")
    address = f"{path.absolute().as_uri()}?mode=ro"
    return contextlib.closing(sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_S))
