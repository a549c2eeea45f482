"""Which sync was in force in a workspace at a time.

Source: the contract, section 4: the latest successful sync at or before that time that brought a
commit; of several at one moment the one with the higher id.
"""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from schemas.kinds import Kind, Status
from timeline import ddl
from timeline.column import Table
from timeline.entry_conditions import HOUR_US, time_sql
from timeline.entry_times import ENTRY_TIMES
from timeline.scope import Scope
from timeline.statement import Statement
from timeline.store import Store

# How far to look back, step by step: most workspaces sync daily, and few never do.
_LOOK_BACK_HOURS: Final = (24, 24 * 31, None)
# For more of them, all that happened in the first step is read sooner than what each has of it.
_FEW_WORKSPACES: Final = 20


class Configuration(NamedTuple):
    """The sync in force; '' is "not known". `synced_at` in µs."""

    workspace: str
    sync_id: str
    commit: str
    branch: str
    synced_at: int
    brought_by: str


async def read_configurations(
    store: Store, scope: Scope, workspaces: Collection[str], at_us: int
) -> list[Configuration]:
    """The sync in force at `at_us` of each of these workspaces that has one, by workspace.

    Raises TimelineUnavailableError.
    """
    found: dict[str, Configuration] = {}
    until_hour = at_us // HOUR_US
    for look_back in _LOOK_BACK_HOURS:
        missing = sorted(set(workspaces) - set(found))
        if not missing:
            break
        since_hour = 0 if look_back is None else max(0, until_hour - look_back)
        is_wide = look_back == _LOOK_BACK_HOURS[0] and len(missing) > _FEW_WORKSPACES
        table = ENTRY_TIMES if is_wide else ddl.ENTRIES
        rows = await store.rows(_statement(scope, missing, at_us, since_hour, table))
        found |= {row[0]: Configuration(*row) for row in rows}
    return [found[workspace] for workspace in sorted(found)]


def _statement(
    scope: Scope, workspaces: list[str], at_us: int, since_hour: int, table: Table
) -> Statement:
    parameters: dict[str, Any] = {
        "workspaces": workspaces,
        "sync": Kind.WORKSPACE_SYNC.value,
        "successful": Status.SUCCESSFUL.value,
        "at": at_us,
        "since": since_hour * HOUR_US,
    }
    conditions = [
        *scope.conditions(parameters),
        "workspace IN {workspaces:Array(String)}",
        "kind = {sync:String}",
        f"occurred_at >= {time_sql('since')} AND occurred_at <= {time_sql('at')}",
    ]
    if table == ddl.ENTRIES:
        parameters |= {"hour_first": since_hour, "hour_last": at_us // HOUR_US}
        conditions += [
            f"{ddl.HOUR} >= {{hour_first:Int64}}",
            f"{ddl.HOUR} <= {{hour_last:Int64}}",
        ]
    newest = (
        "SELECT workspace, kind, occurred_at, id, status, git_after_sha, git_branch, actor"
        f" FROM {table.name} WHERE {' AND '.join(conditions)}"
        " ORDER BY revision DESC LIMIT 1 BY workspace, kind, occurred_at, id"
    )
    return Statement(
        "SELECT workspace, id, git_after_sha, git_branch, toUnixTimestamp64Micro(occurred_at),"
        f" actor FROM ({newest}) WHERE status = {{successful:String}} AND git_after_sha != ''"
        " ORDER BY occurred_at DESC, id DESC LIMIT 1 BY workspace",
        parameters,
    )
