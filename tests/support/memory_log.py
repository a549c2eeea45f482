"""A log in memory, for tests that are not about where it stands."""

from collections.abc import Sequence

from runtime.errors import LogUnavailableError
from runtime.log import Position
from schemas.envelope import Envelope


class MemoryLog:
    """Takes what comes while `is_there`, all into partition 0."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.is_there = True

    async def append(self, envelopes: Sequence[Envelope], *, timeout_s: float) -> list[Position]:
        await self.ping(timeout_s=timeout_s)
        first = len(self.envelopes)
        self.envelopes.extend(envelopes)
        return [Position(0, first + number) for number in range(len(envelopes))]

    async def ping(self, *, timeout_s: float) -> None:
        if not self.is_there:
            raise LogUnavailableError("the log is away")
