"""Workspaces and their labels."""

import threading
from datetime import timedelta

import pytest

from control.database import Control
from control.errors import InvalidValueError, NotFoundError
from control.pages import Page
from control.workspaces import (
    Workspace,
    WorkspaceLabel,
    get_workspace,
    list_workspaces,
    put_label,
    register_if_new,
)
from tests.control.world import NOON, settle

LATER = NOON + timedelta(hours=1)
PRODUCTION = WorkspaceLabel(
    environment="production", labels={"team": "shop"}, deploy_actions=("deploy",)
)


def get(control: Control, name: str, organization: str = "acme") -> Workspace | None:
    with control.reading() as connection:
        return get_workspace(connection, organization=organization, name=name)


def register(control: Control, *names: str) -> list[str]:
    with control.writing() as connection:
        return register_if_new(connection, names, organization="acme", now=NOON)


def put(control: Control, label: WorkspaceLabel, name: str = "shop") -> None:
    with control.writing() as connection:
        put_label(connection, label, organization="acme", name=name, now=LATER)


def test_a_workspace_registered_has_no_label_yet(control: Control) -> None:
    settle(control, "acme", "globex")
    assert register(control, "shop") == ["shop"]

    assert get(control, "shop") == Workspace(
        organization="acme",
        name="shop",
        label=WorkspaceLabel(),
        registered_at=NOON,
        updated_at=NOON,
    )
    assert get(control, "shop", "globex") is None
    assert get(control, "web") is None


def test_registering_again_changes_nothing_and_names_the_new_ones_only(control: Control) -> None:
    settle(control, "acme")
    register(control, "shop")
    put(control, PRODUCTION)

    assert register(control, "web", "shop", "api", "web") == ["api", "web"]
    labelled = get(control, "shop")
    assert labelled is not None
    assert labelled.label == PRODUCTION


def test_a_label_replaces_all_that_was_said_before(control: Control) -> None:
    settle(control, "acme")
    register(control, "shop")
    put(control, PRODUCTION)
    first = get(control, "shop")
    put(control, WorkspaceLabel(deploy_actions=()))

    assert first == Workspace(
        organization="acme",
        name="shop",
        label=PRODUCTION,
        registered_at=NOON,
        updated_at=LATER,
    )
    assert get(control, "shop") == Workspace(
        organization="acme",
        name="shop",
        label=WorkspaceLabel(deploy_actions=()),
        registered_at=NOON,
        updated_at=LATER,
    )


def test_a_label_may_come_before_the_first_event(control: Control) -> None:
    settle(control, "acme")
    put(control, PRODUCTION)

    assert register(control, "shop") == []
    labelled = get(control, "shop")
    assert labelled is not None
    assert labelled.label == PRODUCTION


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
        register(control, "shop")
    with pytest.raises(NotFoundError):
        put(control, PRODUCTION)
    settle(control, "acme")
    with pytest.raises(InvalidValueError):
        register(control, "shop", "a b")
    with pytest.raises(InvalidValueError):
        put(control, PRODUCTION, "a b")
    assert register(control, "shop") == ["shop"]


def test_the_largest_request_registers_all_its_workspaces_at_once(control: Control) -> None:
    settle(control, "acme")
    names = [f"w{number:05}" for number in range(10_000)]

    assert register(control, *reversed(names)) == names
    assert register(control) == []


def test_requests_that_name_the_same_workspaces_in_any_order_register_each_once(
    control: Control,
) -> None:
    settle(control, "acme")
    # Several statements long: taken in two orders, the second would lock what the first waits for.
    names = [f"w{number:04}" for number in range(3_000)]
    made: list[str] = []
    start = threading.Barrier(4)

    def race(turned: bool) -> None:
        start.wait()
        made.extend(register(control, *(reversed(names) if turned else names)))

    threads = [threading.Thread(target=race, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == names


def test_pages_follow_one_another_inside_the_organization(control: Control) -> None:
    settle(control, "acme", "globex")
    register(control, "a", "B", "c")
    with control.reading() as connection:
        first = list_workspaces(connection, "acme", Page(limit=2))
        rest = list_workspaces(connection, "acme", Page(after=first[-1].name))
        foreign = list_workspaces(connection, "globex")

    assert [[w.name for w in page] for page in (first, rest, foreign)] == [["B", "a"], ["c"], []]
