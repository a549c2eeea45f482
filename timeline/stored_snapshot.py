"""Rows of `snapshots` with all that is needed to tell again what was received."""

from typing import Any, Final, NamedTuple

from timeline import ddl
from timeline.connection import Connection
from timeline.statement import Statement
from timeline.store import Store

# Read at once; an envelope has at most some thousands.
ROWS_MAX: Final = 20_000


class StoredSnapshot(NamedTuple):
    """One event as received; `received_at` in µs, `event` as `schemas/event_json.py` writes it."""

    organization: str
    workspace: str  # empty: of a CLI instance
    partition: int
    offset: int
    event_index: int  # in its envelope, from 0
    received_at: int
    actor: str
    actor_kind: str
    key_id: str
    event: str
    dead_reason: str  # empty: it was used


# In the order of `StoredSnapshot`.
STORED_COLUMNS: Final = (
    "organization, workspace, `partition`, `offset`, `index`, toUnixTimestamp64Micro(received_at),"
    " actor, toString(actor_kind), key_id, event, toString(dead_reason)"
)
_PLACE: Final = (
    f" FROM {ddl.SNAPSHOTS.name} WHERE `partition` = {{partition:UInt32}}"
    " AND `offset` >= {start:Int64} AND `offset` < {end:Int64}"
)


async def read_stored(
    store: Store, database: str, partition: int, start: int, end: int, rows_max: int = ROWS_MAX
) -> tuple[list[StoredSnapshot], int]:
    """Rows of whole envelopes from `start` on, in the log's order, perhaps some of them twice, and
    the offset to read on from, which is above `start` and at most `end`.

    Raises TimelineUnavailableError.
    """
    return await store.write(  # which may take longer than a reader would wait
        lambda connection: _read(connection, partition, start, end, rows_max), database=database
    )


def _read(
    connection: Connection, partition: int, start: int, end: int, rows_max: int
) -> tuple[list[StoredSnapshot], int]:
    place: dict[str, Any] = {"partition": partition, "start": start, "end": end}
    # Of the small columns only: which offset goes beyond what is read at once?
    beyond = connection.rows(
        Statement(
            f"SELECT `offset`{_PLACE} ORDER BY `offset` LIMIT 1 OFFSET {{rows:UInt32}}",
            {**place, "rows": rows_max},
        )
    )
    after = max(beyond[0][0], start + 1) if beyond else end
    found = connection.rows(
        Statement(
            f"SELECT {STORED_COLUMNS}{_PLACE} ORDER BY `offset`, `index`", {**place, "end": after}
        )
    )
    return [StoredSnapshot(*row) for row in found], after
