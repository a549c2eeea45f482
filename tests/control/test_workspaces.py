"""Workspaces and their labels."""

import threading
from datetime import datetime, timedelta

import pytest

from control.database import Control
from control.errors import InvalidValueError, NotFoundError
from control.pages import Page
from control.workspaces import (
    Workspace,
    WorkspaceLabel,
    get_workspace,
    list_all_workspaces,
    list_workspaces,
    put_label,
)
from tests.control.world import NOON, settle

LATER = NOON + timedelta(hours=1)
PRODUCTION = WorkspaceLabel(
    environment="production", labels={"team": "shop"}, deploy_actions=("deploy",)
)


def get(control: Control, name: str, organization: str = "acme") -> Workspace | None:
    with control.reading() as connection:
        return get_workspace(connection, organization=organization, name=name)


def put(
    control: Control,
    label: WorkspaceLabel,
    name: str = "shop",
    *,
    organization: str = "acme",
    now: datetime = NOON,
) -> Workspace:
    with control.writing() as connection:
        return put_label(connection, label, organization=organization, name=name, now=now)


def test_a_workspace_is_here_once_it_is_labelled_and_only_in_its_organization(
    control: Control,
) -> None:
    settle(control, "acme", "globex")
    assert get(control, "shop") is None
    said = put(control, PRODUCTION)

    assert said == Workspace(
        organization="acme", name="shop", label=PRODUCTION, registered_at=NOON, updated_at=NOON
    )
    assert get(control, "shop") == said
    assert get(control, "shop", "globex") is None
    assert get(control, "web") is None


def test_a_label_replaces_all_that_was_said_before(control: Control) -> None:
    settle(control, "acme")
    put(control, PRODUCTION)
    said = put(control, WorkspaceLabel(deploy_actions=()), now=LATER)

    assert said == Workspace(
        organization="acme",
        name="shop",
        label=WorkspaceLabel(deploy_actions=()),
        registered_at=NOON,
        updated_at=LATER,
    )
    assert get(control, "shop") == said


@pytest.mark.parametrize("now", [NOON, NOON - timedelta(days=1), NOON + timedelta(microseconds=1)])
def test_a_later_label_is_newer_whatever_the_clock_says(control: Control, now: datetime) -> None:
    settle(control, "acme")
    put(control, PRODUCTION)
    said = put(control, WorkspaceLabel(environment="staging"), now=now)

    assert said.updated_at == NOON + timedelta(microseconds=1)
    assert get(control, "shop") == said


def test_labels_said_at_the_same_time_are_each_newer_than_another(control: Control) -> None:
    settle(control, "acme")
    moments: list[datetime] = []
    start = threading.Barrier(4)

    def race() -> None:
        start.wait()
        moments.extend(put(control, PRODUCTION).updated_at for _ in range(5))

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(moments) == [NOON + timedelta(microseconds=step) for step in range(20)]


@pytest.mark.parametrize(
    ("label", "field"),
    [
        (WorkspaceLabel(environment=""), "environment"),
        (WorkspaceLabel(labels={"a\n": "b"}), "labels"),
        (WorkspaceLabel(labels={"a": "b" * 257}), "labels"),
        (WorkspaceLabel(labels={str(number): "x" for number in range(65)}), "labels"),
        (WorkspaceLabel(deploy_actions=[""]), "deploy_actions"),
        (WorkspaceLabel(deploy_actions=["x"] * 65), "deploy_actions"),
    ],
)
def test_a_bad_label_is_refused_with_its_field(
    control: Control, label: WorkspaceLabel, field: str
) -> None:
    settle(control, "acme")
    with pytest.raises(InvalidValueError) as refused:
        put(control, label)

    assert refused.value.field == field


def test_the_largest_label_is_taken(control: Control) -> None:
    settle(control, "acme")
    put(
        control,
        WorkspaceLabel(
            environment="x" * 256,
            labels={str(number): "x" * 256 for number in range(64)},
            deploy_actions=["x"] * 64,
        ),
    )


def test_bad_names_and_unknown_organizations_are_refused(control: Control) -> None:
    with pytest.raises(NotFoundError):
        put(control, PRODUCTION)
    settle(control, "acme")
    with pytest.raises(InvalidValueError):
        put(control, PRODUCTION, "a b")


def test_pages_follow_one_another_inside_the_organization(control: Control) -> None:
    settle(control, "acme", "globex")
    for name in ("a", "B", "c"):
        put(control, PRODUCTION, name)
    with control.reading() as connection:
        first = list_workspaces(connection, "acme", Page(limit=2))
        rest = list_workspaces(connection, "acme", Page(after=first[-1].name))
        foreign = list_workspaces(connection, "globex")

    assert [[w.name for w in page] for page in (first, rest, foreign)] == [["B", "a"], ["c"], []]


def test_all_workspaces_are_read_in_pages_across_organizations(control: Control) -> None:
    settle(control, "acme", "Zeta", "acme-2")
    for organization, name in (("acme", "b"), ("acme", "C"), ("Zeta", "x"), ("acme-2", "a")):
        put(control, PRODUCTION, name, organization=organization)

    seen: list[tuple[str, str]] = []
    with control.reading() as connection:
        while page := list_all_workspaces(
            connection, after=seen[-1] if seen else ("", ""), limit=3
        ):
            seen += [(workspace.organization, workspace.name) for workspace in page]
    assert seen == [("Zeta", "x"), ("acme", "C"), ("acme", "b"), ("acme-2", "a")]
