import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from runtime.errors import RefusedError
from schemas.times import format_us
from tests.timeline.trail import Trail, at_us, run, run_entry
from timeline.environment_query import WorkspaceRow, mirror_workspaces, read_mirrored
from timeline.scope import Scope
from timeline.workspace_query import (
    WORKSPACE_FILTERS,
    WorkspacePage,
    parse_workspace_filters,
    read_workspace,
    read_workspaces,
)

SAID_AT = at_us("12:00")


def say(
    trail: Trail,
    name: str,
    environment: str | None = "production",
    *,
    labels: Mapping[str, str] | None = None,
    deploy_actions: Sequence[str] | None = None,
    version: int = SAID_AT,
) -> None:
    row = WorkspaceRow(
        organization=trail.organization,
        name=name,
        environment=environment,
        labels=labels or {},
        deploy_actions=deploy_actions,
        registered_at=1,
        version=version,
    )
    run(mirror_workspaces(trail.store, [row], token=uuid.uuid4().hex))


def page(
    trail: Trail, *pairs: tuple[str, str], patterns: Sequence[str] | None = None
) -> WorkspacePage:
    scope = Scope(trail.organization, patterns)
    return run(read_workspaces(trail.store, scope, parse_workspace_filters(pairs)))


def names(
    trail: Trail, *pairs: tuple[str, str], patterns: Sequence[str] | None = None
) -> list[str]:
    return [item["name"] for item in page(trail, *pairs, patterns=patterns).items]


def one(trail: Trail, name: str, patterns: Sequence[str] | None = None) -> Any:
    return run(read_workspace(trail.store, Scope(trail.organization, patterns), name))


def test_a_workspace_is_registered_by_its_first_record(trail: Trail) -> None:
    trail.put(run_entry(1, "10:30"), workspace="shop")
    trail.put(run_entry(2, "10:00"), workspace="shop")
    trail.put(run_entry(1, "10:30", revision=2), workspace="shop")

    registered: Any = {
        "name": "shop",
        "environment": None,
        "labels": {},
        "deploy_actions": None,
        "registered_at": format_us(at_us("10:00")),
        "updated_at": None,
    }
    assert one(trail, "shop") == registered
    assert page(trail).items == [registered]


def test_a_label_may_come_before_the_first_record(trail: Trail) -> None:
    said = {"b": 'it\'s \\ "quoted"', "a": "x"}
    say(trail, "shop", labels=said, deploy_actions=["roll-out", "ü"])

    labelled: Any = {
        "name": "shop",
        "environment": "production",
        "labels": said,
        "deploy_actions": ["roll-out", "ü"],
        "registered_at": None,
        "updated_at": format_us(SAID_AT),
    }
    assert one(trail, "shop") == labelled
    trail.put(run_entry(1, "10:00"), workspace="shop")
    labelled["registered_at"] = format_us(at_us("10:00"))
    assert one(trail, "shop") == labelled
    assert page(trail).items == [labelled]


def test_the_label_said_last_counts_as_a_whole(trail: Trail) -> None:
    trail.put(run_entry(1), workspace="shop")
    say(trail, "shop", None, version=SAID_AT + 1)
    say(trail, "shop", labels={"a": "b"}, deploy_actions=[])

    found = one(trail, "shop")
    assert (found["environment"], found["labels"], found["deploy_actions"]) == (None, {}, None)
    assert names(trail, ("environment", "production")) == []


def test_list_holds_registered_and_labelled_ones_in_pages(trail: Trail) -> None:
    for number, name in enumerate(("c", "B", "e")):
        trail.put(run_entry(number), workspace=name)
    for name in ("a", "c", "d"):
        say(trail, name)

    collected: list[str] = []
    cursor: list[tuple[str, str]] = []
    while True:
        part = page(trail, ("limit", "2"), *cursor)
        collected += [item["name"] for item in part.items]
        if part.next_cursor is None:
            break
        cursor = [("cursor", part.next_cursor)]
    assert collected == ["B", "a", "c", "d", "e"]


def test_environment_is_a_filter(trail: Trail) -> None:
    trail.put(run_entry(1), workspace="production")
    for name, environment in (("a", "production"), ("b", "staging"), ("c", None)):
        say(trail, name, environment)

    assert names(trail, ("environment", "production")) == ["a"]
    assert names(trail, ("environment", "production"), ("environment", "staging")) == ["a", "b"]
    assert names(trail, ("environment", "production"), ("limit", "1")) == ["a"]


def test_what_lies_outside_the_scope_does_not_exist(trail: Trail) -> None:
    trail.put(run_entry(1), workspace="acme-1")
    trail.put(run_entry(2), workspace="shop")
    say(trail, "acme-2")
    say(trail, "web")
    Trail(trail.store).put(run_entry(3), workspace="theirs")
    say(Trail(trail.store), "theirs-too")

    assert names(trail) == ["acme-1", "acme-2", "shop", "web"]
    assert names(trail, patterns=["acme*", "web"]) == ["acme-1", "acme-2", "web"]
    assert one(trail, "shop", ["acme*"]) is None
    assert one(trail, "acme-2", ["acme*"]) is not None
    assert one(trail, "theirs") is None
    assert one(trail, "theirs-too") is None


@pytest.mark.parametrize("name", WORKSPACE_FILTERS)
def test_a_bad_value_is_refused_by_its_name(name: str) -> None:
    for pairs in ([(name, "")], [(name, "\x00")]):
        with pytest.raises(RefusedError) as caught:
            parse_workspace_filters(pairs)
        assert caught.value.field == name


def test_mirrored_versions_are_read_by_stretches_across_organizations(trail: Trail) -> None:
    other = Trail(trail.store, organization=f"{trail.organization}-b")
    say(trail, "a", version=3)
    say(trail, "b", version=9)
    say(trail, "b", version=8)
    say(other, "a", version=5)

    here, there = trail.organization, other.organization
    found = run(read_mirrored(trail.store, (here, ""), (there, "z")))
    assert found == {(here, "a"): 3, (here, "b"): 9, (there, "a"): 5}
    found = run(read_mirrored(trail.store, (here, "a"), (here, "b")))
    assert found == {(here, "b"): 9}
