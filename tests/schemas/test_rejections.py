"""The codes of the contract, and which unknown names may be repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejections import RejectionCode, is_harmless_name
from schemas.secrets import looks_like_secret


def test_the_codes_are_those_of_the_contract() -> None:
    assert set(RejectionCode) == {
        "not_json",
        "not_a_cloudevent",
        "not_an_object",
        "unknown_type",
        "missing_field",
        "unknown_field",
        "wrong_type",
        "bad_value",
        "too_long",
        "ends_before_start",
        "looks_like_secret",
        "wrong_organization",
    }


@pytest.mark.parametrize(
    "name", ["a", "stdout", "host.ip", "X-Y_z.9", "-", ".", "a" * 63, "a" * 64]
)
def test_a_plain_name_may_be_repeated(name: str) -> None:
    assert is_harmless_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "a" * 65, "a b", "<b>", "a\n", "\n", "é", "a/b", "a:b", "\u0661", "\ud800", "a\x00"],
)
def test_a_name_of_other_characters_may_not(name: str) -> None:
    assert not is_harmless_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "ghp" + "_0123456789abcdef",
        "AGE-SECRET-" + "KEY-1QQPQYP",
        "x." + "glpat" + "-0123456789",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "eyJ" + "hbGciOi.eyJzdWIi.c2ln",
    ],
)
def test_a_secret_used_as_a_name_may_not(name: str) -> None:
    assert not is_harmless_name(name)


@given(name=st.text(max_size=70))
def test_what_may_be_repeated_is_short_ascii_and_no_secret(name: str) -> None:
    if is_harmless_name(name):
        assert 1 <= len(name) <= 64
        assert name.isascii()
        assert name.isprintable()
        assert not looks_like_secret(name)
