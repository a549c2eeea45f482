"""How far each partition of the input is handled: what comes next, and what may be committed.

Kept apart from Faust's own bookkeeping. When the partitions are dealt anew, Faust hands out what it
fetched before it sought the committed offset, empties buffers, acknowledges what it skips and takes
the jump for a hole in the log: a message would be passed over, or handled before one it follows.

Must stay true:
- A partition's messages are handled in their order, each after the one before it.
- Only what was handled, with all that it led to taken by the broker, is ever committed.
"""

from asyncio import Future
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

# Reading again takes a fetch; so long without the message that is due, and something is broken.
_WAIT_S_MAX: Final = 30.0

Sent: TypeAlias = "Sequence[Future[Any]]"


class InputStuckError(Exception):
    """The message that is due does not come."""


class Progress:
    """Of the partitions that are ours. Pure, but for looking at futures."""

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}

    def start(self, next_offsets: Mapping[int, int]) -> None:
        """Forget all: these partitions are ours now, and are read on from these offsets."""
        self._partitions = {
            partition: _Partition(offset) for partition, offset in next_offsets.items()
        }

    def next_offset(self, partition: int) -> int | None:
        """The highest that may be handled now; lower ones are repetitions. None: not ours."""
        known = self._partitions.get(partition)
        return None if known is None else known.next_offset

    def is_first_miss(self, partition: int, now_s: float) -> bool:
        """Note that a message came too early; whether it is time to read again from the due one."""
        known = self._partitions[partition]
        if known.missing_since_s is not None:
            return False
        known.missing_since_s = now_s
        return True

    def handled(self, partition: int, offset: int, sent: Sent) -> None:
        """After a message was handled; `sent` are done when the broker has what it led to."""
        known = self._partitions.get(partition)
        if known is None:
            return  # Dealt to another worker meanwhile.
        known.unconfirmed.append((offset + 1, sent))
        if offset >= known.next_offset:
            known.next_offset = offset + 1
            known.missing_since_s = None

    def committable(self, partition: int, now_s: float) -> int | None:
        """The offset to read on from after a crash; None: nothing was confirmed yet.

        Raises what sending raised; InputStuckError.
        """
        known = self._partitions.get(partition)
        if known is None:
            return None
        if known.missing_since_s is not None and now_s - known.missing_since_s > _WAIT_S_MAX:
            raise InputStuckError(f"offset {known.next_offset} of partition {partition}")
        return known.take_confirmed()


class _Partition:
    def __init__(self, next_offset: int) -> None:
        self.next_offset = next_offset
        self.unconfirmed: Final[deque[tuple[int, Sent]]] = deque()
        self.missing_since_s: float | None = None
        self._confirmed: int | None = None

    def take_confirmed(self) -> int | None:
        while self.unconfirmed and all(each.done() for each in self.unconfirmed[0][1]):
            offset, sent = self.unconfirmed.popleft()
            for each in sent:
                each.result()
            self._confirmed = max(offset, self._confirmed or 0)
        return self._confirmed
