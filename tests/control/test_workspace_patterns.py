"""Narrowing a key to workspaces."""

import pytest

from control.errors import InvalidValueError
from control.workspace_patterns import allows, check_patterns


def test_a_key_without_patterns_may_touch_every_workspace() -> None:
    assert allows(None, "shop")


def test_an_exact_name_allows_that_workspace_only() -> None:
    assert allows(["shop"], "shop")
    assert not allows(["shop"], "shop-prod")
    assert not allows(["shop"], "Shop")


def test_a_prefix_allows_what_begins_with_it() -> None:
    assert allows(["shop-*"], "shop-prod")
    assert allows(["shop-*"], "shop-")
    assert not allows(["shop-*"], "shop")
    assert not allows(["shop-*"], "my-shop-prod")


def test_one_of_several_patterns_is_enough() -> None:
    assert allows(["a", "shop-*"], "shop-prod")
    assert not allows(["a", "b"], "c")


def test_no_pattern_at_all_allows_nothing() -> None:
    assert not allows([], "shop")


@pytest.mark.parametrize("patterns", [None, ["shop"], ["shop-*", "web.1"], ["a"] * 100])
def test_names_and_prefixes_are_taken(patterns: list[str] | None) -> None:
    check_patterns(patterns)


@pytest.mark.parametrize("patterns", [[], ["*"], ["a*b"], ["**"], ["a**"], [""], ["a"] * 101])
def test_what_no_name_can_match_or_every_name_does_is_refused(patterns: list[str]) -> None:
    with pytest.raises(InvalidValueError) as refused:
        check_patterns(patterns)

    assert refused.value.field == "workspaces"
