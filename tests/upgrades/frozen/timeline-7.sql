CREATE TABLE migrations (
  `number` UInt32 COMMENT 'Number of the migration' CODEC(ZSTD(1)),
  `name` String COMMENT 'What it was about' CODEC(ZSTD(1)),
  `applied_at` DateTime64(6, 'UTC') COMMENT 'When it was first run' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree ORDER BY number SETTINGS non_replicated_deduplication_window = 10000 COMMENT 'Which migrations were run';

CREATE TABLE entries (
  `organization` String COMMENT 'Organization the record belongs to' CODEC(ZSTD(1)),
  `workspace` String COMMENT 'Workspace the record belongs to' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'action_run, ssh_session, workspace_sync' CODEC(ZSTD(1)),
  `id` String COMMENT 'Id of the record, as its sender gave it' CODEC(ZSTD(1)),
  `occurred_at` DateTime64(6, 'UTC') COMMENT 'Start of the record; never changes' CODEC(Delta(8), ZSTD(1)),
  `ended_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'End; null while open, and for syncs' CODEC(ZSTD(1)),
  `duration_ms` Nullable(Int64) COMMENT 'End minus start in whole milliseconds' CODEC(ZSTD(1)),
  `is_open` Bool COMMENT 'Whether the end is still missing' CODEC(ZSTD(1)),
  `status` LowCardinality(String) COMMENT 'Status as folded; lost is derived when reading' CODEC(ZSTD(1)),
  `actor` String COMMENT 'Owner of the key that sent the first snapshot' CODEC(ZSTD(1)),
  `actor_kind` LowCardinality(String) COMMENT 'person or service' CODEC(ZSTD(1)),
  `key_id` String COMMENT 'Key that sent the closing snapshot, else the first' CODEC(ZSTD(1)),
  `user` String COMMENT 'User name the sender claims; the actor is taken from the key' CODEC(ZSTD(1)),
  `os_user` String COMMENT 'Operating system user on the sending machine' CODEC(ZSTD(1)),
  `hostname` String COMMENT 'Machine the CLI ran on' CODEC(ZSTD(1)),
  `cli_instance_id` String COMMENT 'CLI installation that reported the record' CODEC(ZSTD(1)),
  `cli_version` String COMMENT 'Version of that CLI' CODEC(ZSTD(1)),
  `reason` String COMMENT 'Why this was done, as stated' CODEC(ZSTD(1)),
  `ticket` String COMMENT 'Change or incident number, as stated' CODEC(ZSTD(1)),
  `block` String COMMENT 'Name of the block instance in the workspace' CODEC(ZSTD(1)),
  `block_from` String COMMENT 'Block reference as sent, with registry and version' CODEC(ZSTD(1)),
  `block_name` String COMMENT 'Block reference without its version' CODEC(ZSTD(1)),
  `block_version` String COMMENT 'Version of the block: tag, else digest, else as stated' CODEC(ZSTD(1)),
  `action` String COMMENT 'Name of the action, such as deploy or restart' CODEC(ZSTD(1)),
  `exit_code` Nullable(Int64) COMMENT 'Exit code; null while open or unknown' CODEC(ZSTD(1)),
  `commit_sha` String COMMENT 'Commit the run itself stated' CODEC(ZSTD(1)),
  `retriggered_from` String COMMENT 'Id of the run this one repeats' CODEC(ZSTD(1)),
  `host_inventory_name` String COMMENT 'The host\'s name in the inventory' CODEC(ZSTD(1)),
  `host_ansible_host` String COMMENT 'The address the inventory gives for the host' CODEC(ZSTD(1)),
  `host_hostname_reported` String COMMENT 'What the host calls itself' CODEC(ZSTD(1)),
  `result` String COMMENT 'success, failed or conflict' CODEC(ZSTD(1)),
  `git_branch` String COMMENT 'Branch that was synced' CODEC(ZSTD(1)),
  `git_before_sha` String COMMENT 'Commit before the sync' CODEC(ZSTD(1)),
  `git_after_sha` String COMMENT 'Commit after the sync' CODEC(ZSTD(1)),
  `encryption_enabled` Nullable(Bool) COMMENT 'Whether the workspace was encrypted' CODEC(ZSTD(1)),
  `encryption_key_id` String COMMENT 'Public key the secrets are encrypted for' CODEC(ZSTD(1)),
  `encryption_status` String COMMENT 'State of the encryption as reported' CODEC(ZSTD(1)),
  `configured_by_sync_id` String COMMENT 'Sync in force at the start; empty: none known' CODEC(ZSTD(1)),
  `configured_by_commit` String COMMENT 'Commit that sync brought' CODEC(ZSTD(1)),
  `configured_by_branch` String COMMENT 'Branch that sync brought' CODEC(ZSTD(1)),
  `configured_by_confidence` LowCardinality(String) COMMENT 'exact or likely' CODEC(ZSTD(1)),
  `configured_by_behind` Bool COMMENT 'Whether the workspace was already at another commit' CODEC(ZSTD(1)),
  `configured_by_explanation` String COMMENT 'Why this sync, in a sentence' CODEC(ZSTD(1)),
  `link_rule` Array(LowCardinality(String)) COMMENT 'Rule of each link' CODEC(ZSTD(1)),
  `link_target_kind` Array(LowCardinality(String)) COMMENT 'Kind of the record each link points to' CODEC(ZSTD(1)),
  `link_target_id` Array(String) COMMENT 'Id of the record each link points to' CODEC(ZSTD(1)),
  `link_confidence` Array(LowCardinality(String)) COMMENT 'exact or likely, of each link' CODEC(ZSTD(1)),
  `link_gap_ms` Array(Nullable(Int64)) COMMENT 'Gap of each link; rules after and before' CODEC(ZSTD(1)),
  `link_explanation` Array(String) COMMENT 'Why each link, in a sentence; empty: as origin says' CODEC(ZSTD(1)),
  `link_origin` Array(LowCardinality(String)) COMMENT 'What the records of each link have in common, if any' CODEC(ZSTD(1)),
  `links_omitted` Bool COMMENT 'Whether there were more links than are kept' CODEC(ZSTD(1)),
  `unexplained` Nullable(Bool) COMMENT 'Session without a run of its origin nearby' CODEC(ZSTD(1)),
  `flags` Array(LowCardinality(String)) COMMENT 'What is remarkable about the record' CODEC(ZSTD(1)),
  `received_at` DateTime64(6, 'UTC') COMMENT 'When the first snapshot arrived' CODEC(Delta(8), ZSTD(1)),
  `revision` UInt64 COMMENT 'Version of this entry; the highest counts' CODEC(Delta(8), ZSTD(1)),
  INDEX by_actor `actor` TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_user `user` TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_os_user `os_user` TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_hostname `hostname` TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_cli_instance_id `cli_instance_id` TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_ticket `ticket` TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_block_version `block_version` TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_host [host_inventory_name, host_ansible_host, host_hostname_reported] TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_commit [substring(commit_sha, 1, 7), substring(git_after_sha, 1, 7), substring(configured_by_commit, 1, 7)] TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_flag flags TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_end addDays(ifNull(ended_at, occurred_at), 0) TYPE minmax GRANULARITY 4
) ENGINE = ReplacingMergeTree(revision) PARTITION BY toYYYYMM(occurred_at) ORDER BY (organization, workspace, intDiv(toUnixTimestamp64Micro(occurred_at), 3600000000), kind, occurred_at, id) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 256, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000, min_compress_block_size = 4096, max_compress_block_size = 16384, min_age_to_force_merge_seconds = 21600, min_age_to_force_merge_on_partition_only = 1 COMMENT 'The timeline: each record with its links; the highest revision counts';

CREATE TABLE entry_ids (
  `organization` String COMMENT 'Organization the record belongs to' CODEC(ZSTD(1)),
  `id` String COMMENT 'Id of the record' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'Kind of the record' CODEC(ZSTD(1)),
  `workspace` String COMMENT 'Workspace the record belongs to' CODEC(ZSTD(1)),
  `occurred_at` DateTime64(6, 'UTC') COMMENT 'Start of the record; never changes' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree ORDER BY (organization, id, kind, workspace) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000, min_compress_block_size = 4096, max_compress_block_size = 16384 COMMENT 'Where the entry of an id stands; filled from entries';

CREATE MATERIALIZED VIEW entry_ids_view TO entry_ids AS SELECT organization, id, kind, workspace, occurred_at FROM entries;

CREATE TABLE cli_observations (
  `organization` String COMMENT 'Organization the instance was seen in' CODEC(ZSTD(1)),
  `cli_instance_id` String COMMENT 'The instance' CODEC(ZSTD(1)),
  `observed_at` DateTime64(6, 'UTC') COMMENT 'When it was seen' CODEC(ZSTD(1)),
  `is_sighting` Bool COMMENT 'False: only moves first_seen back' CODEC(ZSTD(1)),
  `actor` String COMMENT 'Owner of the key that reported it' CODEC(ZSTD(1)),
  `cli_version` String COMMENT 'Its version then; empty: not stated' CODEC(ZSTD(1)),
  `hostname` String COMMENT 'Its machine then; empty: not stated' CODEC(ZSTD(1)),
  `os` String COMMENT 'Operating system then; empty: not stated' CODEC(ZSTD(1)),
  `arch` String COMMENT 'Processor architecture then; empty: not stated' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree ORDER BY (organization, cli_instance_id, observed_at, is_sighting, actor, cli_version, hostname, os, arch) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000 COMMENT 'Every sighting of a CLI instance';

CREATE TABLE cli_instances (
  `organization` String COMMENT 'Organization the instance was seen in' CODEC(ZSTD(1)),
  `cli_instance_id` String COMMENT 'The instance' CODEC(ZSTD(1)),
  `cli_version` String COMMENT 'Version it was seen with; empty: none stated' CODEC(ZSTD(1)),
  `first_seen` SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'Earliest moment it is known for, with or without a sighting' CODEC(ZSTD(1)),
  `first_sighting` SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'Earliest sighting with this version; the year 2200: none' CODEC(ZSTD(1)),
  `last_sighting` SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'Latest sighting with this version; the epoch: none' CODEC(ZSTD(1)),
  `latest_hostname` SimpleAggregateFunction(max, Tuple(DateTime64(6, 'UTC'), String)) COMMENT 'When a machine was last stated, and which' CODEC(ZSTD(1)),
  `latest_os` SimpleAggregateFunction(max, Tuple(DateTime64(6, 'UTC'), String)) COMMENT 'When an operating system was last stated, and which' CODEC(ZSTD(1)),
  `latest_arch` SimpleAggregateFunction(max, Tuple(DateTime64(6, 'UTC'), String)) COMMENT 'When an architecture was last stated, and which' CODEC(ZSTD(1)),
  `actors` SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'Everybody who was seen with it' CODEC(ZSTD(1))
) ENGINE = AggregatingMergeTree ORDER BY (organization, cli_instance_id, cli_version) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000 COMMENT 'The register of CLI instances by version; filled from cli_observations';

CREATE MATERIALIZED VIEW cli_instances_view TO cli_instances AS SELECT organization, cli_instance_id, cli_version, min(observed_at) AS first_seen, min(if(is_sighting, observed_at, toDateTime64('2200-01-01 00:00:00', 6, 'UTC'))) AS first_sighting, max(if(is_sighting, observed_at, toDateTime64(0, 6, 'UTC'))) AS last_sighting, max(if(is_sighting AND hostname != '', (observed_at, hostname), (toDateTime64(0, 6, 'UTC'), ''))) AS latest_hostname, max(if(is_sighting AND os != '', (observed_at, os), (toDateTime64(0, 6, 'UTC'), ''))) AS latest_os, max(if(is_sighting AND arch != '', (observed_at, arch), (toDateTime64(0, 6, 'UTC'), ''))) AS latest_arch, groupUniqArray(actor) AS actors FROM cli_observations GROUP BY organization, cli_instance_id, cli_version;

CREATE TABLE workspaces (
  `organization` String COMMENT 'Organization the workspace belongs to' CODEC(ZSTD(1)),
  `name` String COMMENT 'Name of the workspace' CODEC(ZSTD(1)),
  `environment` String COMMENT 'Environment it is labelled with; empty: none' CODEC(ZSTD(1)),
  `labels` Map(String, String) COMMENT 'Further labels' CODEC(ZSTD(1)),
  `deploy_actions` Nullable(String) COMMENT 'JSON list; null: the installation\'s' CODEC(ZSTD(1)),
  `registered_at` DateTime64(6, 'UTC') COMMENT 'When the first event named it, or somebody labelled it' CODEC(ZSTD(1)),
  `version` UInt64 COMMENT 'When this was said, in microseconds; the highest counts' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(version) ORDER BY (organization, name) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000 COMMENT 'What administrators say about workspaces; mirrors the control database';

CREATE TABLE watermarks (
  `generation` UInt16 COMMENT 'Generation of the timeline' CODEC(ZSTD(1)),
  `partition` UInt32 COMMENT 'Partition of the log' CODEC(ZSTD(1)),
  `offset` SimpleAggregateFunction(max, Int64) COMMENT 'Highest offset whose changes are all inserted; -1: none yet' CODEC(ZSTD(1)),
  `complete_until` SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'All that was accepted before is inserted; the epoch: not known' CODEC(ZSTD(1))
) ENGINE = AggregatingMergeTree ORDER BY (generation, partition) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000 COMMENT 'Up to where the timeline is complete, by partition of the log';

CREATE TABLE snapshots (
  `organization` String COMMENT 'Organization of the key that sent it' CODEC(ZSTD(1)),
  `workspace` String COMMENT 'Workspace it names; empty: of a CLI instance' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'Type of the event: a kind of record, or cli_instance' CODEC(ZSTD(1)),
  `id` String COMMENT 'Id of the record or CLI instance' CODEC(ZSTD(1)),
  `received_at` DateTime64(6, 'UTC') COMMENT 'When it arrived' CODEC(Delta(8), ZSTD(1)),
  `partition` UInt32 COMMENT 'Partition of audit.events it came by' CODEC(ZSTD(1)),
  `offset` Int64 COMMENT 'Offset of its envelope there' CODEC(Delta(8), ZSTD(1)),
  `index` UInt32 COMMENT 'Its place in that envelope, from 0' CODEC(ZSTD(1)),
  `occurred_at` DateTime64(6, 'UTC') COMMENT 'Its latest own time; of none, when it arrived' CODEC(Delta(8), ZSTD(1)),
  `actor` String COMMENT 'Owner of the key that sent it' CODEC(ZSTD(1)),
  `actor_kind` LowCardinality(String) COMMENT 'person or service' CODEC(ZSTD(1)),
  `key_id` String COMMENT 'Key that sent it' CODEC(ZSTD(1)),
  `cli_instance_id` String COMMENT 'CLI installation it names' CODEC(ZSTD(1)),
  `client_seq` Nullable(Int64) COMMENT 'Count of the events of that installation' CODEC(ZSTD(1)),
  `dead_reason` LowCardinality(String) COMMENT 'Why it became a dead letter; empty: it was used' CODEC(ZSTD(1)),
  `event` String COMMENT 'The event as JSON, under the contract\'s names' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(received_at) ORDER BY (organization, workspace, kind, id, partition, offset, index) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000 COMMENT 'What was received, as received; one row an event';

CREATE TABLE client_seqs (
  `organization` String COMMENT 'Organization the instance sends to' CODEC(ZSTD(1)),
  `cli_instance_id` String COMMENT 'The instance' CODEC(ZSTD(1)),
  `client_seq` Int64 COMMENT 'A count that arrived' CODEC(Delta(8), ZSTD(1)),
  `occurred_at` SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'Latest own time of the event that carried it' CODEC(Delta(8), ZSTD(1))
) ENGINE = AggregatingMergeTree ORDER BY (organization, cli_instance_id, client_seq) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000 COMMENT 'Which counts of a CLI instance arrived; filled from snapshots. A hole is a loss';

CREATE MATERIALIZED VIEW client_seqs_view TO client_seqs AS SELECT organization, cli_instance_id, assumeNotNull(client_seq) AS client_seq, occurred_at FROM snapshots WHERE cli_instance_id != '' AND client_seq IS NOT NULL;

CREATE TABLE dead_letters (
  `organization` String COMMENT 'Organization of the key that sent it' CODEC(ZSTD(1)),
  `workspace` String COMMENT 'Workspace it names; empty: of a CLI instance' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'Type of the event: a kind of record, or cli_instance' CODEC(ZSTD(1)),
  `id` String COMMENT 'Id of the record or CLI instance' CODEC(ZSTD(1)),
  `received_at` DateTime64(6, 'UTC') COMMENT 'When it arrived' CODEC(Delta(8), ZSTD(1)),
  `partition` UInt32 COMMENT 'Partition of audit.events it came by' CODEC(ZSTD(1)),
  `offset` Int64 COMMENT 'Offset of its envelope there' CODEC(Delta(8), ZSTD(1)),
  `index` UInt32 COMMENT 'Its place in that envelope, from 0' CODEC(ZSTD(1)),
  `occurred_at` DateTime64(6, 'UTC') COMMENT 'Its latest own time; of none, when it arrived' CODEC(Delta(8), ZSTD(1)),
  `actor` String COMMENT 'Owner of the key that sent it' CODEC(ZSTD(1)),
  `actor_kind` LowCardinality(String) COMMENT 'person or service' CODEC(ZSTD(1)),
  `key_id` String COMMENT 'Key that sent it' CODEC(ZSTD(1)),
  `cli_instance_id` String COMMENT 'CLI installation it names' CODEC(ZSTD(1)),
  `client_seq` Nullable(Int64) COMMENT 'Count of the events of that installation' CODEC(ZSTD(1)),
  `dead_reason` LowCardinality(String) COMMENT 'Why it became a dead letter; empty: it was used' CODEC(ZSTD(1)),
  `event` String COMMENT 'The event as JSON, under the contract\'s names' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(received_at) ORDER BY (organization, received_at, partition, offset, index) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000 COMMENT 'Snapshots that could not be used, by time; filled from snapshots';

CREATE MATERIALIZED VIEW dead_letters_view TO dead_letters AS SELECT * FROM snapshots WHERE dead_reason != '';

CREATE TABLE workspace_register (
  `organization` String COMMENT 'Organization the workspace belongs to' CODEC(ZSTD(1)),
  `name` String COMMENT 'Name of the workspace' CODEC(ZSTD(1)),
  `registered_at` SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'When the first of its records arrived' CODEC(ZSTD(1))
) ENGINE = AggregatingMergeTree ORDER BY (organization, name) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000 COMMENT 'Every workspace that has a record; filled from entries';

CREATE MATERIALIZED VIEW workspace_register_view TO workspace_register AS SELECT organization, workspace AS name, min(received_at) AS registered_at FROM entries GROUP BY organization, name;

CREATE TABLE entry_times (
  `organization` LowCardinality(String) COMMENT 'Organization the record belongs to' CODEC(ZSTD(1)),
  `workspace` LowCardinality(String) COMMENT 'Workspace the record belongs to' CODEC(ZSTD(1)),
  `kind` LowCardinality(String) COMMENT 'action_run, ssh_session, workspace_sync' CODEC(ZSTD(1)),
  `id` String COMMENT 'Id of the record, as its sender gave it' CODEC(ZSTD(1)),
  `occurred_at` DateTime64(6, 'UTC') COMMENT 'Start of the record; never changes' CODEC(Delta(8), ZSTD(1)),
  `ended_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'End; null while open, and for syncs' CODEC(ZSTD(1)),
  `duration_ms` Nullable(Int64) COMMENT 'End minus start in whole milliseconds' CODEC(ZSTD(1)),
  `is_open` Bool COMMENT 'Whether the end is still missing' CODEC(ZSTD(1)),
  `status` LowCardinality(String) COMMENT 'Status as folded; lost is derived when reading' CODEC(ZSTD(1)),
  `actor` LowCardinality(String) COMMENT 'Owner of the key that sent the first snapshot' CODEC(ZSTD(1)),
  `actor_kind` LowCardinality(String) COMMENT 'person or service' CODEC(ZSTD(1)),
  `user` String COMMENT 'User name the sender claims; the actor is taken from the key' CODEC(ZSTD(1)),
  `os_user` String COMMENT 'Operating system user on the sending machine' CODEC(ZSTD(1)),
  `hostname` String COMMENT 'Machine the CLI ran on' CODEC(ZSTD(1)),
  `cli_instance_id` String COMMENT 'CLI installation that reported the record' CODEC(ZSTD(1)),
  `ticket` String COMMENT 'Change or incident number, as stated' CODEC(ZSTD(1)),
  `block` LowCardinality(String) COMMENT 'Name of the block instance in the workspace' CODEC(ZSTD(1)),
  `block_name` LowCardinality(String) COMMENT 'Block reference without its version' CODEC(ZSTD(1)),
  `block_version` LowCardinality(String) COMMENT 'Version of the block: tag, else digest, else as stated' CODEC(ZSTD(1)),
  `action` LowCardinality(String) COMMENT 'Name of the action, such as deploy or restart' CODEC(ZSTD(1)),
  `exit_code` Nullable(Int64) COMMENT 'Exit code; null while open or unknown' CODEC(ZSTD(1)),
  `commit_sha` String COMMENT 'Commit the run itself stated' CODEC(ZSTD(1)),
  `host_inventory_name` String COMMENT 'The host\'s name in the inventory' CODEC(ZSTD(1)),
  `host_ansible_host` String COMMENT 'The address the inventory gives for the host' CODEC(ZSTD(1)),
  `host_hostname_reported` String COMMENT 'What the host calls itself' CODEC(ZSTD(1)),
  `git_branch` String COMMENT 'Branch that was synced' CODEC(ZSTD(1)),
  `git_after_sha` String COMMENT 'Commit after the sync' CODEC(ZSTD(1)),
  `configured_by_commit` String COMMENT 'Commit that sync brought' CODEC(ZSTD(1)),
  `unexplained` Nullable(Bool) COMMENT 'Session without a run of its origin nearby' CODEC(ZSTD(1)),
  `flags` Array(LowCardinality(String)) COMMENT 'What is remarkable about the record' CODEC(ZSTD(1)),
  `revision` UInt64 COMMENT 'Version of this entry; the highest counts' CODEC(Delta(8), ZSTD(1)),
  `document` String COMMENT 'The columns of the entry but those of its key, as a JSON list' CODEC(ZSTD(3)) SETTINGS (min_compress_block_size = 65536, max_compress_block_size = 131072),
  INDEX by_end addDays(ifNull(ended_at, occurred_at), 0) TYPE minmax GRANULARITY 32,
  INDEX by_block_version `block_version` TYPE bloom_filter(0.01) GRANULARITY 32
) ENGINE = ReplacingMergeTree(revision) PARTITION BY toYYYYMM(occurred_at) PRIMARY KEY (organization, occurred_at) ORDER BY (organization, occurred_at, kind, id, workspace) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 256, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000, min_compress_block_size = 4096, max_compress_block_size = 16384, min_age_to_force_merge_seconds = 21600, min_age_to_force_merge_on_partition_only = 1 COMMENT 'Entries by time, each with its document; filled from entries';

CREATE MATERIALIZED VIEW entry_times_view TO entry_times AS SELECT `organization`, `workspace`, `kind`, `id`, `occurred_at`, `ended_at`, `duration_ms`, `is_open`, `status`, `actor`, `actor_kind`, `user`, `os_user`, `hostname`, `cli_instance_id`, `ticket`, `block`, `block_name`, `block_version`, `action`, `exit_code`, `commit_sha`, `host_inventory_name`, `host_ansible_host`, `host_hostname_reported`, `git_branch`, `git_after_sha`, `configured_by_commit`, `unexplained`, `flags`, `revision`, multiIf(kind = 'action_run', formatRowNoNewline('JSONCompactEachRow', '8617e763', toUnixTimestamp64Micro(ended_at), `duration_ms`, `is_open`, `status`, `actor`, `actor_kind`, `key_id`, `user`, `os_user`, `hostname`, `cli_instance_id`, `cli_version`, `reason`, `ticket`, `block`, `block_from`, `block_name`, `block_version`, `action`, `exit_code`, `commit_sha`, `retriggered_from`, `configured_by_sync_id`, `configured_by_commit`, `configured_by_branch`, `configured_by_confidence`, `configured_by_behind`, `configured_by_explanation`, `link_rule`, `link_target_kind`, `link_target_id`, `link_confidence`, `link_gap_ms`, `link_explanation`, `link_origin`, `links_omitted`, `unexplained`, `flags`, toUnixTimestamp64Micro(received_at)), kind = 'ssh_session', formatRowNoNewline('JSONCompactEachRow', '33237916', toUnixTimestamp64Micro(ended_at), `duration_ms`, `is_open`, `status`, `actor`, `actor_kind`, `key_id`, `user`, `os_user`, `hostname`, `cli_instance_id`, `cli_version`, `reason`, `ticket`, `exit_code`, `host_inventory_name`, `host_ansible_host`, `host_hostname_reported`, `configured_by_sync_id`, `configured_by_commit`, `configured_by_branch`, `configured_by_confidence`, `configured_by_behind`, `configured_by_explanation`, `link_rule`, `link_target_kind`, `link_target_id`, `link_confidence`, `link_gap_ms`, `link_explanation`, `link_origin`, `links_omitted`, `unexplained`, `flags`, toUnixTimestamp64Micro(received_at)), kind = 'workspace_sync', formatRowNoNewline('JSONCompactEachRow', '8d284c76', toUnixTimestamp64Micro(ended_at), `duration_ms`, `is_open`, `status`, `actor`, `actor_kind`, `key_id`, `user`, `os_user`, `hostname`, `cli_instance_id`, `cli_version`, `reason`, `ticket`, `result`, `git_branch`, `git_before_sha`, `git_after_sha`, `encryption_enabled`, `encryption_key_id`, `encryption_status`, `configured_by_sync_id`, `configured_by_commit`, `configured_by_branch`, `configured_by_confidence`, `configured_by_behind`, `configured_by_explanation`, `link_rule`, `link_target_kind`, `link_target_id`, `link_confidence`, `link_gap_ms`, `link_explanation`, `link_origin`, `links_omitted`, `unexplained`, `flags`, toUnixTimestamp64Micro(received_at)), '') AS document FROM entries;

CREATE TABLE access_log (
  `organization` String COMMENT 'Organization of the key; empty: of the installation' CODEC(ZSTD(1)),
  `at` DateTime64(6, 'UTC') COMMENT 'When the request arrived' CODEC(Delta(8), ZSTD(1)),
  `id` String COMMENT 'Id of the access' CODEC(ZSTD(1)),
  `revision` UInt8 COMMENT '0: as it began, 1: as it ended' CODEC(ZSTD(1)),
  `actor` String COMMENT 'Owner of the key' CODEC(ZSTD(1)),
  `actor_kind` LowCardinality(String) COMMENT 'person or service' CODEC(ZSTD(1)),
  `key_id` String COMMENT 'The key' CODEC(ZSTD(1)),
  `action` LowCardinality(String) COMMENT 'read, export, sql, write or authentication_failed' CODEC(ZSTD(1)),
  `operation` LowCardinality(String) COMMENT 'Method and template of the path' CODEC(ZSTD(1)),
  `target` String COMMENT 'What was asked for, as a JSON object' CODEC(ZSTD(1)),
  `status` Nullable(UInt16) COMMENT 'Status of the HTTP answer; null: not known' CODEC(ZSTD(1)),
  `rows` Nullable(UInt64) COMMENT 'How many items or rows were given out, where known' CODEC(ZSTD(1)),
  `request_id` String COMMENT 'Id of the request, as the answer named it' CODEC(ZSTD(1)),
  `client` String COMMENT 'Address the request came from' CODEC(ZSTD(1)),
  `count` UInt64 COMMENT '1; of failed authentications, how many' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(revision) PARTITION BY toYYYYMM(at) ORDER BY (organization, intDiv(toUnixTimestamp64Micro(at), 3600000000), at, id) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000 COMMENT 'Who used the audit trail; the highest revision counts';

CREATE TABLE generations (
  `generation` UInt16 COMMENT '0: this database; n: the one whose name ends in _g n' CODEC(ZSTD(1)),
  `stage` LowCardinality(String) COMMENT 'filling, living, dropped' CODEC(ZSTD(1)),
  `at` DateTime64(6, 'UTC') COMMENT 'When it came to that stage' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree ORDER BY (generation, stage) SETTINGS non_replicated_deduplication_window = 10000 COMMENT 'Which database holds the timeline; a rebuild makes the next one';

CREATE TABLE host_workspaces (
  `organization` String COMMENT 'Organization the workspace belongs to' CODEC(ZSTD(1)),
  `host` String COMMENT 'Any of the names of the host' CODEC(ZSTD(1)),
  `workspace` String COMMENT 'A workspace with a session on it' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree ORDER BY (organization, host, workspace) SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, parts_to_delay_insert = 1000, parts_to_throw_insert = 3000 COMMENT 'In which workspaces a host was ever reached; filled from entries';

CREATE MATERIALIZED VIEW host_workspaces_view TO host_workspaces AS SELECT DISTINCT organization, arrayJoin(arrayFilter(name -> name != '', [host_inventory_name, host_ansible_host, host_hostname_reported])) AS host, workspace FROM entries;
