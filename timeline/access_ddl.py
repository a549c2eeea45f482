"""The table of the access log: who looked at the audit trail, and who changed who may.

Must stay true: not among the tables of the SQL views. An access may stand there at two revisions,
and each row any number of times; the highest revision counts. What it is sorted by never changes.
"""

from typing import Final

from timeline.column import DELTA, FEW_VALUES, TIME, Column, Table
from timeline.ddl import DEDUPLICATION_WINDOW

# The hours since 1970; see HOUR in ddl.py.
ACCESS_HOUR: Final = "intDiv(toUnixTimestamp64Micro(at), 3600000000)"

ACCESS_LOG: Final = Table(
    name="access_log",
    comment="Who used the audit trail; the highest revision counts",
    columns=(
        Column("organization", "String", "Organization of the key; empty: of the installation"),
        Column("at", TIME, "When the request arrived", DELTA),
        Column("id", "String", "Id of the access"),
        Column("revision", "UInt8", "0: as it began, 1: as it ended"),
        Column("actor", "String", "Owner of the key"),
        Column("actor_kind", FEW_VALUES, "person or service"),
        Column("key_id", "String", "The key"),
        Column("action", FEW_VALUES, "read, export, sql, write or authentication_failed"),
        Column("operation", FEW_VALUES, "Method and template of the path"),
        Column("target", "String", "What was asked for, as a JSON object"),
        Column("status", "Nullable(UInt16)", "Status of the HTTP answer; null: not known"),
        Column("rows", "Nullable(UInt64)", "How many items or rows were given out, where known"),
        Column("request_id", "String", "Id of the request, as the answer named it"),
        Column("client", "String", "Address the request came from"),
        Column("count", "UInt64", "1; of failed authentications, how many"),
    ),
    engine="ReplacingMergeTree(revision)",
    partition_by="toYYYYMM(at)",
    order_by=f"(organization, {ACCESS_HOUR}, at, id)",
    settings={
        "non_replicated_deduplication_window": DEDUPLICATION_WINDOW,
        "replicated_deduplication_window": DEDUPLICATION_WINDOW,
        "index_granularity": 1024,
        # Written out because their defaults differ between versions.
        "parts_to_delay_insert": 1_000,
        "parts_to_throw_insert": 3_000,
    },
    # As for the other tables: what drains the log moves on after the insert.
    settings_embedded={"fsync_after_insert": 1, "fsync_part_directory": 1},
)
