"""When something is read: what decides whether an open record reads as lost. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a page is read, and after how long an open record reads as lost; in µs."""

    now_us: int
    lost_after_us: int

    @property
    def lost_before_us(self) -> int:
        """Open records that started at or before this are lost."""
        return self.now_us - self.lost_after_us
