"""Whether reading state back has come to a halt: Faust would wait for ever, and say little."""

from collections.abc import Mapping
from typing import Any, Final

# Above the time that Kafka has to answer one question.
STALLED_AFTER_S: Final = 120.0


class RecoveryWatch:
    """Told now and then how far the changelog was read."""

    def __init__(self) -> None:
        self._read: dict[Any, int | None] = {}
        self._since_s: float | None = None

    def has_stalled(
        self, read: Mapping[Any, int | None], *, is_reading: bool, now_s: float
    ) -> bool:
        """Whether nothing came for too long while state is read back."""
        if not is_reading:
            self._since_s = None
        elif self._since_s is None or read != self._read:
            self._read = dict(read)
            self._since_s = now_s
        return self._since_s is not None and now_s - self._since_s >= STALLED_AFTER_S
