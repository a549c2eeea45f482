"""What one sender has told and what it was answered: the truth that the timeline is held to.

Must stay true:
- Records are numbered from 0 without holes, and the number is in the id: what a million ids should
  read can be kept in a byte each.
- Written by one thread; others only copy.
"""

from dataclasses import dataclass, field
from typing import Final

RECORDS_MAX: Final = 1 << 24  # six hex digits
UNKNOWN, OPEN, CLOSED = 0, 1, 2  # what was told 202 of a record


def record_id(sender: int, number: int) -> str:
    """A well-formed UUID that begins with both numbers, so that ids sort by them."""
    return f"{sender:02x}{number:06x}-fa17-4fa1-8fa1-{sender:06x}{number:06x}"


def numbers_of(prefix: str) -> tuple[int, int]:
    """Sender and number from the first eight digits of an id."""
    return int(prefix[:2], 16), int(prefix[2:8], 16)


@dataclass(frozen=True, slots=True)
class Claim:
    """That a batch with this record, open or closed, was sent."""

    number: int
    state: int


@dataclass(slots=True)
class Ledger:
    """Of one sender. `told[number]` is the most that was answered 202 of that record."""

    sender: int
    told: bytearray = field(default_factory=bytearray)
    attempted: int = 0  # numbers below this may be on the timeline
    instances: set[str] = field(default_factory=set)
    events: int = 0  # told 202, repeats too

    def claim_number(self) -> int:
        """A number nobody has yet."""
        number = self.attempted
        assert number < RECORDS_MAX, "too many records for one sender"
        self.told.append(UNKNOWN)
        self.attempted += 1
        return number

    def accept(self, claims: list[Claim], instances: set[str], events: int) -> None:
        """A batch with all this was answered with 202."""
        for claim in claims:
            self.told[claim.number] = max(self.told[claim.number], claim.state)
        self.instances |= instances
        self.events += events
