"""What was received, in so few numbers that it can be compared with what is stored. Pure."""

from collections import Counter
from collections.abc import Iterable
from zlib import crc32

from schemas.entry import TimelineBatch


class ReceivedDigest:
    """Of the events of one partition.

    `checksum`: the sum of each event's CRC-32 over `kind/id/offset/index`, as
    `timeline/rebuild_check.py` has the store add them up.
    """

    __slots__ = ("by_kind", "checksum")

    def __init__(self) -> None:
        self.by_kind: Counter[str] = Counter()
        self.checksum = 0

    @property
    def events(self) -> int:
        return self.by_kind.total()

    def add(self, batches: Iterable[TimelineBatch]) -> None:
        for batch in batches:
            for row in batch.get("snapshots", ()):
                self.by_kind[row["kind"]] += 1
                name = f"{row['kind']}/{row['id']}/{batch['offset']}/{row['index']}"
                self.checksum += crc32(name.encode())
