"""The text of an API key: making one, checking its form offline, and the digest that is stored.

`opstrail_` + 32 random base62 characters (190 bits) + the CRC-32 of all before as 6 base62
characters, most significant first, alphabet 0-9 A-Z a-z: 47 characters. The prefix lets scanners
find a leaked key, the checksum lets them tell it from noise.

Must stay true:
- Only the digest, HMAC-SHA256 under the installation's pepper, is ever stored or kept in memory.
- Keys are found by their digest, in an index or a dict, never compared one by one. How long that
  takes tells nothing: without the pepper no sender can steer the digest of a guess.
- Nothing here reads a clock, a random source of its own, or a database.
"""

import hmac
import re
import zlib
from collections.abc import Callable
from typing import Final

KEY_PREFIX: Final = "opstrail_"
_SECRET_CHARACTERS: Final = 32
_CHECKSUM_CHARACTERS: Final = 6  # 62^6 > 2^32
KEY_CHARACTERS: Final = len(KEY_PREFIX) + _SECRET_CHARACTERS + _CHECKSUM_CHARACTERS

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE: Final = re.compile(
    rf"{KEY_PREFIX}[0-9A-Za-z]{{{_SECRET_CHARACTERS + _CHECKSUM_CHARACTERS}}}"
)
# 256 random bits folded onto 190: no key is likelier than another by more than 2^-65.
_RANDOM_BYTES: Final = 32


def generate(random_bytes: Callable[[int], bytes]) -> str:
    """A new key; `random_bytes(n)` gives n unpredictable bytes, such as `secrets.token_bytes`."""
    number = int.from_bytes(random_bytes(_RANDOM_BYTES), "big")
    start = KEY_PREFIX + _base62(number, _SECRET_CHARACTERS)
    return start + _checksum(start)


def is_well_formed(text: str) -> bool:
    """Whether `text` has the shape and the checksum of a key: all that can be known offline."""
    return (
        _SHAPE.fullmatch(text) is not None
        and _checksum(text[:-_CHECKSUM_CHARACTERS]) == text[-_CHECKSUM_CHARACTERS:]
    )


def digest(pepper: bytes, text: str) -> bytes:
    """What is stored of a key: 32 bytes. Raises UnicodeEncodeError for text that is not ASCII."""
    return hmac.digest(pepper, text.encode("ascii"), "sha256")


def _checksum(start: str) -> str:
    return _base62(zlib.crc32(start.encode("ascii")), _CHECKSUM_CHARACTERS)


def _base62(number: int, characters: int) -> str:
    """The last `characters` digits of `number`, most significant first."""
    digits = []
    for _ in range(characters):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
