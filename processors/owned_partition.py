"""A partition of audit.timeline that a sink was assigned: what was fetched and not inserted yet."""

from typing import Final

from aiokafka import ConsumerRecord

MESSAGES_PER_INSERT_MAX: Final = 5_000
# Of one partition: with so much waiting it is inserted, and nothing more is fetched.
_WAITING_BYTES_MAX: Final = 4 * 1024 * 1024


class OwnedPartition:
    """Mutable; only the sink changes it."""

    def __init__(self) -> None:
        self.waiting: list[ConsumerRecord] = []
        self.waiting_bytes = 0
        self.since_s = 0.0
        # End of a range that a crash left between its record and its commit; None after that.
        self.recorded_end: int | None = None
        # False until it is known whether there is such a range: messages come before that.
        self.is_known = False
        # Of audit.events: what the timeline holds completely, and when the log's end was asked.
        self.source_offset = -1
        self.log_end: tuple[int, int] | None = None  # (end offset, asked at µs)
        self.told_until_us = 0

    def add(self, messages: list[ConsumerRecord], now_s: float) -> None:
        if not self.waiting:
            self.since_s = now_s
        self.waiting += messages
        self.waiting_bytes += sum(map(_bytes_of, messages))

    def remove(self, count: int) -> None:
        """The first `count` that wait were inserted."""
        self.waiting_bytes -= sum(map(_bytes_of, self.waiting[:count]))
        self.waiting = self.waiting[count:]

    @property
    def is_full(self) -> bool:
        return (
            len(self.waiting) >= MESSAGES_PER_INSERT_MAX or self.waiting_bytes >= _WAITING_BYTES_MAX
        )

    @property
    def is_enough(self) -> bool:
        """Whether nothing more has to be fetched before the next insert."""
        return self.is_full and (not self.is_known or self.is_range_whole)

    @property
    def is_range_whole(self) -> bool:
        """Whether all of a recorded range is there, if there is one."""
        return self.recorded_end is None or (
            bool(self.waiting) and self.waiting[-1].offset >= self.recorded_end - 1
        )


def _bytes_of(message: ConsumerRecord) -> int:
    return len(message.value or b"")
