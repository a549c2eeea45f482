"""Only what we wrote for an organization reads as a position of it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.position import UnknownPositionError, read_position, write_position

SECRET = b"a secret of the tests"
OFFSETS = {0: 0, 7: 1_000_000, 23: 2**62}
all_offsets = st.dictionaries(st.integers(0, 1023), st.integers(0, 2**62), max_size=24)


def is_unknown(text: str, *, organization: str = "acme", secret: bytes = SECRET) -> bool:
    try:
        read_position(secret, organization, text)
    except UnknownPositionError as error:
        return str(error) == "unknown position"
    return False


@given(offsets=all_offsets, organization=st.text(min_size=1, max_size=20))
def test_a_position_reads_as_it_was_written(offsets: dict[int, int], organization: str) -> None:
    text = write_position(SECRET, organization, offsets)

    assert read_position(SECRET, organization, text) == offsets


@given(offsets=all_offsets)
def test_a_position_fits_into_a_path_without_escapes(offsets: dict[int, int]) -> None:
    assert set(write_position(SECRET, "acme", offsets)) <= set(
        string.ascii_letters + "0123456789-_"
    )


def test_the_same_offsets_are_the_same_text_in_any_order() -> None:
    turned_round = dict(reversed(OFFSETS.items()))

    assert write_position(SECRET, "acme", OFFSETS) == write_position(SECRET, "acme", turned_round)


def test_positions_of_every_partition_fit() -> None:
    offsets = dict.fromkeys(range(1024), 2**62)

    assert read_position(SECRET, "acme", write_position(SECRET, "acme", offsets)) == offsets


@pytest.mark.parametrize("organization", ["globex", "ACME", "acm", "acme2", ""])
def test_another_organizations_position_is_unknown(organization: str) -> None:
    assert is_unknown(write_position(SECRET, "acme", OFFSETS), organization=organization)


@pytest.mark.parametrize("secret", [b"", b"another", SECRET + b"\0x", SECRET[:-1]])
def test_a_position_sealed_with_another_secret_is_unknown(secret: bytes) -> None:
    assert is_unknown(write_position(SECRET, "acme", OFFSETS), secret=secret)


@pytest.mark.parametrize("offsets", [{}, {0: 1}, {0: 12}, {0: 300}, {0: 70_000}, OFFSETS])
def test_a_position_with_any_one_character_changed_is_unknown(offsets: dict[int, int]) -> None:
    """Of each length, so that the last character also stands for fewer than six bits."""
    text = write_position(SECRET, "acme", offsets)
    alphabet = string.ascii_letters + string.digits + "-_+/=. "

    for place, character in enumerate(text):
        for other in set(alphabet) - {character}:
            assert is_unknown(text[:place] + other + text[place + 1 :]), (place, other)


def test_a_position_cut_short_or_lengthened_is_unknown() -> None:
    text = write_position(SECRET, "acme", OFFSETS)

    assert all(is_unknown(text[:length]) for length in range(len(text)))
    assert all(is_unknown(text + more) for more in ("A", "=", "==", " ", "\n", "\0", text))
    assert all(is_unknown(less + text) for less in ("A", " ", "\n"))


def test_the_same_bytes_spelled_in_the_other_base64_are_unknown() -> None:
    texts = [write_position(SECRET, "acme", {0: offset}) for offset in range(50)]
    spelled = [text.replace("-", "+").replace("_", "/") for text in texts]

    assert texts != spelled
    assert all(
        is_unknown(other) for text, other in zip(texts, spelled, strict=True) if text != other
    )


@pytest.mark.parametrize(
    "text", ["", "A", "AAAA", "é", "\ud800", "../..", "A" * 20_000, "A" * 20_001]
)
def test_garbage_is_unknown(text: str) -> None:
    assert is_unknown(text)


@given(text=st.text(max_size=100) | st.text(string.ascii_letters + "-_", max_size=100))
def test_any_text_we_did_not_write_is_unknown(text: str) -> None:
    assert is_unknown(text)
