import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.preferences import is_lenient


@pytest.mark.parametrize(
    "stated",
    [
        ["handling=lenient"],
        ["Handling=Lenient"],
        [" handling = lenient "],
        ['handling="lenient"'],
        ["handling=lenient; a=b"],
        ["respond-async, wait=10, handling=lenient"],
        ["respond-async;q=1,handling=lenient"],
        ['note="a, handling=strict", handling=lenient'],
        ["respond-async", "handling=lenient"],
        ["handling=lenient, handling=strict"],
    ],
)
def test_lenient_handling_may_be_asked_for_in_every_form_of_the_rfc(stated: list[str]) -> None:
    assert is_lenient(stated)


@pytest.mark.parametrize(
    "stated",
    [
        [],
        [""],
        ["handling=strict"],
        ["handling"],
        ["handling=lenientx"],
        ["xhandling=lenient"],
        ["handling=strict, handling=lenient"],
        ["handling=strict", "handling=lenient"],
        ['note="handling=lenient"'],
        ["return=representation; handling=lenient"],
        ['"handling=lenient'],
    ],
)
def test_strict_is_what_everything_else_means(stated: list[str]) -> None:
    assert not is_lenient(stated)


@given(stated=st.lists(st.text(alphabet='handling=lt,;" \\ex', max_size=60), max_size=3))
def test_no_header_is_too_strange(stated: list[str]) -> None:
    assert is_lenient(stated) in {True, False}
