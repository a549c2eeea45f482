"""How far the correlation is behind the log.

An envelope that nobody has read yet has no time that we know, so its age is counted from the newest
moment at which everything before it was handled: never less than its age, and more by no longer
than nobody looked.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

from runtime.clock import WallClock
from schemas.limits import US_PER_S


class CorrelateLag:
    """Of the partitions that are ours. May be asked from another thread than the one that tells."""

    def __init__(self, clock: WallClock) -> None:
        self._clock: Final = clock
        self._partitions: dict[int, _Partition] = {}
        self._newest_us = 0

    def start(self, next_offsets: Mapping[int, int]) -> None:
        """Forget all: these partitions are ours now, and are read on from these offsets."""
        now_us = self._clock()
        self._partitions = {
            partition: _Partition(offset, now_us) for partition, offset in next_offsets.items()
        }

    def handled(self, partition: int, offset: int, received_at_us: int) -> None:
        """After the message at `offset`; `received_at_us` is 0 when it could not be read."""
        known = self._partitions.get(partition)
        if known is None:
            return  # Dealt to another worker meanwhile.
        known.next_offset = max(known.next_offset, offset + 1)
        if received_at_us:
            known.handled_until_us = received_at_us
            self._newest_us = max(self._newest_us, received_at_us)

    def seconds(self, known_ends: Callable[[], Mapping[int, int]]) -> float:
        """Age of the oldest that waits; 0 when nothing does.

        `known_ends`: by partition the offset after its newest message; not asked before `start`.
        A partition that is missing there is taken to hold nothing new.
        """
        partitions = list(self._partitions.items())
        if not partitions:
            return 0.0
        # Before the ends: what came between the two is younger than that.
        now_us = self._clock()
        ends = known_ends()
        behind_us = 0
        for partition, known in partitions:
            if ends.get(partition, 0) <= known.next_offset:
                known.handled_until_us = now_us
            else:
                behind_us = max(behind_us, now_us - known.handled_until_us)
        return behind_us / US_PER_S

    def newest_age_s(self) -> float:
        """Not a number before the first envelope."""
        return (self._clock() - self._newest_us) / US_PER_S if self._newest_us else math.nan


class _Partition:
    __slots__ = ("handled_until_us", "next_offset")

    def __init__(self, next_offset: int, handled_until_us: int) -> None:
        self.next_offset = next_offset
        self.handled_until_us = handled_until_us
