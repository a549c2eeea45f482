"""Up to where correlation may let go: the store has it, and it is never handled again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from runtime.errors import UnavailableError
from timeline.store import Store
from timeline.watermark_query import read_watermarks

_POLL_S: Final = 5.0

# Partition -> the offset to read on from after a crash.
Committed = Callable[[], Awaitable[Mapping[int, int]]]


class EvictionLimit:
    """Asks now and then. While the store is away the limit stays, and nothing new is let go of."""

    def __init__(self, store: Callable[[], Store], committed: Committed) -> None:
        self._store: Final = store
        self._committed: Final = committed
        self._offsets: dict[int, int] = {}

    def offset(self, partition: int) -> int:
        """The highest that may be let go of; -1: none."""
        return self._offsets.get(partition, -1)

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            try:
                await self.ask()
            except UnavailableError as error:
                structlog.get_logger().debug("no news of what may be let go of", error=str(error))

    async def ask(self) -> None:
        """Ask once. Raises UnavailableError."""
        inserted = await read_watermarks(self._store())
        committed = await self._committed()
        for partition, watermark in inserted.items():
            if (offset := committed.get(partition)) is not None:
                # Neither ever goes back.
                self._offsets[partition] = min(watermark.offset, offset - 1)
