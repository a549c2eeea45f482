"""The environments workspaces are labelled with, and how labels get here from control."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from timeline import ddl
from timeline.statement import Statement
from timeline.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceRow:
    """What control knows of a workspace. Times in µs."""

    organization: str
    name: str
    environment: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    deploy_actions: Sequence[str] | None = None  # None: the installation's
    registered_at: int
    version: int  # µs when it was said; the highest counts


async def read_environments(
    store: Store, organization: str, workspaces: Iterable[str]
) -> dict[str, str]:
    """Workspace -> environment, of those that have one. Raises TimelineUnavailableError."""
    names = sorted(set(workspaces))
    if not names:
        return {}
    statement = Statement(
        f"SELECT name, environment FROM {ddl.WORKSPACES.name} FINAL WHERE"
        " organization = {organization:String} AND name IN {names:Array(String)}"
        " AND environment != ''",
        {"organization": organization, "names": names},
    )
    return {str(name): str(environment) for name, environment in await store.rows(statement)}


async def mirror_workspaces(store: Store, rows: Sequence[WorkspaceRow], *, token: str) -> None:
    """Bring what control says into the store; repeating it changes nothing.

    Raises TimelineUnavailableError.
    """
    columns: dict[str, Sequence[Any]] = {
        "organization": [row.organization for row in rows],
        "name": [row.name for row in rows],
        "environment": [row.environment or "" for row in rows],
        "labels": [dict(row.labels) for row in rows],
        "deploy_actions": [
            None if row.deploy_actions is None else msgspec.json.encode(row.deploy_actions).decode()
            for row in rows
        ],
        "registered_at": [row.registered_at for row in rows],
        "version": [row.version for row in rows],
    }
    await store.write(lambda connection: connection.insert(ddl.WORKSPACES, columns, token=token))


async def read_mirrored(
    store: Store, after: tuple[str, str], until: tuple[str, str]
) -> dict[tuple[str, str], int]:
    """(organization, workspace) -> version of the label here, of those after `after` and up to
    `until`, sorted as text. Raises TimelineUnavailableError.
    """
    statement = Statement(
        f"SELECT organization, name, max(version) FROM {ddl.WORKSPACES.name}"
        " WHERE (organization, name) > ({after_organization:String}, {after_name:String})"
        " AND (organization, name) <= ({until_organization:String}, {until_name:String})"
        " GROUP BY organization, name",
        {
            "after_organization": after[0],
            "after_name": after[1],
            "until_organization": until[0],
            "until_name": until[1],
        },
    )
    rows = await store.rows(statement)
    return {(str(organization), str(name)): int(version) for organization, name, version in rows}
