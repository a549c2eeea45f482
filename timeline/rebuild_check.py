"""Is a rebuilt generation whole, and in what does it differ from the one before it?

Must stay true: bounded memory on both sides. What grows with the number of records is asked for in
parts, by a hash of the ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas.kinds import CLI_INSTANCE
from timeline import ddl
from timeline.connection import Connection
from timeline.generation import generation_database
from timeline.statement import Statement
from timeline.store import Store

# So many rows of either table are grouped at once.
_ROWS_PER_PART: Final = 2_000_000


class StoredDigest(NamedTuple):
    """Of the events of one partition; see `processors/received_digest.py`."""

    messages: int
    events: int
    checksum: int


class Difference(NamedTuple):
    """Numbers of records of one kind in one workspace that only one generation has."""

    organization: str
    workspace: str
    kind: str
    before: int  # in the generation before
    after: int  # in the rebuilt one
    only_before: int
    only_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationCheck:
    """Numbers of records, but for `events_missing`; all but `differences` should be 0."""

    without_entry: int  # received and used, and not on the timeline
    without_snapshot: int  # on the timeline, and never received
    double: int  # on the timeline at more than one start
    only_before: int  # only in the generation before
    events_missing: int  # events that only the generation before has
    differences: Sequence[Difference]


async def read_digest(store: Store, generation: int, partition: int, end: int) -> StoredDigest:
    """Of what is stored of the messages before offset `end`. Raises TimelineUnavailableError."""
    statement = Statement(
        "SELECT uniqExact(`offset`), count(), sum(checksum) FROM ("
        "SELECT DISTINCT `offset`, `index`,"
        " CRC32(concat(kind, '/', id, '/', toString(`offset`), '/', toString(`index`)))"
        f" AS checksum FROM {ddl.SNAPSHOTS.name}"
        " WHERE `partition` = {partition:UInt32} AND `offset` < {end:Int64})",
        {"partition": partition, "end": end},
    )
    database = generation_database(store.database, generation)
    # By the writer: it may take longer than a reader would wait.
    ((messages, events, checksum),) = await store.write(
        lambda connection: connection.rows(statement), database=database
    )
    return StoredDigest(int(messages), int(events), int(checksum))


async def check_generation(store: Store, before: int, generation: int) -> GenerationCheck:
    """Compare both as they are now. Raises TimelineUnavailableError."""
    source, target = (
        f"`{generation_database(store.database, each)}`" for each in (before, generation)
    )
    return await store.write(
        lambda connection: _check(connection, source, target), database=store.database
    )


def _check(connection: Connection, source: str, target: str) -> GenerationCheck:
    tables = [
        f"{target}.{ddl.SNAPSHOTS.name}",
        f"{source}.{ddl.SNAPSHOTS.name}",
        f"{target}.{ddl.ENTRIES.name}",
        f"{source}.{ddl.ENTRIES.name}",
    ]
    counted = [connection.rows(Statement(f"SELECT count() FROM {table}"))[0][0] for table in tables]
    parts = max(counted) // _ROWS_PER_PART + 1
    sums: dict[tuple[str, str, str], list[int]] = {}
    events_missing = 0
    for part in range(parts):
        parameters = {"part": part, "parts": parts, "instance": CLI_INSTANCE}
        for (
            *place,
            is_used,
            is_before,
            is_after,
            is_double,
            unused,
            unreceived,
            lost,
            new,
        ) in connection.rows(Statement(_records(source, target), parameters)):
            found = (is_used, is_before, is_after, is_double, unused, unreceived, lost, new)
            key = (str(place[0]), str(place[1]), str(place[2]))
            known = sums.setdefault(key, [0] * len(found))
            sums[key] = [old + int(more) for old, more in zip(known, found, strict=True)]
        events_missing += connection.rows(Statement(_events(source, target), parameters))[0][0]
    return _checked(sums, events_missing)


def _checked(
    sums: Mapping[tuple[str, str, str], Sequence[int]], events_missing: int
) -> GenerationCheck:
    totals = [sum(each) for each in zip(*sums.values(), strict=True)] if sums else [0] * 8
    return GenerationCheck(
        double=totals[3],
        without_entry=totals[4],
        without_snapshot=totals[5],
        only_before=totals[6],
        events_missing=int(events_missing),
        differences=[
            Difference(
                *key, before=found[1], after=found[2], only_before=found[6], only_after=found[7]
            )
            for key, found in sorted(sums.items())
            if found[6] or found[7]
        ],
    )


_IDENTITY: Final = "organization, workspace, kind, id"


def _records(source: str, target: str) -> str:
    """Per organization, workspace and kind: in how many ways its records are where they belong."""
    in_part = "sipHash64(id) % {parts:UInt32} = {part:UInt32}"
    return (
        "SELECT organization, workspace, toString(kind), sum(used), sum(before), sum(after),"
        " sum(double), sum(used AND NOT after), sum(after AND NOT received),"
        " sum(before AND NOT after), sum(after AND NOT before) FROM ("
        f"SELECT {_IDENTITY}, max(r) AS received, max(u) AS used, max(b) AS before,"
        " max(a) AS after, uniqExactIf(at, a) > 1 AS double FROM ("
        f"SELECT {_IDENTITY}, 1 AS r, dead_reason = '' AS u, 0 AS b, 0 AS a,"
        f" received_at AS at FROM {target}.{ddl.SNAPSHOTS.name}"
        f" WHERE kind != {{instance:String}} AND {in_part}"
        f" UNION ALL SELECT {_IDENTITY}, 0, 0, 0, 1, occurred_at FROM {target}.{ddl.ENTRIES.name}"
        f" WHERE {in_part}"
        f" UNION ALL SELECT {_IDENTITY}, 0, 0, 1, 0, occurred_at FROM {source}.{ddl.ENTRIES.name}"
        f" WHERE {in_part}"
        f") GROUP BY {_IDENTITY}) GROUP BY organization, workspace, kind"
    )


def _events(source: str, target: str) -> str:
    """How many events the generation before has, and the rebuilt one not."""
    in_part = "sipHash64(`offset`) % {parts:UInt32} = {part:UInt32}"
    place = "`partition`, `offset`, `index`"
    return (
        "SELECT count() FROM (SELECT max(a) AS after FROM ("
        f"SELECT {place}, 0 AS a FROM {source}.{ddl.SNAPSHOTS.name} WHERE {in_part}"
        f" UNION ALL SELECT {place}, 1 FROM {target}.{ddl.SNAPSHOTS.name} WHERE {in_part}"
        f") GROUP BY {place}) WHERE NOT after"
    )


def problems(check: GenerationCheck) -> dict[str, Any]:
    """What is not as it should be, by name; empty when all is."""
    names = ("without_entry", "without_snapshot", "double", "only_before", "events_missing")
    return {name: getattr(check, name) for name in names if getattr(check, name)}
