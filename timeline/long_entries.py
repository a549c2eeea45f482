"""Entries that took longer than a day, by their end; filled from entries.

Whoever was at work in a period may have started long before it. Without this, each search for them
would read all that started in the weeks before, for the few that lasted.

Must stay true: it holds every closed revision of what took longer than LONG_US, whenever it came:
the view copies from each insert into `entries`, in the same insert.
"""

from dataclasses import replace
from typing import Final

from schemas.limits import US_PER_S
from timeline import ddl
from timeline.column import TIME, Table
from timeline.entry_times import ENTRY_TIMES

LONG_US: Final = 24 * 3_600 * US_PER_S

# What `spans.py` reads, and what its callers look at.
_NAMES: Final = frozenset(
    (
        *("organization", "workspace", "kind", "id", "occurred_at", "ended_at", "is_open"),
        *("actor", "actor_kind", "hostname", "cli_instance_id", "revision"),
    )
)
_COLUMNS: Final = tuple(column for column in ENTRY_TIMES.columns if column.name in _NAMES)
assert len(_COLUMNS) == len(_NAMES), "a column was renamed"
LONG_ENTRIES: Final = Table(
    name="long_entries",
    comment="Entries that took longer than a day, by their end; filled from entries",
    columns=tuple(
        # A key cannot be null, and these have an end.
        replace(column, type=TIME) if column.name == "ended_at" else column
        for column in _COLUMNS
    ),
    engine="ReplacingMergeTree(revision)",
    partition_by=ddl.ENTRIES.partition_by,
    order_by="(organization, ended_at, workspace, kind, occurred_at, id)",
    settings=ddl.ENTRY_IDS.settings,
    settings_embedded=ddl.ENTRY_IDS.settings_embedded,
)
_COPIED: Final = (
    "SELECT "
    + ", ".join(
        "assumeNotNull(ended_at) AS ended_at" if column.name == "ended_at" else f"`{column.name}`"
        for column in _COLUMNS
    )
    + f" FROM {ddl.ENTRIES.name}"
    # As numbers: no time, whatever it says, is to be too late to add a day to.
    " WHERE toUnixTimestamp64Micro(entries.ended_at) - toUnixTimestamp64Micro(occurred_at)"
    f" > {LONG_US}"
)
LONG_ENTRIES_VIEW: Final = (
    f"CREATE MATERIALIZED VIEW IF NOT EXISTS {LONG_ENTRIES.name}_view"
    f" TO {LONG_ENTRIES.name} AS {_COPIED}"
)
# For the rows that were there before the view; once more changes nothing.
LONG_ENTRIES_FILL: Final = f"INSERT INTO {LONG_ENTRIES.name} {_COPIED}"
