"""Holes in what CLI instances count: events that were sent, or were to be, and never arrived.

A hole stands between two counts that did arrive, one after the other; when it happened lies between
their times. Nothing is missing before the first count that was seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas.times import format_us
from timeline import ddl
from timeline.connection import Connection
from timeline.spans import Reach
from timeline.statement import Statement
from timeline.store import Store

# One is enough to doubt a period; so many say that the instance is broken.
GAPS_MAX: Final = 100


class Gap(NamedTuple):
    """Counts that are missing, both ends in; times in µs of what arrived on either side of it."""

    cli_instance_id: str
    first_missing: int
    last_missing: int
    start: int
    end: int


class Gaps(NamedTuple):
    found: list[Gap]  # by time
    is_cut: bool


class Counted(NamedTuple):
    """A count that arrived: a place in what is sorted by instance and count."""

    cli_instance_id: str
    client_seq: int


@dataclass(frozen=True, slots=True)
class Counts:
    """SQL that holds for the counts to look at, with its parameters; none starts with `gap_`."""

    conditions: Sequence[str]
    parameters: Mapping[str, Any]


async def read_gaps(store: Store, organization: str, instances: Statement, reach: Reach) -> Gaps:
    """The gaps that touch `reach`. Raises TimelineUnavailableError.

    `instances` selects the ids of the CLI instances to look at; its parameters have names of
    their own (none starts with `gap_`).
    """
    counts = Counts(
        ["organization = {gap_organization:String}", f"cli_instance_id IN ({instances.sql})"],
        {**instances.parameters, "gap_organization": organization},
    )
    return await store.read(lambda connection: _read(connection, counts, reach))


async def read_gap_list(
    store: Store, counts: Counts, reach: Reach, start: Counted | None, limit: int
) -> list[Gap]:
    """The first `limit` gaps that touch `reach`, by instance and count, none before `start`.

    Raises TimelineUnavailableError.
    """
    return await store.read(lambda connection: _read_list(connection, counts, reach, start, limit))


def these(instances: Iterable[str]) -> Statement:
    """CLI instances by their ids, for `read_gaps`."""
    return Statement("SELECT arrayJoin({instances:Array(String)})", {"instances": list(instances)})


def gap_json(gap: Gap) -> dict[str, Any]:
    return {
        "cli_instance_id": gap.cli_instance_id,
        "first_missing": gap.first_missing,
        "last_missing": gap.last_missing,
        "missing": gap.last_missing - gap.first_missing + 1,
        "from": format_us(gap.start),
        "to": format_us(gap.end),
    }


def _read(connection: Connection, counts: Counts, reach: Reach) -> Gaps:
    gaps, blocks = _found(connection, counts, reach, _BY_TIME, GAPS_MAX + 1, GAPS_MAX + 1)
    gaps.sort(key=lambda gap: (gap.start, gap.cli_instance_id, gap.first_missing))
    is_cut = len(gaps) > GAPS_MAX or len(blocks) > GAPS_MAX
    return Gaps(gaps[:GAPS_MAX], is_cut)


def _read_list(
    connection: Connection, counts: Counts, reach: Reach, start: Counted | None, limit: int
) -> list[Gap]:
    gaps: list[Gap] = []
    while len(gaps) < limit:
        onward = counts if start is None else _onward(counts, start)
        # A block with holes may have none inside `reach`: then there is more to look at.
        found, blocks = _found(connection, onward, reach, _BY_COUNT, _BLOCKS_MAX, limit)
        gaps += sorted(found)
        if len(blocks) < _BLOCKS_MAX:
            break
        start = Counted(*blocks[-1])
    return gaps[:limit]


def _onward(counts: Counts, start: Counted) -> Counts:
    return Counts(
        [
            *counts.conditions,
            # The first alone is what the index knows.
            "cli_instance_id >= {gap_from_instance:String}",
            "(cli_instance_id > {gap_from_instance:String} OR client_seq >= {gap_from_seq:Int64})",
        ],
        {
            **counts.parameters,
            "gap_from_instance": start.cli_instance_id,
            "gap_from_seq": start.client_seq,
        },
    )


def _found(
    connection: Connection,
    counts: Counts,
    reach: Reach,
    order: str,
    blocks_max: int,
    gaps_max: int,
) -> tuple[list[Gap], list[tuple[str, int]]]:
    """Gaps in no order, and where each block that was looked at ends.

    All of the first `blocks_max` blocks, but of those inside blocks the first `gaps_max` only.
    """
    # Nearly all counts arrive, so the holes are found block by block, and only where a block has
    # one its counts are looked at one by one.
    blocks = connection.rows(_suspects(counts, reach, order, blocks_max))
    gaps = [Gap(*gap) for gap, _, _ in blocks if gap[0]]
    holed = [block for _, block, _ in blocks if block[0]]
    if holed:
        rows = connection.rows(_inside(counts, holed, reach, order, gaps_max))
        gaps += (Gap(*row) for row in rows)
    return gaps, [end for _, _, end in blocks]


# So many counts make a block: as many as the table reads at once.
_BLOCK: Final = 1024
# Their names go into one parameter, which takes 128 KiB.
_BLOCKS_MAX: Final = 1_000
_BY_TIME: Final = "from_us, cli_instance_id"
_BY_COUNT: Final = "cli_instance_id"
_TOUCHES: Final = "{0} <= {{gap_until:Int64}} AND {1} >= {{gap_since:Int64}}"


def _suspects(counts: Counts, reach: Reach, order: str, limit: int) -> Statement:
    """The gap before each block, the block if it has holes, and where it ends.

    '' in place of what has none.
    """
    blocks = (
        f"SELECT cli_instance_id, intDiv(client_seq, {_BLOCK}) AS block,"
        " min(client_seq) AS lowest, max(client_seq) AS highest,"
        # A count may stand in several parts of the table: it is the different ones that count.
        f" groupBitmap(toUInt32(client_seq % {_BLOCK})) AS arrived,"
        " min(toUnixTimestamp64Micro(occurred_at)) AS since_us,"
        " max(toUnixTimestamp64Micro(occurred_at)) AS until_us,"
        " argMin(toUnixTimestamp64Micro(occurred_at), client_seq) AS lowest_us,"
        " argMax(toUnixTimestamp64Micro(occurred_at), client_seq) AS highest_us"
        f" FROM {ddl.CLIENT_SEQS.name} WHERE {' AND '.join(counts.conditions)}"
        " GROUP BY cli_instance_id, block"
    )
    paired = (
        "SELECT *, first_value(highest) OVER pair AS previous,"
        " first_value(highest_us) OVER pair AS previous_us,"
        " least(previous_us, lowest_us) AS from_us, greatest(previous_us, lowest_us) AS to_us,"
        # Of the first block there is none before.
        " row_number() OVER (PARTITION BY cli_instance_id ORDER BY block) > 1"
        f" AND lowest - previous > 1 AND {_TOUCHES.format('from_us', 'to_us')} AS is_apart,"
        f" arrived < highest - lowest + 1 AND {_TOUCHES.format('since_us', 'until_us')} AS is_holed"
        f" FROM ({blocks})"
        " WINDOW pair AS (PARTITION BY cli_instance_id ORDER BY block"
        " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"
    )
    return Statement(
        "SELECT (if(is_apart, cli_instance_id, ''), previous + 1, lowest - 1, from_us, to_us),"
        f" (if(is_holed, cli_instance_id, ''), block), (cli_instance_id, highest)"
        f" FROM ({paired}) WHERE is_apart OR is_holed ORDER BY {order}, block"
        " LIMIT {gap_limit:UInt32}",
        _parameters(counts, reach, limit),
    )


def _inside(
    counts: Counts, blocks: Sequence[tuple[str, int]], reach: Reach, order: str, limit: int
) -> Statement:
    """The gaps inside these blocks."""
    arrived = (
        "SELECT cli_instance_id, client_seq,"
        " toUnixTimestamp64Micro(min(occurred_at)) AS at_us"
        f" FROM {ddl.CLIENT_SEQS.name} WHERE {' AND '.join(counts.conditions)}"
        f" AND (cli_instance_id, intDiv(client_seq, {_BLOCK})) IN"
        " {gap_blocks:Array(Tuple(String, Int64))}"
        " GROUP BY cli_instance_id, client_seq"
    )
    pairs = (
        f"SELECT cli_instance_id, {_PREVIOUS.format('client_seq')} AS seq_before,"
        f" client_seq, {_PREVIOUS.format('at_us')} AS before_us, at_us,"
        " least(before_us, at_us) AS from_us, greatest(before_us, at_us) AS to_us"
        f" FROM ({arrived})"
        f" WINDOW counted AS (PARTITION BY cli_instance_id, intDiv(client_seq, {_BLOCK})"
        " ORDER BY client_seq ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"
    )
    return Statement(
        "SELECT cli_instance_id, seq_before + 1, client_seq - 1, from_us, to_us"
        f" FROM ({pairs}) WHERE client_seq - seq_before > 1"
        f" AND {_TOUCHES.format('from_us', 'to_us')}"
        f" ORDER BY {order}, seq_before LIMIT {{gap_limit:UInt32}}",
        {**_parameters(counts, reach, limit), "gap_blocks": list(blocks)},
    )


def _parameters(counts: Counts, reach: Reach, limit: int) -> dict[str, Any]:
    return {
        **counts.parameters,
        "gap_since": reach.start,
        "gap_until": reach.end,
        "gap_limit": limit,
    }


# Of the first count seen there is none before: itself, so that it makes no hole.
_PREVIOUS: Final = "first_value({}) OVER counted"
