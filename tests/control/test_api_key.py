"""The text of an API key."""

import re
import secrets
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api_key import KEY_CHARACTERS, KEY_PREFIX, digest, generate, is_well_formed
from schemas.secrets import looks_like_secret

# 32 zero bytes; CRC-32 of "opstrail_" and 32 zeros, in base62.
ZERO_KEY = "opstrail_000000000000000000000000000000003V6yQU"

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def zero_bytes(count: int) -> bytes:
    return bytes(count)


def key_of(random: bytes) -> str:
    return generate(lambda count: random[:count])


def test_the_form_of_a_key_never_changes() -> None:
    assert generate(zero_bytes) == ZERO_KEY
    assert is_well_formed(ZERO_KEY)


@given(random=st.binary(min_size=32, max_size=32))
def test_every_key_is_well_formed_recognisable_and_47_characters_long(random: bytes) -> None:
    key = key_of(random)

    assert re.fullmatch(r"opstrail_[0-9A-Za-z]{38}", key)
    assert len(key) == KEY_CHARACTERS == 47
    assert is_well_formed(key)
    assert looks_like_secret(key)


def test_all_62_characters_turn_up_at_every_place() -> None:
    keys = [generate(secrets.token_bytes) for _ in range(3_000)]

    for place in range(len(KEY_PREFIX), len(KEY_PREFIX) + 32):
        assert {key[place] for key in keys} == set(string.ascii_letters + string.digits)


def test_two_keys_differ() -> None:
    assert len({generate(secrets.token_bytes) for _ in range(1_000)}) == 1_000


@given(
    random=st.binary(min_size=32, max_size=32),
    place=st.integers(min_value=0, max_value=46),
    character=st.sampled_from(string.ascii_letters + string.digits + "_"),
)
def test_one_wrong_character_anywhere_is_noticed_offline(
    random: bytes, place: int, character: str
) -> None:
    key = key_of(random)
    changed = key[:place] + character + key[place + 1 :]

    assert is_well_formed(changed) == (changed == key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "opstrail_",
        ZERO_KEY[:-1],
        ZERO_KEY + "0",
        ZERO_KEY + "\n",
        " " + ZERO_KEY,
        ZERO_KEY.upper(),
        ZERO_KEY.replace("opstrail_", "opstrail-"),
        ZERO_KEY.replace("00000", "٠٠٠٠٠", 1),
        "\ud800" * KEY_CHARACTERS,
    ],
)
def test_what_is_no_key_is_not_well_formed(text: str) -> None:
    assert not is_well_formed(text)


@pytest.mark.parametrize("count", [31, 33])
def test_a_right_checksum_on_the_wrong_length_is_no_key(count: int) -> None:
    start = "opstrail_" + "0" * count
    number, checksum = zlib.crc32(start.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        checksum = BASE62[digit] + checksum

    assert not is_well_formed(start + checksum)


def test_the_digest_is_hmac_sha256_under_the_pepper() -> None:
    # RFC 4231, test case 2.
    assert digest(b"Jefe", "what do ya want for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_another_pepper_gives_another_digest() -> None:
    assert digest(b"one", ZERO_KEY) != digest(b"two", ZERO_KEY)
