"""Up to where the timeline is complete."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from timeline.statement import Statement
from timeline.store import Store


class Watermark(NamedTuple):
    """Of one partition. `complete_until` in µs; None: nothing is promised yet."""

    offset: int  # the highest whose changes are all inserted; -1: none
    complete_until: int | None


_WATERMARKS: Final = Statement(
    "SELECT partition, max(offset), toUnixTimestamp64Micro(max(complete_until)) FROM watermarks"
    # A generation's own database holds no other's.
    " GROUP BY partition"
)


async def read_watermarks(store: Store, database: str | None = None) -> dict[int, Watermark]:
    """Partition -> watermark, of the generation in `database`, else of the living one.

    Partitions nothing is known of are missing. Raises TimelineUnavailableError.
    """
    return {
        partition: Watermark(offset, until or None)
        for partition, offset, until in await store.rows(_WATERMARKS, database=database)
    }


def complete_until(watermarks: Mapping[int, Watermark], partitions: int) -> int | None:
    """The time before which all that was accepted, in any partition, is on the timeline; in µs.

    None while one of the partitions 0 to `partitions` - 1 is unknown.
    """
    times = [
        watermarks[partition].complete_until if partition in watermarks else None
        for partition in range(partitions)
    ]
    known = [time_us for time_us in times if time_us is not None]
    return min(known) if len(known) == partitions else None
