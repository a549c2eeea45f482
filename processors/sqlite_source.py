"""The embedded log read from its beginning, for a rebuild."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from processors.rebuild_source import Message
from runtime.sqlite_log import PARTITION, SqliteLog

_MESSAGES_MAX: Final = 1_000


class SqliteSource:
    """Implements `processors.rebuild_source.Source`."""

    first_offset: Final[int] = 1

    def __init__(self, log: SqliteLog) -> None:
        self._log: Final = log

    async def ends(self) -> dict[int, int]:
        """Partition -> the offset after its last message."""
        return {PARTITION: self._log.last_offset + 1}

    async def messages(self, partition: int, start: int, end: int) -> AsyncIterator[list[Message]]:
        """All of [start, end), in order. Raises LogUnavailableError."""
        assert partition == PARTITION
        after = start - 1
        while after < end - 1:
            count = min(_MESSAGES_MAX, end - 1 - after)
            found = await asyncio.to_thread(self._log.read, after, messages_max=count)
            if not found:
                return
            yield [Message(*each) for each in found]
            after = found[-1].offset
