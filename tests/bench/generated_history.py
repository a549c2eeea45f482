"""A history of millions of entries, made by the store itself: nothing travels to it row by row.

One organization, 300 workspaces of which few are busy, each with hosts of its own; runs, sessions
and syncs at all hours. The same number and seed give the same rows. A share of the entries comes
again at a higher revision, in parts of its own, as late events would leave them.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from schemas.times import parse_us
from timeline import ddl
from timeline.connection import Connection
from timeline.entry_times import ENTRY_TIMES
from timeline.environment_query import WorkspaceRow, mirror_workspaces
from timeline.statement import Statement
from timeline.store import Store

ORGANIZATION: Final = "bench"
WORKSPACES: Final = 300
HOSTS_PER_WORKSPACE: Final = 12
ACTORS: Final = 250
CLI_INSTANCES: Final = 600
BEGINNING_US: Final = parse_us("2026-01-01T00:00:00Z")
LATE_SHARE_PER_MILLE: Final = 20
# Rows of one insert.
_CHUNK: Final = 500_000


@dataclass(frozen=True, slots=True)
class History:
    """`rows` entries over `days` days since BEGINNING_US."""

    rows: int
    days: int = 100

    @property
    def end_us(self) -> int:
        return BEGINNING_US + self.days * 86_400_000_000


def generate(store: Store, history: History) -> None:
    """Insert every entry at its first revision."""
    _insert_all(store, history, revision=1)


def merge(store: Store) -> None:
    """One part a month, as the engine leaves months that nothing reaches any more."""
    for table in _TABLES:
        _command(
            store, f"OPTIMIZE TABLE {table} FINAL SETTINGS optimize_skip_merged_partitions = 1"
        )


def revise(store: Store, history: History, revision: int) -> None:
    """A share of the entries at a higher revision, in parts of their own."""
    # Or the engine would bring them together while they are being measured.
    for table in _TABLES:
        _command(store, f"SYSTEM STOP MERGES {table}")
    _insert_all(store, history, revision=revision)


def let_merge(store: Store) -> None:
    """Take back what `revise` stopped."""
    for table in _TABLES:
        _command(store, f"SYSTEM START MERGES {table}")


_TABLES: Final = (ddl.ENTRIES.name, ENTRY_TIMES.name, ddl.ENTRY_IDS.name)


def _command(store: Store, sql: str) -> None:
    store.write_now(lambda connection: connection.command(sql))


def _insert_all(store: Store, history: History, *, revision: int) -> None:
    for first in range(0, history.rows, _CHUNK):
        last = min(first + _CHUNK, history.rows)
        store.write_now(lambda c: _insert(c, history, first, last, revision))  # noqa: B023


def _insert(connection: Connection, history: History, first: int, last: int, revision: int) -> None:
    connection.rows(
        Statement(
            f"INSERT INTO {ddl.ENTRIES.name} ({', '.join(_COLUMNS)})"
            f" SELECT {', '.join(_COLUMNS.values())} FROM ({_DRAWN})"
            " WHERE revision = 1 OR late_draw < {late:UInt32}",
            {
                "first": first,
                "count": last - first,
                "beginning": BEGINNING_US,
                "step": history.days * 86_400_000_000 // history.rows,
                "revision": revision,
                "late": LATE_SHARE_PER_MILLE,
                "organization": ORGANIZATION,
            },
        )
    )


def _draw(salt: int) -> str:
    """Evenly from [0, 1)."""
    return f"(cityHash64(number, {salt}) / 18446744073709551616)"


def _uuid(salt: int, number: str = "number") -> str:
    return (
        f"toString(UUIDNumToString(toFixedString(concat("
        f"reinterpretAsFixedString(cityHash64({number}, {salt})),"
        f" reinterpretAsFixedString(cityHash64({number}, {salt + 1}))), 16)))"
    )


_DRAWN: Final = f"""
SELECT number, {{revision:UInt64}} AS revision,
  cityHash64(number, 9) % 1000 AS late_draw,
  floor({WORKSPACES} * pow({_draw(1)}, 2.5)) AS workspace_number,
  cityHash64(number, 2) % 100 AS kind_draw,
  multiIf(kind_draw < 55, 'action_run', kind_draw < 90, 'ssh_session', 'workspace_sync') AS kind_,
  {{beginning:Int64}} + number * {{step:Int64}} + toInt64({_draw(3)} * {{step:Int64}}) AS start_us,
  toInt64(-log(1 - {_draw(4)}) * multiIf(kind_ = 'action_run', 90, 600) * 1000000) AS length_us,
  cityHash64(workspace_number, floor(8 * {_draw(5)})) % {ACTORS} AS actor_number,
  cityHash64(actor_number, floor(3 * {_draw(6)})) % {CLI_INSTANCES} AS cli_number,
  kind_draw % 50 < 2 AS is_failed,
  kind_ != 'workspace_sync' AND cityHash64(number, 7) % 200 = 0 AS open_,
  cityHash64(number, 8) % {HOSTS_PER_WORKSPACE} AS host_number,
  cityHash64(number, 10) % 14 AS block_number,
  intDiv(start_us - {{beginning:Int64}}, 14400000000) AS epoch_number,
  leftPad(lower(hex(cityHash64(workspace_number, epoch_number))), 16, '0') AS commit_
FROM numbers({{first:UInt64}}, {{count:UInt64}})
"""

_AT = "fromUnixTimestamp64Micro({}, 'UTC')"


def _if(kind: str, value: str, otherwise: str = "''") -> str:
    return f"if(kind_ = '{kind}', {value}, {otherwise})"


_RUN, _SESSION, _SYNC = "action_run", "ssh_session", "workspace_sync"
_IS_LINKED = "(kind_ != 'workspace_sync' AND cityHash64(number, 11) % 4 != 0)"
_COLUMNS: Final = {
    "organization": "{organization:String}",
    "workspace": "concat('workspace-', leftPad(toString(workspace_number), 3, '0'))",
    "kind": "kind_",
    "id": _uuid(20),
    "occurred_at": _AT.format("start_us"),
    "ended_at": f"if(kind_ = '{_SYNC}' OR open_, NULL, {_AT.format('start_us + length_us')})",
    "duration_ms": f"if(kind_ = '{_SYNC}' OR open_, NULL, intDiv(length_us, 1000))",
    "is_open": "open_",
    "status": f"multiIf(open_, 'running', kind_ = '{_SESSION}', if(is_failed, 'failed', 'ended'),"
    " is_failed, 'failed', 'successful')",
    "actor": "concat('user-', toString(actor_number))",
    "actor_kind": "if(actor_number % 3 = 0, 'service', 'person')",
    "key_id": "concat('key-', toString(actor_number))",
    "user": "concat('user-', toString(actor_number))",
    "os_user": "concat('user', toString(actor_number))",
    "hostname": "concat('machine-', toString(cli_number))",
    "cli_instance_id": "concat('cli-', leftPad(lower(hex(cli_number)), 8, '0'))",
    "cli_version": "concat('0.', toString(10 + intDiv(epoch_number, 100)), '.',"
    " toString(cli_number % 3))",
    "reason": "if(cityHash64(number, 12) % 20 = 0, 'planned change', '')",
    "ticket": "if(cityHash64(number, 12) % 20 = 0, concat('CHG-', toString(number % 9000)), '')",
    "block": _if(_RUN, "concat('block-', toString(block_number))"),
    "block_from": _if(
        _RUN,
        "concat('cargo.example.com/infra/block-', toString(block_number), ':0.',"
        " toString(intDiv(epoch_number, 40)))",
    ),
    "block_name": _if(_RUN, "concat('cargo.example.com/infra/block-', toString(block_number))"),
    "block_version": _if(_RUN, "concat('0.', toString(intDiv(epoch_number, 40)))"),
    "action": _if(
        _RUN,
        "arrayElement(['deploy', 'install', 'restart', 'patch', 'check'],"
        " cityHash64(number, 13) % 5 + 1)",
    ),
    "exit_code": f"if(open_ OR kind_ = '{_SYNC}', NULL, toInt64(is_failed))",
    "commit_sha": _if(_RUN, "commit_"),
    "host_inventory_name": _if(
        _SESSION,
        "concat('server', toString(host_number), '.w', toString(workspace_number), '.example.com')",
    ),
    "host_ansible_host": _if(
        _SESSION, "concat('10.0.', toString(workspace_number % 250), '.', toString(host_number))"
    ),
    "result": _if(_SYNC, "'success'"),
    "git_branch": _if(_SYNC, "'main'"),
    "git_after_sha": _if(_SYNC, "commit_"),
    "encryption_enabled": f"if(kind_ = '{_SYNC}', true, NULL)",
    "configured_by_sync_id": f"if(kind_ = '{_SYNC}', '',"
    f" {_uuid(30, 'workspace_number * 100000 + epoch_number')})",
    "configured_by_commit": f"if(kind_ = '{_SYNC}', '', commit_)",
    "configured_by_branch": f"if(kind_ = '{_SYNC}', '', 'main')",
    "configured_by_confidence": f"if(kind_ = '{_SYNC}', '', 'likely')",
    "configured_by_explanation": f"if(kind_ = '{_SYNC}', '', concat('latest successful sync of the"
    " workspace before the start, ', toString(number % 240), ' min earlier'))",
    "link_rule": f"if({_IS_LINKED}, ['during', 'after'], [])",
    "link_target_kind": f"if({_IS_LINKED}, ['action_run', 'ssh_session'], [])",
    "link_target_id": f"if({_IS_LINKED}, [{_uuid(40)}, {_uuid(50)}], [])",
    "link_confidence": f"if({_IS_LINKED}, ['exact', 'likely'], [])",
    "link_gap_ms": f"if({_IS_LINKED}, [NULL, toNullable(toInt64(number % 3600000))], [])",
    "link_origin": f"if({_IS_LINKED}, ['actor', ''], [])",
    "unexplained": f"if(kind_ = '{_SESSION}', toNullable(NOT {_IS_LINKED}), NULL)",
    "flags": "if(cityHash64(number, 14) % 50 = 0, ['late'], [])",
    "received_at": _AT.format("start_us + if(open_, 0, length_us) + 500000"),
    "revision": "revision * 1000000000 + number",
}


def label_workspaces(store: Store) -> None:
    """Every fourth workspace is production, the others are not."""
    rows = [
        WorkspaceRow(
            organization=ORGANIZATION,
            name=f"workspace-{number:03}",
            environment="production" if number % 4 == 0 else "staging",
            registered_at=BEGINNING_US,
            version=1,
        )
        for number in range(WORKSPACES)
    ]
    asyncio.run(mirror_workspaces(store, rows, token="bench"))
