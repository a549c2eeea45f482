"""Which names and texts may be stored."""

import pytest

from control.errors import InvalidValueError
from control.names import check_name, check_text

SECRET = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize("name", ["a", "A-1", "_x", "0", "a.b-c_d", "x" * 128])
def test_names_of_the_contract_are_taken(name: str) -> None:
    check_name(name, field="name")


@pytest.mark.parametrize(
    "name", ["", "x" * 129, ".a", "-a", "a b", "a/b", "ä", "a\n", "\ud800", "a*", SECRET]
)
def test_other_names_are_refused_with_their_field_and_never_repeated(name: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        check_name(name, field="workspace")

    assert refused.value.field == "workspace"
    assert len(name) < 2 or name not in str(refused.value)


@pytest.mark.parametrize("text", ["a", "Änne Müller", "anna@example.com", "x" * 256])
def test_one_line_of_text_is_taken(text: str) -> None:
    check_text(text, field="name")


@pytest.mark.parametrize(
    "text",
    ["", "x" * 257, " a", "a\u00a0", "a\nb", "a\x85b", "\x7f", "a\u202eb", "\u2066", "\udfff"],
)
def test_text_that_lies_about_itself_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        check_text(text, field="name")

    assert refused.value.code == "bad_value"


def test_a_secret_in_the_wrong_field_is_refused_as_one() -> None:
    with pytest.raises(InvalidValueError) as refused:
        check_text(f"my key is {SECRET}", field="name")

    assert refused.value.code == "looks_like_secret"


def test_a_shorter_limit_is_kept_exactly() -> None:
    check_text("x" * 128, field="name", characters_max=128)
    with pytest.raises(InvalidValueError):
        check_text("x" * 129, field="name", characters_max=128)
