"""What an organization's administrators say about its workspaces.

A workspace is here once somebody labelled it, which may be before its first event; which of them
have events, the timeline knows.

Must stay true: each label of a workspace is newer than the one before, by at least a microsecond
and whatever the clock says. Copies of labels keep the newest.

All functions run in the transaction of `connection` and raise ControlUnavailableError through it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, select, tuple_, update

from control.dialects import insert_into
from control.errors import InvalidValueError
from control.names import check_name, check_text
from control.organizations import organization_id
from control.pages import FIRST_PAGE, Page
from control.tables import ORGANIZATIONS, WORKSPACES

# A label is a handful of words for people; more is somebody's inventory.
LABELS_MAX: Final = 64
DEPLOY_ACTIONS_MAX: Final = 64
_LEAST_STEP: Final = timedelta(microseconds=1)


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
    registered_at: datetime  # aware UTC; of its first label
    updated_at: datetime  # aware UTC; of its label


def get_workspace(connection: Connection, *, organization: str, name: str) -> Workspace | None:
    """None when nobody labelled it yet, or it is another organization's."""
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


def list_all_workspaces(
    connection: Connection, *, after: tuple[str, str] = ("", ""), limit: int
) -> list[Workspace]:
    """Of every organization, sorted by its name and theirs, from after such a pair."""
    place = tuple_(ORGANIZATIONS.c.name, WORKSPACES.c.name)
    query = (
        _SELECT.where(place > tuple_(*after))
        .order_by(ORGANIZATIONS.c.name, WORKSPACES.c.name)
        .limit(limit)
    )
    return [_workspace(row) for row in connection.execute(query)]


def put_label(
    connection: Connection, label: WorkspaceLabel, *, organization: str, name: str, now: datetime
) -> Workspace:
    """Replace all that was said of the workspace before; the workspace as it then is.

    Raises InvalidValueError, NotFoundError (the organization).
    """
    check_name(name, field="workspace")
    _check_label(label)
    said = {
        "environment": label.environment,
        "labels": dict(label.labels),
        "deploy_actions": None if label.deploy_actions is None else list(label.deploy_actions),
        "updated_at": now,
    }
    owner = organization_id(connection, organization)
    made = connection.execute(
        insert_into(connection, WORKSPACES)
        .values(organization_id=owner, name=name, registered_at=now, **said)
        .on_conflict_do_nothing()
        .returning(WORKSPACES.c.name)
    ).one_or_none()
    if made is None:
        _replace_label(connection, owner, name, said)
    workspace = get_workspace(connection, organization=organization, name=name)
    assert workspace is not None, "written in this transaction"
    return workspace


def _replace_label(connection: Connection, owner: int, name: str, said: dict[str, Any]) -> None:
    is_it = (WORKSPACES.c.organization_id == owner) & (WORKSPACES.c.name == name)
    # Held until the end of the transaction: a label said at the same time sees this one's moment.
    query = select(WORKSPACES.c.updated_at).where(is_it).with_for_update()
    before: datetime = connection.execute(query).scalar_one()
    updated_at = max(said["updated_at"], before + _LEAST_STEP)
    connection.execute(update(WORKSPACES).where(is_it).values({**said, "updated_at": updated_at}))


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
