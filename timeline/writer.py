"""Inserts what the correlation emitted: snapshots, entries, sightings of CLI instances, watermarks.

Must stay true:
- The same batches again change nothing, with the same token or with another.
- The watermark is inserted last: whoever reads it finds all the rows it promises.
- Work on rows is by column and in a thread of the store, never in the event loop.
- Whatever is inserted is in the living generation and in each that is being filled, when that is
  asked after the insert: so a switch or a rebuild that begins meanwhile misses nothing.
- Of a generation that is being filled, only its rebuild moves the watermark.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from runtime.metrics import INSERT_SECONDS, ROWS_INSERTED
from schemas.entry import LINK_COLUMNS, TimelineBatch
from schemas.records import COMMON_FIELDS, own_columns
from schemas.topics import REVISION_BITS, revision_of
from timeline import ddl
from timeline.connection import Connection
from timeline.generation import Generations, generation_database
from timeline.store import Store
from timeline.watermark_query import Watermark, read_watermarks

Columns: TypeAlias = dict[str, Sequence[Any]]
WatermarkRow: TypeAlias = tuple[int, int]  # offset, complete_until in µs

_NO_CONFIGURED_BY: Final[Mapping[str, Any]] = {
    "sync_id": "",
    "commit": "",
    "branch": "",
    "confidence": "",
    "behind": False,
    "explanation": "",
}
_REQUIRED: Final = (
    *("kind", "id", "occurred_at", "is_open", "status", "actor", "actor_kind", "key_id"),
    *("received_at", "revision"),
)
_NULLABLE: Final = ("ended_at", "duration_ms", "unexplained")
_OF_ENVELOPE: Final = (
    *("organization", "workspace", "received_at", "partition", "offset"),
    *("actor", "actor_kind", "key_id"),
)
_NO_LINKS: Final[list[Any]] = []
_OFFSET_MASK: Final = (1 << REVISION_BITS) - 1


class InsertCounts(NamedTuple):
    """Rows handed to the store, repeated ones too."""

    entries: int
    observations: int
    snapshots: int


class EntryWriter:
    """The only writer of the timeline's rows in this process, but for a rebuild's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # None: to be asked for, also after a failure.
        self._known: Generations | None = None

    async def insert(self, batches: Sequence[TimelineBatch], *, token: str) -> InsertCounts:
        """Insert what these batches hold, then move the watermark by those that are last.

        `batches` of one partition are in log order. `token` names exactly these batches: for
        others, another one. Returns when all is durable. Raises TimelineUnavailableError: the
        outcome is unknown; the same call again settles it.
        """
        known = self._known or await self._store.generations()
        self._known = None
        while True:
            for filling in known.filling:
                await self._insert(filling, batches, token, is_watermark_moved=False)
            counts = await self._insert(known.living, batches, token)
            # An embedded store is this process's alone: nobody can switch meanwhile.
            now = known if self._store.is_embedded else await self._store.generations()
            if now == known:
                self._known = known
                return counts
            known = now

    async def advance_watermark(self, reached: Mapping[int, WatermarkRow]) -> None:
        """State that each partition is inserted up to its offset, complete until its time in µs.

        For a partition without any envelope the offset is -1. Never moves back. Raises
        TimelineUnavailableError.
        """
        if not reached:
            return
        self._known = await self._store.generations()
        living = self._known.living
        await self._store.write(
            lambda connection: _advance(connection, reached, living),
            database=generation_database(self._store.database, living),
        )

    async def read_watermarks(self) -> dict[int, Watermark]:
        """Partition -> watermark; partitions nothing is known of are missing.

        Raises TimelineUnavailableError.
        """
        return await read_watermarks(self._store)

    async def _insert(
        self,
        generation: int,
        batches: Sequence[TimelineBatch],
        token: str,
        *,
        is_watermark_moved: bool = True,
    ) -> InsertCounts:
        return await insert_into(
            self._store, generation, batches, token=token, is_watermark_moved=is_watermark_moved
        )


async def insert_into(
    store: Store,
    generation: int,
    batches: Sequence[TimelineBatch],
    *,
    token: str,
    is_watermark_moved: bool = True,
) -> InsertCounts:
    """`EntryWriter.insert` for one generation, whichever lives."""
    if generation:
        token = f"g{generation}:{token}"
    return await store.write(
        lambda connection: _insert(connection, generation, batches, token, is_watermark_moved),
        database=generation_database(store.database, generation),
    )


def _insert(
    connection: Connection,
    generation: int,
    batches: Sequence[TimelineBatch],
    token: str,
    is_watermark_moved: bool,
) -> InsertCounts:
    started_s = time.perf_counter()
    columns = entry_columns(batches)
    if generation:
        columns["revision"] = [revision_in(each, generation) for each in columns["revision"]]
    entries = connection.insert(ddl.ENTRIES, columns, token=f"{token}:entries")
    observations = connection.insert(
        ddl.OBSERVATIONS, observation_columns(batches), token=f"{token}:observations"
    )
    snapshots = connection.insert(
        ddl.SNAPSHOTS, snapshot_columns(batches), token=f"{token}:snapshots"
    )
    if is_watermark_moved:
        _advance(connection, _reached(batches), generation)
    INSERT_SECONDS.observe(time.perf_counter() - started_s)
    ROWS_INSERTED.labels(ddl.ENTRIES.name).inc(entries)
    ROWS_INSERTED.labels(ddl.OBSERVATIONS.name).inc(observations)
    ROWS_INSERTED.labels(ddl.SNAPSHOTS.name).inc(snapshots)
    return InsertCounts(entries, observations, snapshots)


def revision_in(revision: int, generation: int) -> int:
    """The revision of an entry of the log in a generation: above all of the generations before."""
    return revision_of(revision & _OFFSET_MASK, generation)


def entry_columns(batches: Sequence[TimelineBatch]) -> Columns:
    """The rows of `entries`, by column."""
    rows = [row for batch in batches for row in batch["entries"]]
    columns: Columns = {
        name: _per_row(batches, name, "entries") for name in ("organization", "workspace")
    }
    for name in _REQUIRED:
        columns[name] = list(map(itemgetter(name), rows))
    for name in _NULLABLE:
        columns[name] = _optional(rows, name, None)
    for name in COMMON_FIELDS:
        columns[name] = _optional(rows, name, "")
    for name, own in own_columns().items():
        columns[name] = _optional(rows, name, "" if own.type == "string" else None)
    configured = [_configured_by(row) for row in rows]
    for name in _NO_CONFIGURED_BY:
        columns[f"configured_by_{name}"] = [found[name] for found in configured]
    for name in (*LINK_COLUMNS, "link_explanation"):
        columns[name] = _optional(rows, name, _NO_LINKS)
    columns["link_gap_ms"] = [
        [None if gap < 0 else gap for gap in gaps] for gaps in columns["link_gap_ms"]
    ]
    columns["links_omitted"] = _optional(rows, "links_omitted", False)
    columns["flags"] = [row.get("flags") or _NO_LINKS for row in rows]
    return columns


def observation_columns(batches: Sequence[TimelineBatch]) -> Columns:
    """The rows of `cli_observations`, by column."""
    rows = [row for batch in batches for row in batch["observations"]]
    columns: Columns = {"organization": _per_row(batches, "organization", "observations")}
    for name in ("cli_instance_id", "observed_at", "is_sighting", "actor"):
        columns[name] = [row[name] for row in rows]
    for name in ("cli_version", "hostname", "os", "arch"):
        columns[name] = [row.get(name, "") for row in rows]
    return columns


def snapshot_columns(batches: Sequence[TimelineBatch]) -> Columns:
    """The rows of `snapshots`, by column. A batch of version 1 holds none."""
    holding = [batch for batch in batches if batch.get("snapshots")]
    rows = [row for batch in holding for row in batch["snapshots"]]
    columns: Columns = {name: _per_row(holding, name, "snapshots") for name in _OF_ENVELOPE}
    for name in ("index", "kind", "id", "occurred_at", "event"):
        columns[name] = list(map(itemgetter(name), rows))
    for name in ("cli_instance_id", "dead_reason"):
        columns[name] = _optional(rows, name, "")
    columns["client_seq"] = _optional(rows, "client_seq", None)
    return columns


def _optional(rows: Sequence[Mapping[str, Any]], name: str, absent: object) -> list[Any]:
    try:
        # Decoded rows hold every name, and this takes half the time.
        return list(map(itemgetter(name), rows))
    except KeyError:
        return [row.get(name, absent) for row in rows]


def _per_row(batches: Sequence[Mapping[str, Any]], name: str, rows: str) -> list[Any]:
    """What a batch says of itself, once for each of its rows."""
    return list(chain.from_iterable(repeat(batch[name], len(batch[rows])) for batch in batches))


def _configured_by(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return row.get("configured_by") or _NO_CONFIGURED_BY


def _reached(batches: Iterable[TimelineBatch]) -> dict[int, WatermarkRow]:
    """The last complete envelope of each partition.

    An envelope was received before it was appended, and the partition's order is the log's: what
    was answered before that moment stands before it.
    """
    reached: dict[int, WatermarkRow] = {}
    for batch in batches:
        if batch["is_last"]:
            offset, until = reached.get(batch["partition"], (-1, 0))
            reached[batch["partition"]] = (
                max(offset, batch["offset"]),
                max(until, batch["received_at"]),
            )
    return reached


def _advance(connection: Connection, reached: Mapping[int, WatermarkRow], generation: int) -> None:
    if not reached:
        return
    partitions = sorted(reached)
    offsets = [reached[partition][0] for partition in partitions]
    times = [reached[partition][1] for partition in partitions]
    connection.insert(
        ddl.WATERMARKS,
        {
            "generation": [generation] * len(partitions),
            "partition": partitions,
            "offset": offsets,
            "complete_until": times,
        },
        # The token is the content: only the very same rows are taken for a repetition.
        token=f"watermark:{list(zip(partitions, offsets, times, strict=True))}",
    )
