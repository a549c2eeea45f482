"""The tables of the timeline store: the same on a ClickHouse server and on chDB.

Must stay true:
- What a table is sorted by never changes for a row that exists: the start of a record is fixed by
  its first snapshot, so two revisions of an entry always meet in one partition and one place.
- Every table stands repetition: the same rows again, under whatever deduplication token, read the
  same. Hence no sum() anywhere, only replacing, min, max and sets.
- Strings are plain; '' is "not known". Times are UTC microseconds.
"""

from collections.abc import Mapping
from typing import Final

from schemas.kinds import Kind
from schemas.records import COMMON_FIELDS, ColumnType, OwnField, own_columns
from timeline.column import DELTA, FEW_VALUES, TIME, Column, Index, Table

# How many of the last inserts a table remembers by their tokens. The default of a plain MergeTree
# is 0: tokens would do nothing. Far above what is ever replayed at once.
DEDUPLICATION_WINDOW: Final = 10_000

_SETTINGS: Final[Mapping[str, int]] = {
    "non_replicated_deduplication_window": DEDUPLICATION_WINDOW,
    "replicated_deduplication_window": DEDUPLICATION_WINDOW,
    "index_granularity": 1024,
    # Written out because their defaults differ between versions.
    "parts_to_delay_insert": 1_000,
    "parts_to_throw_insert": 3_000,
}
# What is read from a hundred places costs a compressed block of every column for each.
_SMALL_BLOCKS: Final[Mapping[str, int]] = {
    "min_compress_block_size": 4_096,
    "max_compress_block_size": 16_384,
}
# A page is a hundred rows from a hundred places, and each costs a granule and a compressed block of
# every column: small ones read three times as fast and take a tenth more room (decision 0011).
_SCATTERED: Final[Mapping[str, int]] = {
    "index_granularity": 256,
    **_SMALL_BLOCKS,
    # A month that nothing reaches any more becomes one part, in which FINAL has nothing to do.
    "min_age_to_force_merge_seconds": 6 * 3_600,
    "min_age_to_force_merge_on_partition_only": 1,
}
# chDB has no replica to fetch from after a power loss, and its log moves on after the insert.
_FSYNC: Final[Mapping[str, int]] = {"fsync_after_insert": 1, "fsync_part_directory": 1}

# The hours since 1970. Not toStartOfHour, which has 32 bits: past February 2106 it starts anew in
# ClickHouse 26.7 and stands still in 26.9, and a key must not change with the version. A statement
# has to state it beside the time: the index does not see by itself that the one follows the other.
HOUR: Final = "intDiv(toUnixTimestamp64Micro(occurred_at), 3600000000)"

_COMMON_COMMENTS: Final[Mapping[str, str]] = {
    "user": "User name the sender claims; the actor is taken from the key",
    "os_user": "Operating system user on the sending machine",
    "hostname": "Machine the CLI ran on",
    "cli_instance_id": "CLI installation that reported the record",
    "cli_version": "Version of that CLI",
    "reason": "Why this was done, as stated",
    "ticket": "Change or incident number, as stated",
}
_OWN_TYPES: Final[Mapping[ColumnType, str]] = {
    "string": "String",
    "integer": "Nullable(Int64)",
    "boolean": "Nullable(Bool)",
}


def own_column(own: OwnField) -> Column:
    """The column of a kind's own field."""
    return Column(own.column, _OWN_TYPES[own.type], own.comment or own.path)


OWN_COLUMNS: Final = tuple(map(own_column, own_columns().values()))
COMMON_COLUMNS: Final = tuple(
    Column(name, "String", _COMMON_COMMENTS.get(name, name)) for name in COMMON_FIELDS
)
CONFIGURED_BY_COLUMNS: Final = (
    Column("configured_by_sync_id", "String", "Sync in force at the start; empty: none known"),
    Column("configured_by_commit", "String", "Commit that sync brought"),
    Column("configured_by_branch", "String", "Branch that sync brought"),
    Column("configured_by_confidence", FEW_VALUES, "exact or likely"),
    Column("configured_by_behind", "Bool", "Whether the workspace was already at another commit"),
    Column("configured_by_explanation", "String", "Why this sync, in a sentence"),
)
LINK_ORIGIN: Final = Column(
    "link_origin", f"Array({FEW_VALUES})", "What the records of each link have in common, if any"
)
# One element a link, in the same place of each: an entry changes together with its links.
LINK_COLUMNS: Final = (
    Column("link_rule", f"Array({FEW_VALUES})", "Rule of each link"),
    Column("link_target_kind", f"Array({FEW_VALUES})", "Kind of the record each link points to"),
    Column("link_target_id", "Array(String)", "Id of the record each link points to"),
    Column("link_confidence", f"Array({FEW_VALUES})", "exact or likely, of each link"),
    Column("link_gap_ms", "Array(Nullable(Int64))", "Gap of each link; rules after and before"),
    # Of rows that versions before migration 7 wrote; the others' sentences are made when read.
    Column(
        "link_explanation", "Array(String)", "Why each link, in a sentence; empty: as origin says"
    ),
    LINK_ORIGIN,
)
# The three names of a host in one place: a search looks for any of them.
HOSTS: Final = "[host_inventory_name, host_ansible_host, host_hostname_reported]"
# SHAs that are kept have at least so many digits.
SHA_DIGITS_MIN: Final = 7
COMMITS: Final = (
    "["
    + ", ".join(
        f"substring({column}, 1, {SHA_DIGITS_MIN})"
        for column in ("commit_sha", "git_after_sha", "configured_by_commit")
    )
    + "]"
)
# The end of a closed record; an open one has its start here, or it would widen every index entry it
# is in. Not as ifNull(…) alone: the engine rewrites that in a statement, and no longer knows the
# expression of its index.
END_AT: Final = "addDays(ifNull(ended_at, occurred_at), 0)"
# About 1,000 rows an index entry: what belongs together stands together, so most are skipped.
_SKIPPED_TOGETHER: Final = 4
_SEARCHED: Final = (
    *("actor", "user", "os_user", "hostname", "cli_instance_id", "ticket", "block_version"),
)
# The text filters that have an index.
INDEXED: Final = frozenset((*_SEARCHED, "host"))


def searched_index(name: str, together: int = _SKIPPED_TOGETHER) -> Index:
    """For a column that is searched for some values."""
    return Index(f"by_{name}", f"`{name}`", "bloom_filter(0.01)", together)


def end_index(together: int = _SKIPPED_TOGETHER) -> Index:
    """For whoever was still at work at a time."""
    return Index("by_end", END_AT, "minmax", together)


ENTRIES: Final = Table(
    name="entries",
    comment="The timeline: each record with its links; the highest revision counts",
    columns=(
        Column("organization", "String", "Organization the record belongs to"),
        Column("workspace", "String", "Workspace the record belongs to"),
        Column("kind", FEW_VALUES, ", ".join(Kind)),
        Column("id", "String", "Id of the record, as its sender gave it"),
        Column("occurred_at", TIME, "Start of the record; never changes", DELTA),
        Column("ended_at", f"Nullable({TIME})", "End; null while open, and for syncs"),
        Column("duration_ms", "Nullable(Int64)", "End minus start in whole milliseconds"),
        Column("is_open", "Bool", "Whether the end is still missing"),
        Column("status", FEW_VALUES, "Status as folded; lost is derived when reading"),
        Column("actor", "String", "Owner of the key that sent the first snapshot"),
        Column("actor_kind", FEW_VALUES, "person or service"),
        Column("key_id", "String", "Key that sent the closing snapshot, else the first"),
        *COMMON_COLUMNS,
        *OWN_COLUMNS,
        *CONFIGURED_BY_COLUMNS,
        *LINK_COLUMNS,
        Column("links_omitted", "Bool", "Whether there were more links than are kept"),
        Column("unexplained", "Nullable(Bool)", "Session without a run of its origin nearby"),
        Column("flags", f"Array({FEW_VALUES})", "What is remarkable about the record"),
        Column("received_at", TIME, "When the first snapshot arrived", DELTA),
        Column("revision", "UInt64", "Version of this entry; the highest counts", DELTA),
    ),
    engine="ReplacingMergeTree(revision)",
    partition_by="toYYYYMM(occurred_at)",
    order_by=f"(organization, workspace, {HOUR}, kind, occurred_at, id)",
    indexes=(
        *map(searched_index, _SEARCHED),
        Index("by_host", HOSTS, "bloom_filter(0.01)", _SKIPPED_TOGETHER),
        Index("by_commit", COMMITS, "bloom_filter(0.01)", _SKIPPED_TOGETHER),
        Index("by_flag", "flags", "bloom_filter(0.01)", _SKIPPED_TOGETHER),
        end_index(),
    ),
    settings={**_SETTINGS, **_SCATTERED},
    settings_embedded=_FSYNC,
)
ENTRY_IDS: Final = Table(
    name="entry_ids",
    comment="Where the entry of an id stands; filled from entries",
    columns=(
        Column("organization", "String", "Organization the record belongs to"),
        Column("id", "String", "Id of the record"),
        Column("kind", FEW_VALUES, "Kind of the record"),
        Column("workspace", "String", "Workspace the record belongs to"),
        Column("occurred_at", TIME, "Start of the record; never changes"),
    ),
    engine="ReplacingMergeTree",
    order_by="(organization, id, kind, workspace)",
    settings={**_SETTINGS, **_SMALL_BLOCKS},
    settings_embedded=_FSYNC,
)
ENTRY_IDS_VIEW: Final = (
    "CREATE MATERIALIZED VIEW IF NOT EXISTS entry_ids_view TO entry_ids AS "
    "SELECT organization, id, kind, workspace, occurred_at FROM entries"
)
# For tables that were there before; parts that are there are rewritten as they merge.
ENTRY_IDS_SMALL_BLOCKS: Final = (
    f"ALTER TABLE {ENTRY_IDS.name} MODIFY SETTING"
    f" {', '.join(f'{name} = {value}' for name, value in _SMALL_BLOCKS.items())}"
)
OBSERVATIONS: Final = Table(
    name="cli_observations",
    comment="Every sighting of a CLI instance",
    columns=(
        Column("organization", "String", "Organization the instance was seen in"),
        Column("cli_instance_id", "String", "The instance"),
        Column("observed_at", TIME, "When it was seen"),
        Column("is_sighting", "Bool", "False: only moves first_seen back"),
        Column("actor", "String", "Owner of the key that reported it"),
        Column("cli_version", "String", "Its version then; empty: not stated"),
        Column("hostname", "String", "Its machine then; empty: not stated"),
        Column("os", "String", "Operating system then; empty: not stated"),
        Column("arch", "String", "Processor architecture then; empty: not stated"),
    ),
    engine="ReplacingMergeTree",
    order_by="(organization, cli_instance_id, observed_at, is_sighting, actor, cli_version,"
    " hostname, os, arch)",
    settings=_SETTINGS,
    settings_embedded=_FSYNC,
)
# The latest value with its time: the later wins, at equal times the higher value. A row that does
# not state the value holds the epoch and '', which any statement beats.
_LATEST: Final = f"SimpleAggregateFunction(max, Tuple({TIME}, String))"
INSTANCES: Final = Table(
    name="cli_instances",
    comment="The register of CLI instances by version; filled from cli_observations",
    columns=(
        Column("organization", "String", "Organization the instance was seen in"),
        Column("cli_instance_id", "String", "The instance"),
        Column("cli_version", "String", "Version it was seen with; empty: none stated"),
        Column(
            "first_seen",
            f"SimpleAggregateFunction(min, {TIME})",
            "Earliest moment it is known for, with or without a sighting",
        ),
        Column(
            "first_sighting",
            f"SimpleAggregateFunction(min, {TIME})",
            "Earliest sighting with this version; the year 2200: none",
        ),
        Column(
            "last_sighting",
            f"SimpleAggregateFunction(max, {TIME})",
            "Latest sighting with this version; the epoch: none",
        ),
        Column("latest_hostname", _LATEST, "When a machine was last stated, and which"),
        Column("latest_os", _LATEST, "When an operating system was last stated, and which"),
        Column("latest_arch", _LATEST, "When an architecture was last stated, and which"),
        Column(
            "actors",
            "SimpleAggregateFunction(groupUniqArrayArray, Array(String))",
            "Everybody who was seen with it",
        ),
    ),
    engine="AggregatingMergeTree",
    order_by="(organization, cli_instance_id, cli_version)",
    settings=_SETTINGS,
    settings_embedded=_FSYNC,
)


def _latest(column: str) -> str:
    stated = f"is_sighting AND {column} != ''"
    return f"max(if({stated}, (observed_at, {column}), ({_EPOCH}, ''))) AS latest_{column}"


_EPOCH: Final = "toDateTime64(0, 6, 'UTC')"
NEVER: Final = "toDateTime64('2200-01-01 00:00:00', 6, 'UTC')"
INSTANCES_VIEW: Final = (
    "CREATE MATERIALIZED VIEW IF NOT EXISTS cli_instances_view TO cli_instances AS SELECT "
    "organization, cli_instance_id, cli_version, min(observed_at) AS first_seen, "
    f"min(if(is_sighting, observed_at, {NEVER})) AS first_sighting, "
    f"max(if(is_sighting, observed_at, {_EPOCH})) AS last_sighting, "
    f"{_latest('hostname')}, {_latest('os')}, {_latest('arch')}, "
    "groupUniqArray(actor) AS actors "
    "FROM cli_observations GROUP BY organization, cli_instance_id, cli_version"
)
WORKSPACES: Final = Table(
    name="workspaces",
    comment="What administrators say about workspaces; mirrors the control database",
    columns=(
        Column("organization", "String", "Organization the workspace belongs to"),
        Column("name", "String", "Name of the workspace"),
        Column("environment", "String", "Environment it is labelled with; empty: none"),
        Column("labels", "Map(String, String)", "Further labels"),
        Column("deploy_actions", "Nullable(String)", "JSON list; null: the installation's"),
        Column("registered_at", TIME, "When the first event named it, or somebody labelled it"),
        Column("version", "UInt64", "When this was said, in microseconds; the highest counts"),
    ),
    engine="ReplacingMergeTree(version)",
    order_by="(organization, name)",
    settings=_SETTINGS,
    settings_embedded=_FSYNC,
)
WATERMARKS: Final = Table(
    name="watermarks",
    comment="Up to where the timeline is complete, by partition of the log",
    columns=(
        Column("generation", "UInt16", "Generation of the timeline"),
        Column("partition", "UInt32", "Partition of the log"),
        Column(
            "offset",
            "SimpleAggregateFunction(max, Int64)",
            "Highest offset whose changes are all inserted; -1: none yet",
        ),
        Column(
            "complete_until",
            f"SimpleAggregateFunction(max, {TIME})",
            "All that was accepted before is inserted; the epoch: not known",
        ),
    ),
    engine="AggregatingMergeTree",
    order_by="(generation, partition)",
    settings=_SETTINGS,
    settings_embedded=_FSYNC,
)
SNAPSHOTS: Final = Table(
    name="snapshots",
    comment="What was received, as received; one row an event",
    columns=(
        Column("organization", "String", "Organization of the key that sent it"),
        Column("workspace", "String", "Workspace it names; empty: of a CLI instance"),
        Column("kind", FEW_VALUES, "Type of the event: a kind of record, or cli_instance"),
        Column("id", "String", "Id of the record or CLI instance"),
        Column("received_at", TIME, "When it arrived", DELTA),
        Column("partition", "UInt32", "Partition of audit.events it came by"),
        Column("offset", "Int64", "Offset of its envelope there", DELTA),
        Column("index", "UInt32", "Its place in that envelope, from 0"),
        Column("occurred_at", TIME, "Its latest own time; of none, when it arrived", DELTA),
        Column("actor", "String", "Owner of the key that sent it"),
        Column("actor_kind", FEW_VALUES, "person or service"),
        Column("key_id", "String", "Key that sent it"),
        Column("cli_instance_id", "String", "CLI installation it names"),
        Column("client_seq", "Nullable(Int64)", "Count of the events of that installation"),
        Column("dead_reason", FEW_VALUES, "Why it became a dead letter; empty: it was used"),
        Column("event", "String", "The event as JSON, under the contract's names"),
    ),
    engine="ReplacingMergeTree",
    partition_by="toYYYYMM(received_at)",
    order_by="(organization, workspace, kind, id, partition, offset, index)",
    settings=_SETTINGS,
    settings_embedded=_FSYNC,
)
CLIENT_SEQS: Final = Table(
    name="client_seqs",
    comment="Which counts of a CLI instance arrived; filled from snapshots. A hole is a loss",
    columns=(
        Column("organization", "String", "Organization the instance sends to"),
        Column("cli_instance_id", "String", "The instance"),
        Column("client_seq", "Int64", "A count that arrived", DELTA),
        Column(
            "occurred_at",
            f"SimpleAggregateFunction(min, {TIME})",
            "Latest own time of the event that carried it",
            DELTA,
        ),
    ),
    engine="AggregatingMergeTree",
    order_by="(organization, cli_instance_id, client_seq)",
    settings=_SETTINGS,
    settings_embedded=_FSYNC,
)
CLIENT_SEQS_VIEW: Final = (
    "CREATE MATERIALIZED VIEW IF NOT EXISTS client_seqs_view TO client_seqs AS "
    "SELECT organization, cli_instance_id, assumeNotNull(client_seq) AS client_seq, occurred_at "
    "FROM snapshots WHERE cli_instance_id != '' AND client_seq IS NOT NULL"
)
DEAD_LETTERS: Final = Table(
    name="dead_letters",
    comment="Snapshots that could not be used, by time; filled from snapshots",
    columns=SNAPSHOTS.columns,
    engine="ReplacingMergeTree",
    partition_by="toYYYYMM(received_at)",
    order_by="(organization, received_at, partition, offset, index)",
    settings=_SETTINGS,
    settings_embedded=_FSYNC,
)
DEAD_LETTERS_VIEW: Final = (
    "CREATE MATERIALIZED VIEW IF NOT EXISTS dead_letters_view TO dead_letters AS "
    "SELECT * FROM snapshots WHERE dead_reason != ''"
)
WORKSPACE_REGISTER: Final = Table(
    name="workspace_register",
    comment="Every workspace that has a record; filled from entries",
    columns=(
        Column("organization", "String", "Organization the workspace belongs to"),
        Column("name", "String", "Name of the workspace"),
        Column(
            "registered_at",
            f"SimpleAggregateFunction(min, {TIME})",
            "When the first of its records arrived",
        ),
    ),
    engine="AggregatingMergeTree",
    order_by="(organization, name)",
    settings=_SETTINGS,
    settings_embedded=_FSYNC,
)
_REGISTERED: Final = (
    "SELECT organization, workspace AS name, min(received_at) AS registered_at"
    " FROM entries GROUP BY organization, name"
)
WORKSPACE_REGISTER_VIEW: Final = (
    "CREATE MATERIALIZED VIEW IF NOT EXISTS workspace_register_view TO workspace_register AS "
    + _REGISTERED
)
# For the rows that were there before the view; once more changes nothing.
WORKSPACE_REGISTER_FILL: Final = f"INSERT INTO workspace_register {_REGISTERED}"
