"""An access log in memory, for tests that are not about where it stands."""

import itertools
from collections.abc import Sequence
from typing import Final

from control.failed_authentications import FailedAuthentications
from query.access_record import AccessRecorder
from runtime.errors import LogUnavailableError
from schemas.access_event import AccessEvent

AT_US: Final = 1_774_347_123_000_000  # 2026-03-24T10:12:03Z


class MemoryAccessLog:
    """Takes what comes while `is_there`."""

    def __init__(self) -> None:
        self.events: list[AccessEvent] = []
        self.is_there = True

    async def append(self, events: Sequence[AccessEvent], *, timeout_s: float) -> None:
        await self.ping(timeout_s=timeout_s)
        self.events.extend(events)

    async def ping(self, *, timeout_s: float) -> None:
        if not self.is_there:
            raise LogUnavailableError("the access log is away")


def failures(log: MemoryAccessLog | None = None) -> FailedAuthentications:
    """A count that goes out only when it is asked for."""
    return FailedAuthentications(log or MemoryAccessLog(), wall_clock=lambda: AT_US)


def recorder(log: MemoryAccessLog | None = None) -> AccessRecorder:
    """Its clock goes on by a microsecond a request."""
    times = itertools.count(AT_US)
    return AccessRecorder(log or MemoryAccessLog(), 1.0, lambda: next(times))
