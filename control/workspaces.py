"""Workspaces and what an organization's administrators say about them.

A workspace is registered by the first event that names it; a label may come before that.
All functions run in the transaction of `connection` and raise ControlUnavailableError through it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from control.dialects import insert_into
from control.errors import InvalidValueError
from control.names import check_name, check_text
from control.organizations import organization_id
from control.pages import FIRST_PAGE, Page
from control.tables import ORGANIZATIONS, WORKSPACES

# A label is a handful of words for people; more is somebody's inventory.
LABELS_MAX: Final = 64
DEPLOY_ACTIONS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceLabel:
    """What somebody says about a workspace; replaces all that was said before."""

    environment: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    deploy_actions: Sequence[str] | None = None  # None: the installation's; empty: none deploys


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    organization: str
    name: str
    label: WorkspaceLabel
    registered_at: datetime  # aware UTC
    updated_at: datetime  # aware UTC; of the label


def get_workspace(connection: Connection, *, organization: str, name: str) -> Workspace | None:
    """None when nobody named it yet, or it is another organization's."""
    query = _SELECT.where(ORGANIZATIONS.c.name == organization, WORKSPACES.c.name == name)
    row = connection.execute(query).one_or_none()
    return None if row is None else _workspace(row)


def list_workspaces(
    connection: Connection, organization: str, page: Page = FIRST_PAGE
) -> list[Workspace]:
    """Sorted by name; of an unknown organization there are none."""
    query = (
        _SELECT.where(ORGANIZATIONS.c.name == organization, WORKSPACES.c.name > page.after)
        .order_by(WORKSPACES.c.name)
        .limit(page.limit)
    )
    return [_workspace(row) for row in connection.execute(query)]


def put_label(
    connection: Connection, label: WorkspaceLabel, *, organization: str, name: str, now: datetime
) -> None:
    """Raises InvalidValueError, NotFoundError (the organization)."""
    check_name(name, field="workspace")
    _check_label(label)
    said = {
        "environment": label.environment,
        "labels": dict(label.labels),
        "deploy_actions": None if label.deploy_actions is None else list(label.deploy_actions),
        "updated_at": now,
    }
    connection.execute(
        insert_into(connection, WORKSPACES)
        .values(
            organization_id=organization_id(connection, organization),
            name=name,
            registered_at=now,
            **said,
        )
        .on_conflict_do_update(index_elements=["organization_id", "name"], set_=said)
    )


def register_if_new(
    connection: Connection, names: Iterable[str], *, organization: str, now: datetime
) -> list[str]:
    """Register those that are not there yet; the names of these, sorted. Safe to race.

    Raises InvalidValueError, NotFoundError (the organization).
    """
    # Sorted: two requests that name the same workspaces then never wait for one another in a ring.
    wanted = sorted(set(names))
    for name in wanted:
        check_name(name, field="workspace")
    if not wanted:
        return []
    owner = organization_id(connection, organization)
    made = connection.execute(
        insert_into(connection, WORKSPACES).on_conflict_do_nothing().returning(WORKSPACES.c.name),
        [
            {
                "organization_id": owner,
                "name": name,
                "labels": {},
                "registered_at": now,
                "updated_at": now,
            }
            for name in wanted
        ],
    )
    return sorted(made.scalars())


_SELECT: Final = (
    select(WORKSPACES, ORGANIZATIONS.c.name.label("organization"))
    .select_from(WORKSPACES)
    .join(ORGANIZATIONS)
)


def _check_label(label: WorkspaceLabel) -> None:
    if label.environment is not None:
        check_text(label.environment, field="environment")
    if len(label.labels) > LABELS_MAX:
        raise InvalidValueError(f"At most {LABELS_MAX} labels.", field="labels")
    for name, value in label.labels.items():
        check_text(name, field="labels")
        check_text(value, field="labels")
    deploy_actions = label.deploy_actions or ()
    if len(deploy_actions) > DEPLOY_ACTIONS_MAX:
        raise InvalidValueError(f"At most {DEPLOY_ACTIONS_MAX}.", field="deploy_actions")
    for action in deploy_actions:
        check_text(action, field="deploy_actions")


def _workspace(row: Row[Any]) -> Workspace:
    return Workspace(
        organization=row.organization,
        name=row.name,
        label=WorkspaceLabel(
            environment=row.environment,
            labels=row.labels,
            deploy_actions=None if row.deploy_actions is None else tuple(row.deploy_actions),
        ),
        registered_at=row.registered_at,
        updated_at=row.updated_at,
    )
