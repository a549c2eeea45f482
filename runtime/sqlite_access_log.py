"""The embedded log of access events: a file like that of the envelopes, and of its own, so that
reading never waits behind a large append.
"""

from collections.abc import Sequence
from typing import Final

from runtime.sqlite_log import SqliteLog
from schemas.access_event import AccessEvent, encode_access_event


class SqliteAccessLog:
    """Implements `runtime.access_log.AccessLog`. `log` is another's to close, and to read."""

    def __init__(self, log: SqliteLog) -> None:
        self._log: Final = log

    async def append(self, events: Sequence[AccessEvent], *, timeout_s: float) -> None:
        messages = [encode_access_event(event) for event in events]
        await self._log.append_messages(messages, timeout_s=timeout_s)

    async def ping(self, *, timeout_s: float) -> None:
        await self._log.ping(timeout_s=timeout_s)
